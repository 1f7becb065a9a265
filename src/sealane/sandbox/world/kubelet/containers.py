"""A container as the kubelet holds it: its state over time, its log, and how its status reads in the API."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import hashlib
from collections.abc import Callable
from typing import Any

from sealane.sandbox.world.clock import stamp
from sealane.sandbox.world.kubelet import images
from sealane.sandbox.world.kubelet.logs import Log
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs.base import Use
from sealane.sandbox.world.shell.files import FileSystem

_BACKOFF_FIRST = 10.0
_BACKOFF_MOST = 300.0
_MESSAGE_LINES = 80


class Killed(Exception):
    """A program that was ended from outside: `reason` such as OOMKilled, with its exit code."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


@dataclasses.dataclass
class Container:
    """Mutable: the kubelet's own view of one container. `waiting` is (reason, message) while it does not run;
    `over` is set when the present run ends, so that open connections are cut; `told` is a signal that is waited for;
    `files` is what exec finds and leaves in the present run; `meter` is what its program says of its use;
    `started_up` is whether its startup probe has succeeded."""

    spec: Obj
    init: bool
    waiting: tuple[str, str] = ("PodInitializing", "")
    started_at: datetime.datetime | None = None
    ended: Obj | None = None
    last: Obj | None = None
    restarts: int = 0
    ready: bool = False
    log: Log | None = None
    previous: Log | None = None
    serial: int = 0
    over: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    told: asyncio.Future[int] | None = None
    files: FileSystem | None = None
    meter: Callable[[], Use] | None = None
    started_up: bool = True

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def image(self) -> str:
        return str(self.spec.get("image", ""))

    @property
    def running(self) -> bool:
        return self.started_at is not None and self.ended is None

    @property
    def succeeded(self) -> bool:
        return self.ended is not None and self.ended["exitCode"] == 0

    def start(self, now: datetime.datetime) -> Log:
        """It runs from now on, with a log of its own."""
        if self.ended is not None:
            self.last = self.ended
            self.restarts += 1
        self.serial += 1
        self.ended = None
        self.over = asyncio.Event()
        self.told, self.files, self.meter = None, None, None
        self.started_up = self.init or "startupProbe" not in self.spec
        self.started_at = now
        self.previous, self.log = self.log, Log()
        return self.log

    def end(self, now: datetime.datetime, *, code: int, reason: str = "", message: str = "") -> None:
        """It has ended."""
        started = self.started_at or now
        self.ended = {
            "exitCode": code,
            "reason": reason or ("Completed" if code == 0 else "Error"),
            "startedAt": stamp(started),
            "finishedAt": stamp(now),
            "containerID": self.identity,
        }
        if message:
            self.ended["message"] = message
        elif code and self.log is not None and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            self.ended["message"] = self.log.tail(_MESSAGE_LINES)
        self.ready = False
        self.over.set()
        if self.log is not None:
            self.log.close()

    def stop(self, code: int) -> None:
        """A signal to its process: whoever runs it ends it with this code."""
        if self.told is not None and not self.told.done():
            self.told.set_result(code)

    def back_off(self) -> float:
        """Seconds to wait before the next start: none the first time, then doubling from 10 to 300."""
        if self.restarts == 0:
            return 0.0
        return float(min(_BACKOFF_FIRST * 2.0 ** (self.restarts - 1), _BACKOFF_MOST))

    def hold(self, reason: str, message: str = "") -> None:
        """It waits now, for this reason; what ended before becomes its last state."""
        self.waiting = (reason, message)

    @property
    def identity(self) -> str:
        digest = hashlib.sha256(f"{id(self)}/{self.name}/{self.serial}".encode()).hexdigest()
        return f"containerd://{digest}"

    def status(self, *, backing_off: bool) -> Obj:
        """The entry of `containerStatuses`."""
        state: Obj
        last = self.last
        if backing_off or (self.started_at is None and self.ended is None):
            reason, message = self.waiting
            state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
            last = self.ended or self.last
        elif self.ended is not None:
            state = {"terminated": self.ended}
        else:
            state = {"running": {"startedAt": stamp(self.started_at or datetime.datetime.now(datetime.UTC))}}
        entry: dict[str, Any] = {
            "name": self.name,
            "image": images.full_name(self.image),
            "imageID": "",
            "ready": self.succeeded if self.init else self.ready,
            "restartCount": self.restarts,
            "started": self.running and not self.init and self.started_up,
            "state": state,
            "lastState": {"terminated": last} if last else {},
        }
        if self.serial:
            entry["containerID"] = self.identity
            entry["imageID"] = f"{images.full_name(self.image).rsplit(':', 1)[0]}@{images.digest(self.image)}"
        return entry
