"""Startup, readiness and liveness probes of one run of a container.

Times, thresholds and kinds (httpGet, tcpSocket, exec) are honoured as the manifest says, with one liberty: until a
probe has succeeded for the first time it is tried every quarter of a second, so that tests do not wait out a period.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rig.api import JsonObject
from rig.kubelet.container import Container

_EAGER = 0.25  # seconds between tries before the first success

Execute = Callable[[Sequence[str], float], bool]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running container: its manifest, its pod's address, and a way to run a command in it (True: ended with 0)."""

    container: JsonObject
    address: str
    execute: Execute


@dataclass(frozen=True, kw_only=True)
class Care:
    """What to do with the answers: `state` is changed, then the rest is called. `restart` hears which probe failed."""

    state: Container
    changed: Callable[[], None]
    restart: Callable[[str], None]
    unready: Callable[[], None]


def start_probes(target: Target, care: Care, *, over: threading.Event) -> None:
    """Probe a run until `over`; without a probe a container counts as started, and as ready, at once."""
    startup = target.container.get("startupProbe")
    if startup is None:
        _after_start(target, care, over=over)
        return

    def change(holds: bool) -> None:
        if holds:
            _after_start(target, care, over=over)
        else:
            care.restart("startup")

    _thread(lambda: watch(Probe(spec=startup, target=target), over=over, on_change=change, first_only=True))


def _after_start(target: Target, care: Care, *, over: threading.Event) -> None:
    readiness, liveness = (target.container.get(kind) for kind in ("readinessProbe", "livenessProbe"))
    care.state.started = True
    care.state.ready = readiness is None
    care.changed()

    def ready(holds: bool) -> None:
        care.state.ready = holds
        if not holds:
            care.unready()
        care.changed()

    def alive(holds: bool) -> None:
        if not holds:
            care.restart("liveness")

    if readiness is not None:
        _thread(lambda: watch(Probe(spec=readiness, target=target), over=over, on_change=ready))
    if liveness is not None:
        _thread(lambda: watch(Probe(spec=liveness, target=target), over=over, on_change=alive))


def _thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="rig-probe", daemon=True).start()


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One probe of a running container."""

    spec: JsonObject
    target: Target

    def succeeds(self) -> bool:
        """Ask once; anything but a clear yes within timeoutSeconds is no."""
        limit = float(self.spec.get("timeoutSeconds", 1))
        try:
            if http_get := self.spec.get("httpGet"):
                return self._http(http_get, limit)
            if tcp := self.spec.get("tcpSocket"):
                socket.create_connection((self.target.address, self._port(tcp["port"])), timeout=limit).close()
                return True
            return self.target.execute(self.spec.get("exec", {}).get("command") or [], limit)
        except (OSError, http.client.HTTPException, subprocess.SubprocessError):
            return False

    def _http(self, wish: JsonObject, limit: float) -> bool:
        host = wish.get("host") or self.target.address
        connection = http.client.HTTPConnection(host, self._port(wish["port"]), timeout=limit)
        headers = {entry["name"]: entry["value"] for entry in wish.get("httpHeaders") or []}
        try:
            connection.request("GET", wish.get("path", "/"), headers=headers)
            return 200 <= connection.getresponse().status < 400
        finally:
            connection.close()

    def _port(self, wanted: int | str) -> int:
        for port in self.target.container.get("ports") or []:
            if port.get("name") == wanted:
                return int(port["containerPort"])
        return int(wanted)


def watch(probe: Probe, *, over: threading.Event, on_change: Callable[[bool], None], first_only: bool = False) -> None:
    """Probe until `over`; `on_change` hears True after successThreshold yeses, False after failureThreshold noes.

    `first_only` returns after the first change to True (startup probes).
    """
    spec = probe.spec
    period = float(spec.get("periodSeconds", 10))
    limits = {True: int(spec.get("successThreshold", 1)), False: int(spec.get("failureThreshold", 3))}
    streak, last, told, began = 0, False, None, time.monotonic()
    over.wait(float(spec.get("initialDelaySeconds", 0)))
    while not over.is_set():
        answer = probe.succeeds()
        streak = streak + 1 if answer == last else 1
        last = answer
        # while it starts, tries come faster than the manifest counts on: what it grants is time, not tries
        patience = limits[False] * period if told is None else 0.0
        enough = streak >= limits[answer] and (answer or time.monotonic() - began >= patience)
        if enough and answer is not told and not over.is_set():
            told = answer
            on_change(answer)
            if first_only and answer:
                return
        over.wait(period if told else min(_EAGER, period))
