"""What a cluster refuses before it is stored: KAI's pod webhook, Pod Security, ResourceQuota.

Also fills in what the API server would have added to a pod (service account, default tolerations), so that pods look
the same whether a person or a controller made them. Texts are the real ones (KAI 0.12.0 as seen on the rig; Pod
Security and quota as the API server words them).
"""

from __future__ import annotations

from sealane.sandbox.world import limits, objects, quotas, security
from sealane.sandbox.world.cluster import GROUPS, AdmissionDenied, Cluster
from sealane.sandbox.world.ports import Obj

KAI_SCHEDULER = "kai-scheduler"
WEBHOOK = "admission.kai-scheduler.svc"  # as KAI's operator names it: after its service
FRACTION = "gpu-fraction"
GPU_MEMORY = "gpu-memory"
SHARED_CONFIGMAP = "runai/shared-gpu-configmap"
GPU = "nvidia.com/gpu"
TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"
_TEMPLATED = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets", "jobs"})


class Admission:
    """The admission chain of one cluster. `kai` says whether KAI's webhook is installed."""

    def __init__(self, cluster: Cluster, *, kai: bool) -> None:
        self._cluster = cluster
        self._kai = kai

    def __call__(self, verb: str, plural: str, obj: Obj) -> Obj:
        """The object as it may be stored (changed in place: give a copy). Raises AdmissionDenied."""
        if plural == "persistentvolumeclaims":
            self._limits(plural, obj)
        if verb.upper() != "CREATE":
            return obj
        if plural == "pods":
            complete_pod(obj, self._priority_of(obj))
            self._mount_account(obj)
            self._limits(plural, obj)
            if self._kai:
                self._mark_shared(obj)
            self._pod_security(obj)
            if self._kai:
                check_shares(obj)
        self._quota(plural, obj)
        return obj

    def warnings(self, plural: str, obj: Obj) -> list[str]:
        """What Pod Security says of a pod or a workload in a namespace whose `warn` label asks for it."""
        if plural != "pods" and plural not in _TEMPLATED:
            return []
        namespace = self._cluster.get("namespaces", "", obj["metadata"].get("namespace", ""))
        wanted = objects.labels(namespace).get("pod-security.kubernetes.io/warn", "") if namespace else ""
        problems = security.violations(obj if plural == "pods" else obj["spec"].get("template") or {}, wanted)
        return [f'would violate PodSecurity "{wanted}:latest": {", ".join(problems)}'] if problems else []

    def _priority_of(self, pod: Obj) -> int:
        name = pod["spec"].get("priorityClassName", "")
        if not name:
            return 0
        if name in {"system-node-critical", "system-cluster-critical"}:
            return 2000001000 if name == "system-node-critical" else 2000000000
        found = self._cluster.get("priorityclasses", "", name)
        if found is None:
            raise AdmissionDenied(f'pods "{_name(pod)}" is forbidden: no PriorityClass with name {name} was found')
        return int(found.get("value", 0))

    def _mount_account(self, pod: Obj) -> None:
        """The token of the pod's service account as a volume, unless pod or account do not want it."""
        spec = pod["spec"]
        namespace, name = pod["metadata"].get("namespace", ""), spec["serviceAccountName"]
        account = self._cluster.get("serviceaccounts", namespace, name)
        if account is None and name != "default":
            raise AdmissionDenied(
                f'pods "{_name(pod)}" is forbidden: error looking up service account {namespace}/{name}: '
                f'serviceaccount "{name}" not found'
            )
        wanted = spec.get("automountServiceAccountToken", (account or {}).get("automountServiceAccountToken", True))
        if wanted:
            mount_account(spec, f"kube-api-access-{self._cluster.suffix()}")

    def _limits(self, plural: str, obj: Obj) -> None:
        """Defaults and bounds of the namespace's LimitRanges."""
        ranges = self._cluster.list("limitranges", obj["metadata"].get("namespace", ""))
        if not ranges:
            return
        if plural == "pods":
            limits.fill(obj, ranges)
            found = limits.problems_of_pod(obj, ranges)
        else:
            found = limits.problems_of_claim(obj, ranges)
        if found:
            listed = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
            raise AdmissionDenied(f'{plural} "{_name(obj)}" is forbidden: {listed}')

    def _mark_shared(self, pod: Obj) -> None:
        notes = objects.notes(pod)
        if (FRACTION in notes or GPU_MEMORY in notes) and SHARED_CONFIGMAP not in notes:
            owner = objects.controller_of(pod)
            base = owner["name"] if owner else _name(pod)
            notes[SHARED_CONFIGMAP] = f"{base[:40]}-{self._cluster.suffix(7)}-shared-gpu"
            tell_share(pod["spec"], f"{notes[SHARED_CONFIGMAP]}-0")

    def _pod_security(self, pod: Obj) -> None:
        namespace = self._cluster.get("namespaces", "", pod["metadata"].get("namespace", ""))
        wanted = objects.labels(namespace).get("pod-security.kubernetes.io/enforce", "") if namespace else ""
        problems = security.violations(pod, wanted)
        if problems:
            raise AdmissionDenied(
                f'pods "{_name(pod)}" is forbidden: violates PodSecurity "{wanted}:latest": {", ".join(problems)}'
            )

    def _quota(self, plural: str, obj: Obj) -> None:
        namespace = obj["metadata"].get("namespace", "")
        if not namespace:
            return
        found = self._cluster.list("resourcequotas", namespace)
        if not found:
            return
        kind = self._cluster.kind(plural)
        group = str(getattr(kind, "group", GROUPS.get(plural, "")))
        asked = quotas.usage_of(plural, obj, group=group)
        for quota in found:
            if not quotas.is_about(quota, plural, obj):
                continue
            others = (one for one in self._cluster.list(plural, namespace) if quotas.is_about(quota, plural, one))
            used = objects.total(quotas.usage_of(plural, one, group=group) for one in others)
            why = quotas.refusal(quota, asked, used, pod=obj if plural == "pods" else None)
            if why:
                name = f"{plural}.{group}" if group else plural
                raise AdmissionDenied(f'{name} "{_name(obj)}" is forbidden: {why}')


def check_shares(pod: Obj) -> None:
    """KAI's rules for GPU shares, with its own words. Raises AdmissionDenied."""
    notes = objects.notes(pod)
    shared = FRACTION in notes or GPU_MEMORY in notes
    if not shared:
        return
    if _whole_gpus(pod):
        _refuse("cannot have both GPU fraction request and whole GPU resource request/limit")
    if FRACTION in notes and GPU_MEMORY in notes:
        _refuse("cannot request both GPU and GPU memory")
    if FRACTION in notes:
        try:
            fraction = float(notes[FRACTION])
        except ValueError:
            fraction = 0.0
        if not 0 < fraction < 1:
            _refuse("gpu-fraction annotation value must be a positive number smaller than 1.0")
    elif not notes[GPU_MEMORY].isdigit() or int(notes[GPU_MEMORY]) <= 0:
        _refuse("gpu-memory annotation value must be a positive integer greater than 0")


def complete_pod(pod: Obj, priority: int) -> None:
    """Add what the API server and its admission plugins add to every pod."""
    spec = pod["spec"]
    for field, value in (
        ("restartPolicy", "Always"),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
        ("serviceAccountName", "default"),
        ("terminationGracePeriodSeconds", 30),
        ("enableServiceLinks", True),
        ("preemptionPolicy", "PreemptLowerPriority"),
        ("priority", priority),
        ("securityContext", {}),
    ):
        spec.setdefault(field, value)
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(item.get("key") == key for item in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        _complete_container(container)


def tell_share(spec: Obj, name: str) -> None:
    """Let the first container learn its part of a card from the ConfigMaps `name` and `name`-evar, made at binding."""
    container = spec["containers"][0]
    variables = [
        {"name": key, "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}}
        for key in ("NVIDIA_VISIBLE_DEVICES", "RUNAI_NUM_OF_GPUS", "GPU_PORTION")
    ]
    container["env"] = [*(container.get("env") or ()), *variables]
    source = {"configMapRef": {"name": f"{name}-evar", "optional": False}}
    container["envFrom"] = [*(container.get("envFrom") or ()), source]
    volume = {"name": f"{name}-vol", "configMap": {"name": name, "defaultMode": 420}}
    spec["volumes"] = [*(spec.get("volumes") or ()), volume]


def mount_account(spec: Obj, volume: str) -> None:
    """Mount token, authority and namespace as `volume` into every container that has nothing at that path."""
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    bare = [item for item in containers if all(m["mountPath"] != TOKENS for m in item.get("volumeMounts") or ())]
    if not bare:
        return
    for container in bare:
        mount = {"name": volume, "readOnly": True, "mountPath": TOKENS}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    projected = {"defaultMode": 420, "sources": sources}
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": volume, "projected": projected}]


def _complete_container(container: Obj) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = str(container.get("image", ""))
    tagged = ":" in image.rsplit("/", 1)[-1]
    floating = not tagged or image.endswith(":latest")
    container.setdefault("imagePullPolicy", "Always" if floating else "IfNotPresent")
    resources = container["resources"]
    for name, amount in (resources.get("limits") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, amount)


def _whole_gpus(pod: Obj) -> bool:
    for container in (*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())):
        resources = container.get("resources") or {}
        if GPU in (resources.get("limits") or {}) or GPU in (resources.get("requests") or {}):
            return True
    return False


def _refuse(text: str) -> None:
    raise AdmissionDenied(f'admission webhook "{WEBHOOK}" denied the request: {text}')


def _name(obj: Obj) -> str:
    meta = obj["metadata"]
    return str(meta.get("name") or meta.get("generateName") or "")
