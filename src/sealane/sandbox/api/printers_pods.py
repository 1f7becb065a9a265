"""What the STATUS, READY and RESTARTS columns say of a pod: the one printer with rules of its own.

The status is the phase, unless a container, an init container or the deletion has something more telling to say.
"""

from __future__ import annotations

from sealane.sandbox.api.values import Obj


def readiness(pod: Obj) -> tuple[int, int]:
    """`(ready containers, all containers)`, sidecars included."""
    status = pod.get("status") or {}
    sidecars = _sidecars(pod)
    total = len(pod["spec"].get("containers") or ()) + len(sidecars)
    statuses = [
        *(status.get("containerStatuses") or ()),
        *(item for item in status.get("initContainerStatuses") or () if item["name"] in sidecars),
    ]
    return sum(1 for item in statuses if item.get("ready")), total


def restarts(pod: Obj) -> tuple[int, str]:
    """How often containers were restarted, and when one last ended ("" for never)."""
    status = pod.get("status") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    ends = [((item.get("lastState") or {}).get("terminated") or {}).get("finishedAt", "") for item in statuses]
    return sum(int(item.get("restartCount", 0)) for item in statuses), max(ends, default="")


def state(pod: Obj) -> str:
    """The word in the STATUS column."""
    status = pod.get("status") or {}
    word = status.get("reason") or status.get("phase", "Pending")
    if _gated(status):
        word = "SchedulingGated"
    starting = _init_state(pod)
    word = starting or _container_state(status) or word
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _gated(status: Obj) -> bool:
    return any(
        item.get("type") == "PodScheduled" and item.get("reason") == "SchedulingGated"
        for item in status.get("conditions") or ()
    )


def _sidecars(pod: Obj) -> set[str]:
    init = pod["spec"].get("initContainers") or ()
    return {item["name"] for item in init if item.get("restartPolicy") == "Always"}


def _init_state(pod: Obj) -> str:
    status, sidecars = pod.get("status") or {}, _sidecars(pod)
    total = len(pod["spec"].get("initContainers") or ())
    for index, item in enumerate(status.get("initContainerStatuses") or ()):
        now = item.get("state") or {}
        ended, waiting = now.get("terminated"), now.get("waiting") or {}
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if item["name"] in sidecars and item.get("started"):
            continue
        if ended is not None:
            return f"Init:{ended.get('reason') or _exit(ended)}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return ""


def _container_state(status: Obj) -> str:
    word = ""
    running = False
    for item in reversed(status.get("containerStatuses") or ()):
        now = item.get("state") or {}
        waiting, ended = now.get("waiting") or {}, now.get("terminated")
        if waiting.get("reason"):
            word = waiting["reason"]
        elif ended is not None:
            word = ended.get("reason") or _exit(ended)
        elif item.get("ready") and now.get("running") is not None:
            running = True
    if word == "Completed" and running:
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
        return "Running" if ready else "NotReady"
    return word


def _exit(ended: Obj) -> str:
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"
