"""Startup, liveness and readiness: asks a container's program as its probes say, and does what a kubelet does then.

HTTP probes are real requests to the simulated program, TCP and gRPC ones ask whether the port is there, commands are
read for how they end. A program without any port is taken to answer on all of them: nothing is known of it. The
annotation `sandbox.sealane.dev/failing-probes` on a pod ("liveness,readiness,startup") makes probes fail while it is
there, so that a person can see a container restarted and backing off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from sealane.sandbox.world import objects
from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.kubelet.connections import Listening
from sealane.sandbox.world.kubelet.containers import Container
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs import generic

FAILING: Final = "sandbox.sealane.dev/failing-probes"
KILLED: Final = 137
_IMPATIENT = 1.0  # a container that is not ready yet is looked at more often than its period


class Prober:
    """The probes of one run of a container. `pod` is the pod as it is now, `tell(reason, message, warning)` writes an
    event, `publish` the pod's status; `is_warm`: everything has succeeded already."""

    def __init__(
        self,
        container: Container,
        *,
        clock: SandboxClock,
        pod: Callable[[], Obj],
        ip: str,
        listeners: Mapping[int, Listening],
        tell: Callable[[str, str, bool], None],
        publish: Callable[[], None],
        is_warm: bool,
    ) -> None:
        self._container = container
        self._clock = clock
        self._pod = pod
        self._ip = ip
        self._listeners = listeners
        self._tell = tell
        self._publish = publish
        self._is_warm = is_warm

    async def run(self) -> None:
        """Until it is cancelled, or the container is killed for a probe."""
        if self._container.init:
            return
        if "startupProbe" in self._container.spec and not self._is_warm:
            await self._start_up(self._container.spec["startupProbe"])
        async with asyncio.TaskGroup() as group:
            for kind in ("readiness", "liveness"):
                probe = self._container.spec.get(f"{kind}Probe")
                if probe:
                    follow = self._be_ready if kind == "readiness" else self._stay_alive
                    group.create_task(follow(probe), name=f"{kind} of {self._container.name}")

    async def _start_up(self, probe: Obj) -> None:
        await self._clock.sleep(float(probe.get("initialDelaySeconds", 0)))
        failures = 0
        while problem := await self._try(probe, "startup"):
            failures += 1
            self._tell("Unhealthy", f"Startup probe failed: {problem}", True)
            if failures >= int(probe.get("failureThreshold", 3)):
                self._kill("startup")
                await asyncio.Event().wait()
            await self._clock.sleep(float(probe.get("periodSeconds", 10)))
        self._container.started_up = True
        if "readinessProbe" not in self._container.spec:
            self._container.ready = True
        self._publish()

    async def _be_ready(self, probe: Obj) -> None:
        if not self._is_warm:
            await self._clock.sleep(float(probe.get("initialDelaySeconds", 0)))
        period = float(probe.get("periodSeconds", 10))
        failures, successes, silent_since = 0, 0, self._clock.monotonic()
        while True:
            problem = await self._try(probe, "readiness")
            failures, successes = (failures + 1, 0) if problem else (0, successes + 1)
            now = self._clock.monotonic()
            if problem and now - silent_since >= period:
                self._tell("Unhealthy", f"Readiness probe failed: {problem}", True)
                silent_since = now
            if not self._container.ready and successes >= int(probe.get("successThreshold", 1)):
                self._turn(is_ready=True)
            elif self._container.ready and failures >= int(probe.get("failureThreshold", 3)):
                self._turn(is_ready=False)
            await self._clock.sleep(period if self._container.ready else min(_IMPATIENT, period))

    async def _stay_alive(self, probe: Obj) -> None:
        await self._clock.sleep(float(probe.get("initialDelaySeconds", 0)))
        period, failures = float(probe.get("periodSeconds", 10)), 0
        while True:
            await self._clock.sleep(period)
            problem = await self._try(probe, "liveness")
            failures = failures + 1 if problem else 0
            if problem:
                self._tell("Unhealthy", f"Liveness probe failed: {problem}", True)
            if failures >= int(probe.get("failureThreshold", 3)):
                self._kill("liveness")
                return

    def _turn(self, *, is_ready: bool) -> None:
        self._container.ready = is_ready
        self._publish()

    def _kill(self, kind: str) -> None:
        text = f"Container {self._container.name} failed {kind} probe, will be restarted"
        self._tell("Killing", text, False)
        self._container.stop(KILLED)

    async def _try(self, probe: Obj, kind: str) -> str:
        """What is wrong, "" when the probe succeeds."""
        if kind in objects.notes(self._pod()).get(FAILING, "").split(","):
            return "command timed out" if "exec" in probe else "HTTP probe failed with statuscode: 503"
        if "exec" in probe:
            command = " ".join(str(part) for part in probe["exec"].get("command") or ())
            return f"command failed with exit code {code}" if (code := generic.exit_code(command)) else ""
        request = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
        port = self._port(request.get("port"))
        listening = self._listeners.get(port)
        if listening is None or listening.over.is_set():
            return self._refused(probe, port) if self._is_known() else ""
        return await self._get(probe, listening) if "httpGet" in probe else ""

    def _is_known(self) -> bool:
        """Whether the ports of the program are known: it listens somewhere, or says that it will."""
        return bool(self._listeners) or bool(self._container.spec.get("ports"))

    def _refused(self, probe: Obj, port: int) -> str:
        refused = f"dial tcp {self._ip}:{port}: connect: connection refused"
        path = (probe.get("httpGet") or {}).get("path", "/")
        return f'Get "http://{self._ip}:{port}{path}": {refused}' if "httpGet" in probe else refused

    def _port(self, port: Any) -> int:
        if isinstance(port, int):
            return port
        named = {item.get("name"): item["containerPort"] for item in self._container.spec.get("ports") or ()}
        return int(named.get(port, 0))

    async def _get(self, probe: Obj, listening: Listening) -> str:
        """GET of the probe's path, within its timeout."""
        path, _, query = str(probe["httpGet"].get("path") or "/").partition("?")
        request = asyncio.create_task(_status(listening, path, query), name="probe")
        limit = asyncio.create_task(self._clock.sleep(float(probe.get("timeoutSeconds", 1))), name="limit of a probe")
        try:
            await asyncio.wait({request, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                where = f"http://{self._ip}:{self._port(probe['httpGet'].get('port'))}{path}"
                return f'Get "{where}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
            status = request.result()
            return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
        finally:
            limit.cancel()
            request.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({request, limit})


async def _status(listening: Listening, path: str, query: str) -> int:
    """The status of a GET; 500 for a program that breaks."""
    found = 500

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal found
        if message["type"] == "http.response.start":
            found = int(message["status"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"user-agent", b"kube-probe/1.34")], "server": ("pod", 80), "client": ("node", 1),
    }  # fmt: skip
    await listening.app(scope, receive, send)
    return found
