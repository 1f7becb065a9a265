"""The status of a pod from the states of its containers: phase and conditions by the kubelet's rules. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sealane.sandbox.world import objects
from sealane.sandbox.world.kubelet.containers import Container
from sealane.sandbox.world.ports import Obj


def write(
    pod: Obj,
    *,
    containers: Sequence[Container],
    backing_off: frozenset[str],
    ip: str,
    host_ip: str,
    now: str,
) -> None:
    """Write phase, conditions, addresses and container statuses into `pod`."""
    status = pod.setdefault("status", {})
    init = [item for item in containers if item.init]
    main = [item for item in containers if not item.init]
    initialized = all(item.succeeded or _sidecar(item) for item in init)
    status["phase"] = phase(containers, restart=pod["spec"].get("restartPolicy", "Always"), backing_off=backing_off)
    status.setdefault("startTime", now)
    status["hostIP"], status["hostIPs"] = host_ip, [{"ip": host_ip}]
    if ip:
        status["podIP"], status["podIPs"] = ip, [{"ip": ip}]
    status["qosClass"] = _quality(pod)
    if init:
        status["initContainerStatuses"] = [item.status(backing_off=item.name in backing_off) for item in init]
    status["containerStatuses"] = [item.status(backing_off=item.name in backing_off) for item in main]
    _conditions(pod, main, init=init, initialized=initialized, ip=ip, now=now)


def phase(containers: Sequence[Container], *, restart: str, backing_off: frozenset[str]) -> str:
    """Pending until all init containers are through and one main container has started; then by how they ended."""
    init = [item for item in containers if item.init]
    main = [item for item in containers if not item.init]
    if restart == "Never" and any(item.ended and not item.succeeded for item in init):
        return "Failed"
    if not all(item.succeeded or _sidecar(item) for item in init):
        return "Pending"
    if all(item.serial == 0 for item in main):
        return "Pending"
    if restart != "Always" and all(item.ended and item.name not in backing_off for item in main):
        if all(item.succeeded for item in main):
            return "Succeeded"
        if restart == "Never":
            return "Failed"
    return "Running"


def _conditions(
    pod: Obj, main: Sequence[Container], *, init: Sequence[Container], initialized: bool, ip: str, now: str
) -> None:
    unready = [item.name for item in main if not item.ready]
    finished = pod["status"]["phase"] in objects.FINISHED
    objects.set_condition(pod, "PodReadyToStartContainers", "True" if ip and not finished else "False", now=now)
    if initialized:
        words = {"reason": "PodCompleted"} if pod["status"]["phase"] == "Succeeded" else {}
        objects.set_condition(pod, "Initialized", "True", now=now, **words)
    else:
        names = " ".join(item.name for item in init if not item.succeeded and not _sidecar(item))
        text = f"containers with incomplete status: [{names}]"
        objects.set_condition(pod, "Initialized", "False", now=now, reason="ContainersNotInitialized", message=text)
    for kind in ("Ready", "ContainersReady"):
        if not unready:
            objects.set_condition(pod, kind, "True", now=now)
        elif pod["status"]["phase"] == "Succeeded":
            objects.set_condition(pod, kind, "False", now=now, reason="PodCompleted")
        else:
            text = f"containers with unready status: [{' '.join(unready)}]"
            objects.set_condition(pod, kind, "False", now=now, reason="ContainersNotReady", message=text)


def _sidecar(container: Container) -> bool:
    return container.init and container.spec.get("restartPolicy") == "Always" and container.running


def _quality(pod: Obj) -> str:
    """QoS class: Guaranteed when cpu and memory requests equal limits everywhere, BestEffort when there are none."""
    containers = pod["spec"].get("containers") or ()
    resources = [item.get("resources") or {} for item in containers]
    named = [
        {key: value for key, value in (item.get(part) or {}).items() if key in {"cpu", "memory"}}
        for item in resources
        for part in ("requests", "limits")
    ]
    if not any(named):
        return "BestEffort"
    same = all(
        (item.get("limits") or {}).get(key) is not None
        and (item.get("requests") or item["limits"]).get(key) == item["limits"][key]
        for item in resources
        for key in ("cpu", "memory")
    )
    return "Guaranteed" if same else "Burstable"
