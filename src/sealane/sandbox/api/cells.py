"""What stands in the cells of a table, kind by kind: from an object and the time to a row.

Words, order and roundings follow the server's own printers; a pod's status has rules of its own (`printers_pods`).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Final

from sealane.kube import selectors
from sealane.sandbox.api import printers_pods
from sealane.sandbox.api.values import Obj

NONE: Final = "<none>"
UNSET: Final = "<unset>"
UNKNOWN: Final = "<unknown>"


def age(text: str | None, now: datetime.datetime) -> str:
    """`3m12s` since a timestamp, in kubectl's spelling; `<unknown>` for none."""
    if not text:
        return UNKNOWN
    then = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return duration(int((now - then).total_seconds()))


def duration(seconds: int) -> str:
    """A span in at most two units, as kubectl's HumanDuration writes it."""
    if seconds < -1:
        return "<invalid>"
    if seconds < 60 * 2:
        return f"{max(0, seconds)}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 60 * 3:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def _name(obj: Obj) -> str:
    return str(obj["metadata"]["name"])


def _age(obj: Obj, now: datetime.datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _images(spec: Obj) -> tuple[str, str]:
    containers = spec.get("template", {}).get("spec", {}).get("containers") or ()
    return (
        ",".join(str(item.get("name", "")) for item in containers),
        ",".join(str(item.get("image", "")) for item in containers),
    )


def _selector(spec: Obj) -> str:
    return str(selectors.of_object(spec.get("selector"))) or NONE


def plain(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    return [_name(obj), _age(obj, now)]


def created_at(obj: Obj, _now: datetime.datetime) -> Sequence[Any]:
    return [_name(obj), obj["metadata"].get("creationTimestamp", "")]


def deployment(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [_name(obj), ready, *counts, _age(obj, now), *_images(spec), _selector(spec)]


def replicaset(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *counts, _age(obj, now), *_images(spec), _selector(spec)]


def statefulset(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [_name(obj), ready, _age(obj, now), *_images(spec)]


def daemonset(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    nodes = spec.get("template", {}).get("spec", {}).get("nodeSelector") or {}
    counts = [status.get(name, 0) for name in names]
    return [_name(obj), *counts, _labels(nodes), _age(obj, now), *_images(spec), _selector(spec)]


def job(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    kinds_of = {item["type"] for item in status.get("conditions") or () if item.get("status") == "True"}
    state = next((name for name in ("Complete", "Failed", "Suspended") if name in kinds_of), "Running")
    done = f"{status.get('succeeded', 0)}/{spec.get('completions') or 1}"
    started = status.get("startTime")
    ended = status.get("completionTime")
    end = datetime.datetime.fromisoformat(ended.replace("Z", "+00:00")) if ended else now
    return [
        _name(obj),
        state,
        done,
        age(started, end) if started else "",
        _age(obj, now),
        *_images(spec),
        _selector(spec),
    ]


def cronjob(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    last = status.get("lastScheduleTime")
    return [
        _name(obj), spec.get("schedule", ""), spec.get("timeZone") or NONE, str(bool(spec.get("suspend"))),
        len(status.get("active") or ()), age(last, now) if last else NONE, _age(obj, now),
        *_images((spec.get("jobTemplate") or {}).get("spec") or {}),
        _selector((spec.get("jobTemplate") or {}).get("spec") or {}),
    ]  # fmt: skip


def service(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec = obj["spec"]
    ports = ",".join(_port(item) for item in spec.get("ports") or ()) or NONE
    outside = ",".join(spec.get("externalIPs") or ()) or NONE
    if spec.get("type") == "LoadBalancer" and outside == NONE:
        ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        outside = ",".join(item.get("ip") or item.get("hostname", "") for item in ingress) or "<pending>"
    if spec.get("type") == "ExternalName":
        outside = spec.get("externalName", NONE)
    return [
        _name(obj), spec.get("type", "ClusterIP"), spec.get("clusterIP") or NONE, outside, ports, _age(obj, now),
        _labels(spec.get("selector") or {}),
    ]  # fmt: skip


def _port(port: Obj) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def namespace(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    return [_name(obj), (obj.get("status") or {}).get("phase", "Active"), _age(obj, now)]


def node(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status, labels = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"].get("labels") or {}
    ready = next((item["status"] for item in status.get("conditions") or () if item["type"] == "Ready"), "Unknown")
    state = {"True": "Ready", "False": "NotReady"}.get(ready, "NotReady" if ready == "Unknown" else "Unknown")
    state += ",SchedulingDisabled" if spec.get("unschedulable") else ""
    prefix = "node-role.kubernetes.io/"
    roles = sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))
    addresses = {item["type"]: item["address"] for item in status.get("addresses") or ()}
    info = status.get("nodeInfo") or {}
    wide = [info.get(key) or UNKNOWN for key in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    return [
        _name(obj), state, ",".join(roles) or NONE, _age(obj, now), info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE), addresses.get("ExternalIP", NONE), *wide,
    ]  # fmt: skip


def pvc(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    state = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "Pending")
    bound = bool(spec.get("volumeName"))
    capacity = (status.get("capacity") or {}).get("storage", "") if bound else ""
    modes = _modes(status.get("accessModes") or ()) if bound else ""
    return [
        _name(obj), state, spec.get("volumeName", ""), capacity, modes, spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName", UNSET), _age(obj, now), spec.get("volumeMode", "Filesystem"),
    ]  # fmt: skip


def pv(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    claim = spec.get("claimRef") or {}
    return [
        _name(obj), (spec.get("capacity") or {}).get("storage", ""), _modes(spec.get("accessModes") or ()),
        spec.get("persistentVolumeReclaimPolicy", ""), status.get("phase", "Available"),
        f"{claim.get('namespace', '')}/{claim['name']}" if claim else "", spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName", UNSET), status.get("reason", ""), _age(obj, now),
        spec.get("volumeMode", "Filesystem"),
    ]  # fmt: skip


def _modes(modes: Sequence[str]) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return ",".join(short.get(mode, mode) for mode in modes)


def storageclass(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    notes = obj["metadata"].get("annotations") or {}
    default = notes.get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        _name(obj) + (" (default)" if default else ""), obj["provisioner"], obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"), bool(obj.get("allowVolumeExpansion")), _age(obj, now),
    ]  # fmt: skip


def event(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    about, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or first
    where = ", ".join(
        item for item in (source.get("component") or obj.get("reportingComponent"), source.get("host")) if item
    )
    thing = f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
    return [
        age(last, now), obj.get("type", ""), obj.get("reason", ""), thing, about.get("fieldPath", ""), where,
        str(obj.get("message", "")).strip(), age(first, now), obj.get("count", 1), _name(obj),
    ]  # fmt: skip


def configmap(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    return [_name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), _age(obj, now)]


def secret(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    return [_name(obj), obj.get("type", "Opaque"), len(obj.get("data") or {}), _age(obj, now)]


def serviceaccount(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    return [_name(obj), len(obj.get("secrets") or ()), _age(obj, now)]


def quota(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    parts = [(name, f"{name}: {used.get(name, '0')}/{hard[name]}") for name in sorted(hard)]
    asks = ", ".join(text for name, text in parts if not name.startswith("limits."))
    limits = ", ".join(text for name, text in parts if name.startswith("limits."))
    return [_name(obj), asks, limits, _age(obj, now)]


def endpoints(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    places = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return [_name(obj), _few(places), _age(obj, now)]


def endpoint_slice(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
    places = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [_name(obj), obj.get("addressType", ""), _few(ports), _few(places), _age(obj, now)]


def _few(items: Sequence[str]) -> str:
    if not items:
        return NONE
    return ",".join(items[:3]) + (f" + {len(items) - 3} more..." if len(items) > 3 else "")


def priority(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    policy = obj.get("preemptionPolicy", "PreemptLowerPriority")
    return [_name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), _age(obj, now), policy]


def binding(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    role = obj.get("roleRef") or {}
    who: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        name = subject.get("name", "")
        account = subject.get("kind") == "ServiceAccount"
        who.setdefault(subject.get("kind", ""), []).append(
            f"{subject.get('namespace', '')}/{name}" if account else name
        )
    wide = [", ".join(who[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [_name(obj), f"{role.get('kind', '')}/{role.get('name', '')}", _age(obj, now), *wide]


def lease(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), _age(obj, now)]


def budget(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec = obj.get("spec") or {}
    least, most = spec.get("minAvailable", "N/A"), spec.get("maxUnavailable", "N/A")
    return [_name(obj), str(least), str(most), (obj.get("status") or {}).get("disruptionsAllowed", 0), _age(obj, now)]


def ingress(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec = obj.get("spec") or {}
    hosts = ",".join(rule.get("host", "*") for rule in spec.get("rules") or ()) or "*"
    ports = "80, 443" if spec.get("tls") else "80"
    return [_name(obj), spec.get("ingressClassName", NONE), hosts, "", ports, _age(obj, now)]


def network_policy(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    selector = {"selector": (obj.get("spec") or {}).get("podSelector")}
    return [_name(obj), _selector(selector), _age(obj, now)]


def revision(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    owners = [item for item in obj["metadata"].get("ownerReferences") or () if item.get("controller")]
    names = {"StatefulSet": "statefulset.apps", "DaemonSet": "daemonset.apps"}
    owner = f"{names.get(owners[0]['kind'], owners[0]['kind'].lower())}/{owners[0]['name']}" if owners else NONE
    return [_name(obj), owner, obj.get("revision", 0), _age(obj, now)]


def autoscaler(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    reference = spec.get("scaleTargetRef") or {}
    measured = status.get("currentMetrics") or ()
    targets = [_target(item, measured) for item in spec.get("metrics") or ()]
    return [
        _name(obj), f"{reference.get('kind', '')}/{reference.get('name', '')}", _few_targets(targets),
        str(spec.get("minReplicas", UNSET)), str(spec.get("maxReplicas", "")), status.get("currentReplicas", 0),
        _age(obj, now),
    ]  # fmt: skip


def _few_targets(targets: Sequence[str]) -> str:
    if not targets:
        return NONE
    return ", ".join(targets[:2]) + (f" + {len(targets) - 2} more..." if len(targets) > 2 else "")


def _target(metric: Obj, measured: Sequence[Obj]) -> str:
    """`cpu: 12%/70%`, or `<unknown>` for what was not measured yet."""
    field = "containerResource" if metric.get("type") == "ContainerResource" else "resource"
    source = metric.get(field)
    if not source:
        return f"{UNKNOWN}/{UNKNOWN}"
    wanted, name = source.get("target") or {}, source.get("name")
    found: Obj = next((item[field] for item in measured if (item.get(field) or {}).get("name") == name), {})
    current = found.get("current") or {}
    if wanted.get("averageUtilization") is not None:
        now = f"{current['averageUtilization']}%" if "averageUtilization" in current else UNKNOWN
        return f"{name}: {now}/{wanted['averageUtilization']}%"
    return f"{name}: {current.get('averageValue', UNKNOWN)}/{wanted.get('averageValue', '')}"


def _labels(labels: Obj) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


def pod(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    ready, total = printers_pods.readiness(obj)
    restarts, last = printers_pods.restarts(obj)
    shown = f"{restarts} ({age(last, now)} ago)" if restarts and last else str(restarts)
    return [
        _name(obj), f"{ready}/{total}", printers_pods.state(obj), shown, _age(obj, now), status.get("podIP") or NONE,
        spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE, NONE,
    ]  # fmt: skip
