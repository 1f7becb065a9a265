# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Errors: what the server says to mistakes, word for word."""

from __future__ import annotations

from talks import manifests
from talks.script import Scene, do, say

_DEPLOYMENT = manifests.WEB.split("---")[0]
_SERVICE = manifests.WEB.split("---")[1]
_STRICT = ("pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")


def _pod(**change: str) -> str:
    text = manifests.LONE
    for old, new in change.items():
        text = text.replace(old, new)
    return text


ERRORS = Scene(
    name="talk-errors",
    lines=(
        say("missing-pod", "get pod nobody"),
        say("missing-of-two", "get cm nobody kube-root-ca.crt"),
        say("missing-kind", "get gadgets"),
        say("missing-namespace", "get pods -n nowhere"),
        say("missing-namespace-create", "create configmap a -n nowhere"),
        say("missing-raw", "get --raw /apis/none/v1/things"),
        say("missing-logs", "logs nobody"),
        say("missing-delete", "delete deployment nobody"),
        say("bad-deployment-selector", "create -f -", stdin=_DEPLOYMENT.replace("matchLabels: {app: web}", "matchLabels: {app: other}")),
        say("bad-deployment-no-selector", "create -f -", stdin=_DEPLOYMENT.replace("  selector: {matchLabels: {app: web}}\n", "")),
        say("bad-deployment-no-template", "create -f -", stdin="apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: bare}\nspec: {selector: {matchLabels: {a: b}}}\n"),
        say("bad-deployment-replicas", "create -f -", stdin=_DEPLOYMENT.replace("replicas: 2", "replicas: -2")),
        say("bad-deployment-strategy", "create -f -", stdin=_DEPLOYMENT.replace("replicas: 2", "replicas: 2\n  strategy: {type: Sometimes}")),
        say("bad-pod-empty", "create -f -", stdin="apiVersion: v1\nkind: Pod\nmetadata: {name: empty}\nspec: {containers: []}\n"),
        say("bad-pod-no-image", "create -f -", stdin=_pod(**{', image: "nginx:1.27"': ""})),
        say("bad-pod-no-name", "create -f -", stdin=_pod(**{"name: main": "name: ''"})),
        say("bad-pod-name", "create -f -", stdin=_pod(**{"name: lone": "name: Lone_Pod"})),
        say("bad-container-name", "create -f -", stdin=_pod(**{"name: main": "name: Main_Part"})),
        say("bad-pod-twice", "create -f -", stdin=_pod(**{'{name: main, image: "nginx:1.27"}': '{name: a, image: "b"}, {name: a, image: "b"}'})),
        say("bad-port", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", ports: [{containerPort: 70000}]'})),
        say("bad-quantity", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", resources: {limits: {cpu: much}}'})),
        say("bad-limits", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", resources: {limits: {cpu: 1}, requests: {cpu: 2}}'})),
        say("bad-gpu-request", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", resources: {requests: {nvidia.com/gpu: 1}}'})),
        say("bad-gpu-parts", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", resources: {limits: {nvidia.com/gpu: 500m}}'})),
        say("bad-mount", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", volumeMounts: [{name: none, mountPath: /a}]'})),
        say("bad-restart", "create -f -", stdin=_pod(**{"containers:": "restartPolicy: Sometimes\n  containers:"})),
        say("bad-pull-policy", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", imagePullPolicy: Perhaps'})),
        say("bad-env", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", env: [{name: "a=b", value: c}]'})),
        say("bad-probe", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", readinessProbe: {periodSeconds: 5}'})),
        say("bad-service-ports", "create -f -", stdin=_SERVICE.replace("ports: [{port: 80, targetPort: http}]", "ports: []")),
        say("bad-service-port", "create -f -", stdin=_SERVICE.replace("port: 80", "port: 0")),
        say("bad-service-type", "create -f -", stdin=_SERVICE.replace("selector:", "type: Odd, selector:")),
        say("bad-service-name", "create -f -", stdin=_SERVICE.replace("name: web", "name: 9web")),
        say("bad-configmap-key", "create -f -", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {'not valid': b}\n"),
        say("bad-secret-data", "create -f -", stdin="apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {token: '%%%'}\n"),
        say("bad-label", "create -f -", stdin=_pod(**{"app: lone": "app: 'not valid'"})),
        say("bad-claim", "create -f -", stdin=manifests.CLAIM.replace("{requests: {storage: 1Gi}}", "{}")),
        say("bad-claim-mode", "create -f -", stdin=manifests.CLAIM.replace("ReadWriteOnce", "Never")),
        say("bad-account", "create -f -", stdin=_pod(**{"containers:": "serviceAccountName: nobody\n  containers:"})),
        say("bad-priority", "create -f -", stdin=_pod(**{"containers:": "priorityClassName: nobody\n  containers:"})),
        say("unknown-fields-strict", "create -f - --validate=strict", stdin=_DEPLOYMENT.replace("replicas:", "replica:").replace("image:", "imagee:")),
        say("wrong-namespace", "create -f -", stdin=_pod(**{"name: lone,": "name: lone, namespace: other,"})),
        do("create configmap taken"),
        say("changed-meanwhile", "replace -f -", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: taken, resourceVersion: '1'}\ndata: {a: b}\n"),
        say("uid-differs", "replace -f -", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: taken, uid: 00000000-0000-0000-0000-000000000000}\n"),
        say("top-pods", "top pods"),
        say("top-nodes", "top nodes"),
        say("exec-missing", "exec nobody -- true"),
        say("selector-broken", "get pods -l 'a in b'"),
        say("scale-configmap", "scale configmap taken --replicas=1"),
        say("rollout-configmap", "rollout status configmap/taken"),
        say("edit-status", "patch cm taken --subresource=status --type=merge -p '{}'"),
    ),
)  # fmt: skip
QUOTA = Scene(
    name="talk-quota",
    lines=(
        do("apply -f -", stdin=manifests.PODS_QUOTA),
        do("get quota small -o yaml", until="used:"),
        say("quota-not-said", "create -f -", stdin=_pod()),
        do("create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", resources: {requests: {cpu: 100m}}'})),
        do("get quota small", until="pods: 1/1"),
        say("quota-read", "get quota small"),
        say("quota-exceeded", "create -f -", stdin=_pod(**{"name: lone": "name: next", '"nginx:1.27"': '"nginx:1.27", resources: {requests: {cpu: 100m}}'})),
        say("quota-exceeded-two", "create -f -", stdin=_pod(**{"name: lone": "name: next", '"nginx:1.27"': '"nginx:1.27", resources: {requests: {cpu: 600m}}'})),
        do("create deployment over --image=nginx:1.27"),
        say("quota-in-status", "get deploy over -o jsonpath='{.status.conditions[?(@.type==\"ReplicaFailure\")].reason}'", until="."),
        say("quota-event", "get events --field-selector reason=FailedCreate -o jsonpath='{.items[0].type} {.items[0].reason}'", until="."),
        do("create deployment second --image=nginx:1.27"),
        say("quota-deployments", "create deployment third --image=nginx:1.27"),
        say("quota-describe", "describe quota small"),
    ),
)  # fmt: skip
STRICT = Scene(
    name="talk-strict",
    labels=_STRICT,
    lines=(
        say("strict-pod", "create -f -", stdin=_pod()),
        say("strict-privileged", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", securityContext: {privileged: true}'})),
        say("strict-host", "create -f -", stdin=_pod(**{"containers:": "hostNetwork: true\n  volumes: [{name: h, hostPath: {path: /}}]\n  containers:"})),
        say("strict-capabilities", "create -f -", stdin=_pod(**{'"nginx:1.27"': '"nginx:1.27", securityContext: {capabilities: {add: [SYS_ADMIN]}}'})),
        say("strict-deployment-warns", "create -f -", stdin=_DEPLOYMENT),
        say("strict-deployment-status", "get deploy web -o jsonpath='{.status.conditions[?(@.type==\"ReplicaFailure\")].message}'", until="forbidden"),
        say("strict-deployment-table", "get deploy web"),
        say("strict-dry", "run other --image=nginx:1.27 --dry-run=server"),
    ),
)  # fmt: skip
SCENES = (ERRORS, QUOTA, STRICT)
