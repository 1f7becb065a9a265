"""What the scenes apply: a plain web server by hand, and a hosted model exactly as the planner makes it."""

from __future__ import annotations

import json

import msgspec
from model_samples import card, node, queue

from sealane.gpus.facts import ClusterFacts
from sealane.models.plan import plan
from sealane.models.types import ModelSpec, Share

MODEL = "smollm2:135m"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: nginx:1.27
        env: [{name: COLOUR, value: blue}]
        ports: [{containerPort: 80, name: http}]
        resources: {limits: {cpu: 100m, memory: 64Mi}, requests: {cpu: 10m}}
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 5}
        volumeMounts: [{name: settings, mountPath: /settings}, {name: key, mountPath: /key, readOnly: true}]
      volumes:
      - {name: settings, configMap: {name: settings}}
      - {name: key, secret: {secretName: key}}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {colour: blue, "notes.txt": "first\\nsecond\\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: key, labels: {app: web}}
stringData: {token: abc}
"""
WEB_CHANGED = WEB.replace("replicas: 2", "replicas: 3").replace("value: blue", "value: green")
LONE = """
apiVersion: v1
kind: Pod
metadata: {name: lone, labels: {app: lone}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "nginx:1.27"}]
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: nowhere, resources: {requests: {storage: 1Gi}}}
"""
PODS_QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: small}
spec: {hard: {pods: "1", "requests.cpu": 500m, "count/deployments.apps": "2"}}
"""
READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
- {apiGroups: [""], resources: [pods, pods/log, services], verbs: [get, list, watch]}
- {apiGroups: [apps], resources: [deployments], verbs: [get, list]}
- {apiGroups: [""], resources: [configmaps], resourceNames: [settings], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: carol}]
"""
QUEUES = """
apiVersion: scheduling.run.ai/v2
kind: Queue
metadata: {name: '{ns}-root'}
spec:
  resources: &free
    cpu: {quota: -1, limit: -1, overQuotaWeight: 1}
    memory: {quota: -1, limit: -1, overQuotaWeight: 1}
    gpu: {quota: -1, limit: -1, overQuotaWeight: 1}
---
apiVersion: scheduling.run.ai/v2
kind: Queue
metadata: {name: '{ns}'}
spec:
  parentQueue: '{ns}-root'
  resources:
    cpu: {quota: -1, limit: -1, overQuotaWeight: 1}
    memory: {quota: -1, limit: -1, overQuotaWeight: 1}
    gpu: {quota: 1, limit: 1, overQuotaWeight: 1}
""".replace("&free", "")


def model(namespace: str, *, copies: int = 1) -> str:
    """What the planner makes of the smallest real model, on a quarter of a card, weights on the node's disk."""
    facts = ClusterFacts(
        name="rig",
        version="v1.34.1",
        kai=True,
        gpu_sharing=True,
        region="",
        nodes=(node("gpu", memory_mib=81_559, free=(1.0,) * 4),),
        queues=(queue(namespace),),
        namespaces=(namespace,),
        storage_class="",
    )
    wish = ModelSpec(
        model=MODEL, cluster="rig", namespace=namespace, name="coder", queue=namespace, context=2048, copies=copies,
        share=Share(fraction=0.25), keep_weights=False,
    )  # fmt: skip
    found = plan(wish, msgspec.structs.replace(card(MODEL), tag=MODEL), facts)
    if found.refusals:
        raise AssertionError(found.refusals)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(found.manifests)})


def shared_pod(**notes: str) -> str:
    """A pod for KAI with these annotations, and a whole card beside them."""
    container = {"name": "main", "image": "nginx:1.27", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    if notes.pop("alone", ""):
        del container["resources"]
    meta = {
        "name": "shared",
        "labels": {"kai.scheduler/queue": "{ns}"},
        "annotations": {key.replace("_", "-"): value for key, value in notes.items()},
    }
    spec = {"schedulerName": "kai-scheduler", "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
