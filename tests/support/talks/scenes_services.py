# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""What `kubectl create`, `run`, `expose` and `set` make; services in their types; secrets in theirs."""

from __future__ import annotations

from talks.script import Scene, do, say

_SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: SPEC\n"
_SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: bad}\ntype: TYPE\ndata: DATA\n"


def _service(spec: str) -> str:
    return _SERVICE.replace("SPEC", spec)


def _secret(kind: str, data: str = "{}") -> str:
    return _SECRET.replace("TYPE", kind).replace("DATA", data)


_PATCH = "patch service plain --type=merge -p "
SERVICES = Scene(
    name="talk-services",
    leaves=("clusterrole/talk-reads", "clusterrolebinding/talk-reads", "storageclass/talk-slow", "pv/talk-volume"),
    lines=(
        say("service-plain", "create service clusterip plain --tcp=80:8080 --tcp=443:8443"),
        say("service-headless", "create service clusterip bare --clusterip=None"),
        say("service-headless-read", "get svc bare -o jsonpath='{.spec}'"),
        say("service-external", "create service externalname away --external-name=example.com"),
        say("service-external-read", "get svc away"),
        say("service-external-yaml", "get svc away -o jsonpath='{.spec}'"),
        say("service-balanced", "create service loadbalancer front --tcp=80:8080"),
        say("service-node-port", "create service nodeport open --tcp=80:8080 --node-port=31987"),
        say("service-node-port-taken", "create service nodeport again --tcp=80:8080 --node-port=31987"),
        say("service-node-port-low", "create service nodeport again --tcp=80:8080 --node-port=80"),
        say("service-types", "get svc -o custom-columns=N:.metadata.name,T:.spec.type,P:.spec.ports[*].port --sort-by=.metadata.name"),
        say("service-describe", "describe svc bare"),
        say("service-two-no-names", "create -f -", stdin=_service("{ports: [{port: 80}, {port: 81}]}")),
        say("service-same-names", "create -f -", stdin=_service("{ports: [{name: a, port: 80}, {name: a, port: 81}]}")),
        say("service-same-ports", "create -f -", stdin=_service("{ports: [{name: a, port: 80}, {name: b, port: 80}]}")),
        say("service-bad-protocol", "create -f -", stdin=_service("{ports: [{port: 80, protocol: ABC}]}")),
        say("service-bad-target", "create -f -", stdin=_service("{ports: [{port: 80, targetPort: Not_A_Name}]}")),
        say("service-bad-affinity", "create -f -", stdin=_service("{sessionAffinity: Always, ports: [{port: 80}]}")),
        say("service-bad-ip", "create -f -", stdin=_service("{clusterIP: here, ports: [{port: 80}]}")),
        say("service-ip-outside", "create -f -", stdin=_service("{clusterIP: 192.168.1.1, ports: [{port: 80}]}")),
        say("service-external-no-name", "create -f -", stdin=_service("{type: ExternalName}")),
        say("service-bad-policy", "create -f -", stdin=_service("{type: NodePort, externalTrafficPolicy: Far, ports: [{port: 80}]}")),
        say("service-to-node-port", _PATCH + "'{\"spec\":{\"type\":\"NodePort\"}}' -o jsonpath='{.spec.type} {.spec.externalTrafficPolicy}'"),
        say("service-to-cluster", _PATCH + "'{\"spec\":{\"type\":\"ClusterIP\"}}' -o jsonpath='{.spec.type} {.spec.ports}'"),
        say("service-affinity", _PATCH + "'{\"spec\":{\"sessionAffinity\":\"ClientIP\"}}' -o jsonpath='{.spec.sessionAffinityConfig}'"),
        say("service-to-external", _PATCH + "'{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"example.org\",\"clusterIP\":\"\",\"clusterIPs\":null}}' -o jsonpath='{.spec.type} {.spec.clusterIP}'"),
        say("run-options", "run runs --image=nginx:1.27 --env=COLOUR=red --labels=app=runs,tier=x --port=80 --restart=Never"),
        say("run-read", "get pod runs -o jsonpath='{.metadata.labels} {.spec.containers[0].env} {.spec.containers[0].ports} {.spec.restartPolicy}'"),
        say("run-expose", "run shown --image=nginx:1.27 --port=80 --expose"),
        say("run-command", "run told --image=busybox --restart=Never --dry-run=server -o jsonpath='{.spec.containers[0].command} {.spec.containers[0].args}' --command -- echo hello"),
        say("run-bad-name", "run Bad_Name --image=nginx:1.27"),
        say("run-bad-image", "run badly --image='not an image'"),
        say("expose-pod", "expose pod runs --port=8000 --target-port=80 --name=exposed-pod"),
        say("expose-node-port", "expose pod runs --type=NodePort --port=80 --name=opened"),
        say("expose-no-port", "expose svc bare --name=other"),
        say("expose-missing", "expose deployment nobody --port=80"),
        say("expose-again", "expose pod runs --port=80 --name=opened"),
        say("secret-literal", "create secret generic words --from-literal=a=1 --type=example.com/words"),
        say("secret-registry", "create secret docker-registry pulls --docker-server=registry.example --docker-username=me --docker-password=secret"),
        say("secret-registry-type", "get secret pulls -o jsonpath='{.type} {.data}'"),
        say("secret-table", "get secrets"),
        say("secret-type-fixed", "patch secret words --type=merge -p '{\"type\":\"Opaque\"}'"),
        say("secret-bad-registry", "create -f -", stdin=_secret("kubernetes.io/dockerconfigjson")),
        say("secret-bad-registry-json", "create -f -", stdin=_secret("kubernetes.io/dockerconfigjson", "{.dockerconfigjson: bm90IGpzb24=}")),
        say("secret-bad-tls", "create -f -", stdin=_secret("kubernetes.io/tls", "{tls.crt: YQ==}")),
        say("secret-bad-basic", "create -f -", stdin=_secret("kubernetes.io/basic-auth")),
        say("secret-bad-ssh", "create -f -", stdin=_secret("kubernetes.io/ssh-auth")),
        say("secret-account-token", "create -f -", stdin=_secret("kubernetes.io/service-account-token")),
        say("secret-immutable", "patch secret words -p '{\"immutable\":true}'"),
        say("secret-immutable-change", "patch secret words -p '{\"stringData\":{\"a\":\"2\"}}'"),
        say("secret-immutable-back", "patch secret words -p '{\"immutable\":false}'"),
        say("configmap-env", "create configmap env --from-env-file=/dev/stdin -o jsonpath='{.data}'", stdin="A=1\nB=two words\n"),
        say("configmap-file", "create configmap file --from-file=notes=/dev/stdin -o jsonpath='{.data}'", stdin="first\nsecond\n"),
        say("configmap-hash", "create configmap hashed --from-literal=a=1 --append-hash"),
        say("configmap-bad-literal", "create configmap bad --from-literal=a"),
        say("configmap-both", "create -f -", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {a: b}\nbinaryData: {a: Yg==}\n"),
        say("clusterrole", "create clusterrole talk-reads --verb=get,list --resource=pods,deployments.apps --resource-name=one"),
        say("clusterrole-url", "create clusterrole talk-urls --verb=get --non-resource-url='/logs/*' --dry-run=server -o jsonpath='{.rules}'"),
        say("clusterrole-unknown", "create clusterrole talk-none --verb=get --resource=gadgets"),
        say("clusterrole-binding", "create clusterrolebinding talk-reads --clusterrole=talk-reads --user=ivy --group=readers --serviceaccount={ns}:default"),
        say("clusterrole-read", "get clusterrole talk-reads -o jsonpath='{.rules}'"),
        say("clusterrole-binding-wide", "get clusterrolebinding talk-reads -o wide"),
        say("clusterrole-describe", "describe clusterrole talk-reads"),
        say("set-subject", "set subject clusterrolebinding talk-reads --user=jo"),
        say("role-unknown-verb", "create role odd --verb=colour --resource=pods"),
        do("create deployment web --image=nginx:1.27"),
        say("set-account", "set serviceaccount deployment web default"),
        say("set-env-from", "set env deployment/web --from=configmap/env"),
        say("set-image-all", "set image deployment/web '*=nginx:1.30'"),
        say("set-resources-bad", "set resources deployment/web --limits=cpu=100m --requests=cpu=200m"),
        say("set-image-dry", "set image deployment/web nginx=nginx:1.31 --dry-run=server -o jsonpath='{.spec.template.spec.containers[0].image}'"),
        say("storage-class", "create -f -", stdin="apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: talk-slow}\nprovisioner: example.com/slow\n"),
        say("storage-class-get", "get storageclass talk-slow"),
        say("storage-class-fixed", "patch storageclass talk-slow -p '{\"provisioner\":\"example.com/fast\"}'"),
        say("storage-class-bad", "create -f -", stdin="apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: talk-bad}\n"),
        say("volume", "create -f -", stdin="apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: talk-volume}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: talk-none, hostPath: {path: /tmp/talk}}\n"),
        say("volume-spec", "get pv talk-volume -o jsonpath='{.spec}'"),
        say("volume-bad", "create -f -", stdin="apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: talk-bad}\nspec: {accessModes: [ReadWriteOnce]}\n"),
        say("lease", "create -f -", stdin="apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: lead}\nspec: {holderIdentity: me, leaseDurationSeconds: 15}\n"),
        say("lease-get", "get lease lead"),
        say("lease-bad", "create -f -", stdin="apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: bad}\nspec: {leaseDurationSeconds: -1}\n"),
        say("account-token-secret", "create -f - -o jsonpath='{.type}'", stdin="apiVersion: v1\nkind: Secret\nmetadata: {name: robot, annotations: {kubernetes.io/service-account.name: default}}\ntype: kubernetes.io/service-account-token\n"),
        say("account-describe", "describe serviceaccount default"),
        say("endpoints-by-hand", "create -f -", stdin="apiVersion: v1\nkind: Endpoints\nmetadata: {name: away}\nsubsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]\n"),
        say("endpoints-bad-ip", "create -f -", stdin="apiVersion: v1\nkind: Endpoints\nmetadata: {name: bad}\nsubsets: [{addresses: [{ip: 127.0.0.1}], ports: [{port: 80}]}]\n"),
        say("slice-by-hand", "create -f -", stdin="apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: bare-1, labels: {kubernetes.io/service-name: bare}}\naddressType: IPv4\nendpoints: [{addresses: [192.0.2.2]}]\nports: [{name: web, port: 80}]\n"),
        say("slice-bad", "create -f -", stdin="apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: bad}\naddressType: IPv5\nendpoints: [{addresses: [192.0.2.2]}]\n"),
    ),
)  # fmt: skip
SCENES = (SERVICES,)
