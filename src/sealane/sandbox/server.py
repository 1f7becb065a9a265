"""The sandbox as a whole: three clusters, their API servers, the world behind them, and their memory.

Start: certificates and tokens, snapshots, CRDs, the world's seeds, listeners, kubeconfig, then a line that says so.
The world (`sealane.sandbox.world`) plays kubelets, controllers and schedulers; without it the clusters are bare API
servers, which is all that many tests need.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sealane.sandbox import access, certificates, kai_crds
from sealane.sandbox.api import admission, crds, kinds, prepare
from sealane.sandbox.api.app import ApiServer
from sealane.sandbox.api.backends import NoLogs, NotListening, PodBackend
from sealane.sandbox.api.faults import Faults
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.users import Users
from sealane.sandbox.keeping import Keeper
from sealane.sandbox.listener import Listener
from sealane.sandbox.scenarios.endpoint import Scenarios
from sealane.sandbox.scenarios.faults import Place
from sealane.sandbox.scenarios.runner import Runner
from sealane.sandbox.streams.outcome import NoContainer

log = logging.getLogger(__name__)

CLUSTERS: Final = ("harbor-eu", "atlas-us", "bench")
WITH_KAI: Final = ("harbor-eu", "atlas-us")
_SETTLE_SECONDS: Final = 4.0
_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")


class FolderInUse(Exception):
    """Another sandbox works in this folder."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to start. `port_base` 0 keeps the ports of the last run, or takes free ones."""

    folder: Path
    speed: float = 1.0
    port_base: int = 0
    fresh: bool = False
    world: bool = True


class Sandbox:
    """A running sandbox. `apis` are its API servers by cluster."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stores = {name: Store() for name in CLUSTERS}
        self.apis: dict[str, ApiServer] = {}
        self.listeners: dict[str, Listener] = {}
        self.tokens: dict[str, str] = {}
        self.kubeconfig = settings.folder / "kubeconfig"
        self.world: Any = None
        self.scenarios: Runner | None = None
        self._keeper = Keeper(settings.folder, self.stores)

    async def start(self) -> None:
        """Bring everything up but the world's work. Raises PortTaken."""
        folder = self.settings.folder
        folder.mkdir(parents=True, exist_ok=True)
        self.tokens = access.tokens(folder)
        if self.settings.fresh:
            self._keeper.forget()
        self._keeper.load()
        for name, store in self.stores.items():
            crds.Shapes(store)
            prepare.install(store)
            _seed(name, store)
        for name, place in self._folders().items():
            certificates.ensure(place, name)
        self._build_world()
        for store in self.stores.values():
            access.seed_roles(store)
        await self._listen(self._ports())
        self._write_kubeconfigs()
        self._keeper.save()

    async def run(self) -> None:
        """Let the world work and snapshots be written, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run(), name="snapshots")
            if self.world is not None:
                group.create_task(self.world.run(), name="world")
            if self.scenarios is not None:
                group.create_task(self.scenarios.run(), name="scenarios")

    async def stop(self) -> None:
        """Heal what is broken, close the ports and write the snapshots."""
        await asyncio.gather(*(listener.stop() for listener in self.listeners.values()))
        self._keeper.save()

    async def settled(self) -> None:
        """Return once the world's seeds have come up while `run` works, or after some seconds in any case."""
        if self.world is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE_SECONDS):
                    await self.world.ready()

    def ready_line(self) -> str:
        """What is printed once all is up."""
        return msgspec.json.encode({"kubeconfig": str(self.kubeconfig), "clusters": list(CLUSTERS)}).decode()

    def _build_world(self) -> None:
        if self.settings.world:
            authorities = {name: (folder / certificates.CA).read_text() for name, folder in self._folders().items()}
            self.world = _world(self.stores, self.settings.speed, authorities)

    async def _listen(self, ports: Mapping[str, int]) -> None:
        by_token = {token: access.USERS[name] for name, token in self.tokens.items()}
        faults: dict[str, Faults] = {}
        folders = self._folders()
        for name, store in self.stores.items():
            backend: PodBackend = self.world.pods(name) if self.world is not None else Nothing()
            faults[name] = Faults(store, down=self._goes_down(name))
            api = ApiServer(
                name, store, users=Users(by_token), backend=backend, admit=admission.of(self.world, name),
                warn=admission.warner(self.world, name), faults=faults[name],
                measure=None if self.world is None else self.world.measure(name),
            )  # fmt: skip
            self.apis[name] = api
            self.listeners[name] = Listener(
                api, tls=certificates.server_context(folders[name]), port=ports.get(name, 0)
            )
            await self.listeners[name].start()
        for one in faults.values():
            one.peers = faults
        if self.world is not None:
            self._offer_scenarios(faults)

    def _offer_scenarios(self, faults: Mapping[str, Faults]) -> None:
        places = {
            name: Place(name, faults[name], self.world.clusters[name], self.listeners[name]) for name in self.stores
        }
        clock = next(iter(self.world.clusters.values())).cluster.clock
        self.scenarios = Runner(places, clock=clock)
        for api in self.apis.values():
            api.scenarios = Scenarios(self.scenarios, speed=self.settings.speed)

    def _folders(self) -> dict[str, Path]:
        return {name: self.settings.folder / "clusters" / name for name in CLUSTERS}

    def _goes_down(self, name: str) -> Callable[[float], Any]:
        async def down(seconds: float) -> None:
            await self.listeners[name].down(seconds)

        return down

    def _ports(self) -> dict[str, int]:
        if self.settings.port_base:
            return {name: self.settings.port_base + index for index, name in enumerate(CLUSTERS)}
        path = self.settings.folder / "ports.json"
        try:
            remembered = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except (OSError, msgspec.DecodeError):
            return {}
        return {name: port for name, port in remembered.items() if _is_free(port)}

    def _write_kubeconfigs(self) -> None:
        folder = self.settings.folder
        ports = {name: listener.port for name, listener in self.listeners.items()}
        folders = self._folders()
        for user, token in self.tokens.items():
            path = self.kubeconfig if user == "admin" else folder / f"kubeconfig-{user}"
            text = access.kubeconfig(ports, folders, user=user, token=token)
            access.write_private(path, text.encode())
        access.write_private(folder / "ports.json", msgspec.json.encode(ports))


class Nothing:
    """The backend of a cluster without a world: no logs, and nobody listens."""

    def logs(self, pod: dict[str, Any], **_options: Any) -> AsyncIterator[bytes]:
        """Raises NoLogs when it is read."""
        return self._none(pod)

    def proxy(self, pod: dict[str, Any], port: int) -> Any:
        """Raises NotListening."""
        address = (pod.get("status") or {}).get("podIP", "")
        raise NotListening(f"dial tcp {address}:{port}: connect: connection refused")

    def exec(self, pod: dict[str, Any], *, container: str, command: Sequence[str]) -> Any:
        """Raises NoContainer."""
        del pod, command
        raise NoContainer(f'container not found ("{container}")')

    def attach(self, pod: dict[str, Any], *, container: str) -> Any:
        """Raises NoContainer."""
        return self.exec(pod, container=container, command=())

    async def _none(self, pod: dict[str, Any]) -> AsyncIterator[bytes]:
        if pod:
            raise NoLogs(f"pod {pod['metadata']['name']} runs nothing here")
        yield b""


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder against a second sandbox. Raises FolderInUse."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(f"Another sandbox runs in {folder}.") from error
        file.write(str(os.getpid()))
        file.flush()
        yield


def _seed(name: str, store: Store) -> None:
    for namespace in _NAMESPACES:
        if store.get(kinds.NAMESPACES, "", namespace) is None:
            store.create(kinds.NAMESPACES, {"metadata": {"name": namespace}}, manager="kube-apiserver")
    if name in WITH_KAI:
        for crd in kai_crds.all_crds():
            if store.get(kinds.CRDS, "", crd["metadata"]["name"]) is None:
                store.create(kinds.CRDS, crd, manager="helm")


def _world(stores: Mapping[str, Store], speed: float, authorities: Mapping[str, str]) -> Any:
    try:
        world = importlib.import_module("sealane.sandbox.world")
        clock = importlib.import_module("sealane.sandbox.world.clock").SandboxClock(speed=speed)
    except ImportError as error:
        log.warning("The clusters are bare: there is no world behind them (%s).", error)
        return None
    return world.build(stores, clock, root_ca_of=authorities)


def _is_free(port: int) -> bool:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
