"""What is known of one container of a pod, and how the API server is told.

Plain state and pure functions: the worker changes it, `pod_status` turns it into the `.status` that the API server
stores. Conditions keep the time of their last change, which readers compute "since when" from.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rig.api import JsonObject
from rig.kubelet.logs import Log, Wish
from rig.nodes import stamp


@dataclass
class Container:
    """One container: its part of the manifest, and what became of it."""

    spec: JsonObject
    state: JsonObject = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last: JsonObject = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    logs: list[Log] = field(default_factory=list)
    began: str = ""
    _ended: JsonObject = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The container's name in the manifest."""
        return str(self.spec["name"])

    @property
    def exit_code(self) -> int | None:
        """The code of the last end, None when it never ended or runs again."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    @property
    def has_run(self) -> bool:
        """Whether its process was ever started."""
        return bool(self.began)

    def wait(self, reason: str, message: str = "") -> None:
        """Not running, for a reason; how it ended last, if it did, becomes the past."""
        self.last = self._ended
        self.state = {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}
        self.ready = self.started = False

    def run(self) -> None:
        """Its process has been started."""
        self.last = self._ended
        self.began = stamp()
        self.state = {"running": {"startedAt": self.began}}

    def end(self, code: int) -> None:
        """Its process has ended. A negative code is a signal, as subprocess gives it; shells say 128 + signal."""
        code = 128 - code if code < 0 else code
        reason = "Completed" if code == 0 else "Error"
        ended = {"exitCode": code, "reason": reason, "startedAt": self.began, "finishedAt": stamp()}
        words = self._last_words() if code else ""
        if words:
            ended["message"] = words
        self.state = self._ended = {"terminated": ended}
        self.ready = self.started = False

    def _last_words(self) -> str:
        """The end of its log, where the manifest asks for it: at most 80 lines and 2048 bytes, as a kubelet keeps."""
        if self.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError" or not self.logs:
            return ""
        return b"".join(self.logs[-1].read(Wish(tail=80)))[-2048:].decode(errors="replace")

    def status(self, uid: str) -> JsonObject:
        """Its entry of containerStatuses."""
        image = self.spec["image"]
        return {
            "name": self.name,
            "image": image,
            "imageID": image if self.has_run else "",
            "containerID": f"rig://{uid}/{self.name}/{self.restarts}" if self.has_run else "",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }


class Conditions:
    """A pod's conditions with the time of their last change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def update(self, wanted: Mapping[str, bool]) -> list[JsonObject]:
        """The conditions as the API has them."""
        with self._lock:
            for kind, holds in wanted.items():
                status = "True" if holds else "False"
                if self._known.get(kind, ("", ""))[0] != status:
                    self._known[kind] = (status, stamp())
            return [
                {"type": kind, "status": status, "lastTransitionTime": since}
                for kind, (status, since) in self._known.items()
            ]


def phase(inits: Sequence[Container], mains: Sequence[Container], *, policy: str) -> str:
    """Pending, Running, Succeeded or Failed; `policy` is the pod's restartPolicy."""
    if policy == "Never" and any(c.exit_code not in (None, 0) for c in inits):
        return "Failed"
    codes = [c.exit_code for c in mains]
    if policy != "Always" and mains and all(code is not None for code in codes):
        if all(code == 0 for code in codes):
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    return "Running" if any(c.has_run for c in mains) else "Pending"


def pod_status(
    pod: JsonObject,
    *,
    inits: Sequence[Container],
    mains: Sequence[Container],
    conditions: Conditions,
    node_address: str,
    address: str,
    began: str,
) -> JsonObject:
    """The whole `.status` of a pod; `address` is "" as long as it has none."""
    uid = pod["metadata"]["uid"]
    policy = pod["spec"].get("restartPolicy", "Always")
    ready = all(c.ready for c in mains)
    status: JsonObject = {
        "phase": phase(inits, mains, policy=policy),
        "hostIP": node_address,
        "hostIPs": [{"ip": node_address}],
        "startTime": began,
        "containerStatuses": [c.status(uid) for c in mains],
        "conditions": conditions.update(
            {
                "PodScheduled": True,
                "PodReadyToStartContainers": bool(address),
                "Initialized": all(_is_done(c) for c in inits),
                "ContainersReady": ready,
                "Ready": ready,
            }
        ),
    }
    if inits:
        status["initContainerStatuses"] = [c.status(uid) for c in inits]
    if address:
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    return status


def _is_done(container: Container) -> bool:
    """An init container is done when it ended well; one that restarts always (a sidecar), when it has started."""
    if container.spec.get("restartPolicy") == "Always":
        return container.started
    return container.exit_code == 0
