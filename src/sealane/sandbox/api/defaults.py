"""What the server fills in where an object is silent, so that every reader sees the same object.

Values are Kubernetes' own defaults. Quantities are rewritten to their canonical spelling here too, since a real server
does that when it reads them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from sealane.kube import quantities
from sealane.sandbox.api import errors, kinds, ownership
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj, clone

_MAY_BE_EMPTY: Final = frozenset({"rules", "endpoints", "subjects", "podSelector"})
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def fill(store: Store, kind: Kind, new: Obj, old: Obj | None) -> None:
    """Fill in defaults in place. Raises StatusError for a quantity that is none."""
    if kind.custom:
        described(new, store.shape_of(kind))
        return
    drop_empty(new, store.shape_of(kind))
    if old is None or old.get("spec") != new.get("spec"):
        canonical(new, ownership.shape_of(kind))
    filler = _FILLERS.get(kind.key)
    if filler is not None:
        filler(store, new, old)


def canonical(value: Any, node: Node) -> None:
    """Rewrite the quantities of an object in place. Raises StatusError for one that is none."""
    if isinstance(value, dict):
        for key, item in value.items():
            below = node.child(key)
            if below.type == "quantity" and item is not None:
                try:
                    value[key] = quantities.canonical(item)
                except quantities.BadQuantity as error:
                    raise errors.bad_request(quantities.SERVER_SENTENCE) from error
            elif below.type != "any":
                canonical(item, below)
    elif isinstance(value, list):
        for item in value:
            canonical(item, node.element)


def drop_empty(value: Any, node: Node) -> None:
    """Leave out empty lists and maps of built-in kinds, as Go's `omitempty` does."""
    if isinstance(value, dict):
        for key in list(value):
            below = node.child(key)
            if below.type == "any":
                continue
            empty = below.type in {"list", "map"} and not value[key] and key not in _MAY_BE_EMPTY
            if empty or value[key] is None:
                del value[key]
            else:
                drop_empty(value[key], below)
    elif isinstance(value, list):
        for item in value:
            drop_empty(item, node.element)


def described(value: Any, node: Node) -> None:
    """Fill in the defaults that a CRD's schema gives, in place."""
    if isinstance(value, dict):
        for key, below in node.fields.items():
            if key not in value and below.raw is not None and "default" in below.raw:
                value[key] = clone(below.raw["default"])
        for key, item in value.items():
            described(item, node.child(key))
    elif isinstance(value, list):
        for item in value:
            described(item, node.element)


def pod_spec(spec: Obj) -> None:
    """Defaults of a pod's spec, in a pod or in a template."""
    _default(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    _default(spec, schedulerName="default-scheduler")
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(key) or ():
            _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)


def _container(container: Obj) -> None:
    _default(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    image = str(container.get("image") or "")
    floating = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
    _default(container, imagePullPolicy="Always" if floating and "@" not in image else "IfNotPresent")
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        _default(port, protocol="TCP")
    for variable in container.get("env") or ():
        if not variable.get("value", "x"):
            del variable["value"]  # Go leaves out what is empty
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            _default(reference, apiVersion="v1")
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(key):
            _probe(container[key])


def _probe(probe: Obj) -> None:
    _default(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if probe.get("httpGet"):
        _default(probe["httpGet"], path="/", scheme="HTTP")


def _volume(volume: Obj) -> None:
    for key in ("secret", "configMap", "projected", "downwardAPI"):
        if volume.get(key):
            _default(volume[key], defaultMode=420)
    if len(volume) == 1:
        volume["emptyDir"] = {}
    if volume.get("hostPath"):
        _default(volume["hostPath"], type="")


def _pod(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.get("spec")
    if not isinstance(spec, dict):
        return
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for name, amount in (container["resources"].get("limits") or {}).items():
            container["resources"].setdefault("requests", {}).setdefault(name, amount)


def _template(spec: Obj) -> None:
    template = spec.get("template")
    if isinstance(template, dict):
        template.setdefault("metadata", {})
        if isinstance(template.get("spec"), dict):
            pod_spec(template["spec"])


def _deployment(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    _default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _default(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _replicaset(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, replicas=1)
    _template(spec)


def _statefulset(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    _default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _default(strategy.setdefault("rollingUpdate", {}), partition=0)
    _default(spec.setdefault("persistentVolumeClaimRetentionPolicy", {}), whenDeleted="Retain", whenScaled="Retain")
    _template(spec)


def _daemonset(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    notes = new["metadata"].get("annotations") or {}
    new["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "1"} | notes
    _default(spec, revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    _default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _default(strategy.setdefault("rollingUpdate", {}), maxUnavailable=1, maxSurge=0)
    _template(spec)


def _job(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(
        spec, backoffLimit=6, completionMode="NonIndexed", suspend=False, podReplacementPolicy="TerminatingOrFailed"
    )
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    _default(spec, parallelism=1, manualSelector=False)
    _template(spec)


def _cronjob(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    job = (spec.get("jobTemplate") or {}).get("spec")
    if isinstance(job, dict):
        _template(job)


def _service(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    else:
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports") or ():
        _default(port, protocol="TCP", targetPort=port.get("port"))
    if spec["type"] == "ExternalName":
        return
    _default(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        _default(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _default(spec, allocateLoadBalancerNodePorts=True)


def _claim(store: Store, new: Obj, old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, volumeMode="Filesystem")
    if old is None and spec.get("storageClassName") is None:
        default = _default_class(store)
        if default:
            spec["storageClassName"] = default


def _default_class(store: Store) -> str:
    for found in store.list(kinds.STORAGECLASSES):
        if (found["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
            return str(found["metadata"]["name"])
    return ""


def _secret(_store: Store, new: Obj, _old: Obj | None) -> None:
    _default(new, type="Opaque")
    for key, value in (new.pop("stringData", None) or {}).items():
        new.setdefault("data", {})[key] = base64.b64encode(str(value).encode()).decode()


def _autoscaler(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
    up, down = behavior.setdefault("scaleUp", {}), behavior.setdefault("scaleDown", {})
    _default(up, stabilizationWindowSeconds=0, selectPolicy="Max", policies=[pods, percent])
    _default(down, selectPolicy="Max", policies=[dict(percent)])


def _network_policy(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    for way in ("ingress", "egress"):
        for rule in spec.get(way) or ():
            for port in rule.get("ports") or ():
                _default(port, protocol="TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _binding(_store: Store, new: Obj, _old: Obj | None) -> None:
    _default(new.setdefault("roleRef", {}), apiGroup="rbac.authorization.k8s.io")
    for subject in new.get("subjects") or ():
        if subject.get("kind") in {"User", "Group"}:
            _default(subject, apiGroup="rbac.authorization.k8s.io")


def _limit_range(_store: Store, new: Obj, _old: Obj | None) -> None:
    """What a container gets where only a maximum or a minimum is said."""
    for item in (new.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = (item.get("max") or {}) | (item.get("default") or {})
        request = (item.get("min") or {}) | default | (item.get("defaultRequest") or {})
        for key, value in (("default", default), ("defaultRequest", request)):
            if value:
                item[key] = value


def _namespace(_store: Store, new: Obj, _old: Obj | None) -> None:
    labels = new["metadata"].get("labels") or {}
    new["metadata"]["labels"] = labels | {"kubernetes.io/metadata.name": new["metadata"]["name"]}


def _persistent_volume(_store: Store, new: Obj, _old: Obj | None) -> None:
    spec = new.setdefault("spec", {})
    _default(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    if isinstance(spec.get("hostPath"), dict):
        _default(spec["hostPath"], type="")


def _storage_class(_store: Store, new: Obj, _old: Obj | None) -> None:
    _default(new, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _priority_class(_store: Store, new: Obj, _old: Obj | None) -> None:
    _default(new, preemptionPolicy="PreemptLowerPriority")


def _custom_definition(_store: Store, new: Obj, _old: Obj | None) -> None:
    names = new.get("spec", {}).get("names") or {}
    if names.get("kind"):
        _default(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    new["spec"].setdefault("conversion", {"strategy": "None"})


def _slice(_store: Store, new: Obj, _old: Obj | None) -> None:
    for port in new.get("ports") or ():
        _default(port, name="", protocol="TCP")


_FILLERS: Final[dict[tuple[str, str], Callable[[Store, Obj, Obj | None], None]]] = {
    kinds.PODS.key: _pod,
    kinds.DEPLOYMENTS.key: _deployment,
    kinds.REPLICASETS.key: _replicaset,
    kinds.STATEFULSETS.key: _statefulset,
    kinds.DAEMONSETS.key: _daemonset,
    kinds.JOBS.key: _job,
    kinds.CRONJOBS.key: _cronjob,
    kinds.SERVICES.key: _service,
    kinds.PVCS.key: _claim,
    kinds.SECRETS.key: _secret,
    kinds.LIMITRANGES.key: _limit_range,
    kinds.HPAS.key: _autoscaler,
    kinds.ROLEBINDINGS.key: _binding,
    kinds.CLUSTERROLEBINDINGS.key: _binding,
    kinds.NETWORKPOLICIES.key: _network_policy,
    kinds.NAMESPACES.key: _namespace,
    kinds.STORAGECLASSES.key: _storage_class,
    kinds.PVS.key: _persistent_volume,
    kinds.PRIORITYCLASSES.key: _priority_class,
    kinds.CRDS.key: _custom_definition,
    kinds.ENDPOINTSLICES.key: _slice,
}


def _default(target: Obj, **values: Any) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value
