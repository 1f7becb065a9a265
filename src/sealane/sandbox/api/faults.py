"""Things that go wrong on purpose: slow answers, refusals, cut watches, forgotten history, a server that is gone.

Faults are data, set over `/sealane-sandbox/faults[/CLUSTER]` by who may do everything: GET shows them, POST sets them
(`{"latency": seconds, "too_many_requests": n, "retry_after": seconds, "match": "path part"}`, each until set back) or
does one thing now: `{"cut": true}` breaks all watches, `{"compact": true}` forgets history, `{"down": seconds}` stops
listening for a while.

Scenarios (`sealane.sandbox.scenarios`) lay settings of their own over these, one each, and take them away again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from sealane.sandbox.api import errors
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.rbac import Ask
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.users import unauthorized
from sealane.sandbox.api.wire import Reply, Request, as_json


class Withheld(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rights that nobody has for a while: these verbs on these resources (`pods/log`), in one namespace or in all."""

    verbs: tuple[str, ...] = ("*",)
    resources: tuple[str, ...]
    namespace: str = ""

    def covers(self, ask: Ask) -> bool:
        """Whether the question is about a right that is withheld. Who lacks it in one namespace lacks it for all."""
        return (
            not ask.path
            and ("*" in self.verbs or ask.verb in self.verbs)
            and ask.full_resource in self.resources
            and (not self.namespace or ask.namespace in {"", self.namespace})
        )


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is switched on. `too_many_requests` counts down with each refusal; `match` narrows these to some paths.

    `unauthorized` lets in no credentials at all; `hangs` answers nothing until it is taken away.
    """

    latency: float = 0.0
    too_many_requests: int = 0
    retry_after: int = 1
    match: str = ""
    unauthorized: bool = False
    hangs: bool = False


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What is done once."""

    cut: bool = False
    compact: bool = False
    down: float = 0.0


class Faults:
    """Faults of one cluster. `down` stops its listener for some seconds; the others are known by name."""

    def __init__(self, store: Store, *, down: Callable[[float], Awaitable[None]] | None = None) -> None:
        self.setting = Setting()
        self.peers: dict[str, Faults] = {}
        self._store = store
        self._down = down
        self._cuts = 0
        self._layers: list[Setting] = []
        self._moved = asyncio.Event()

    def lay(self, setting: Setting) -> None:
        """Lay a setting over what is there."""
        self._layers.append(setting)

    def lift(self, setting: Setting) -> None:
        """Take a setting away again; requests that hang go on."""
        if setting in self._layers:
            self._layers.remove(setting)
        self._moved.set()
        self._moved = asyncio.Event()

    def withhold(self, withheld: Withheld) -> Callable[[Ask], bool]:
        """Take rights from everybody; `give_back` takes what is returned."""
        covers = withheld.covers
        self._store.withheld.append(covers)
        return covers

    def give_back(self, covers: Callable[[Ask], bool]) -> None:
        """Give back rights that were withheld."""
        self._store.withheld.remove(covers)

    async def meet(self, path: str) -> None:
        """What a request meets on its way in. Raises StatusError (401, 429)."""
        for layer in tuple(self._layers):
            await self._meet(layer, path)
        now = self.setting
        if now.too_many_requests > 0 and now.match in path:
            self.setting = msgspec.structs.replace(now, too_many_requests=now.too_many_requests - 1)
        await self._meet(now, path)

    async def _meet(self, now: Setting, path: str) -> None:
        if now.match and now.match not in path:
            return
        if now.latency > 0:
            await asyncio.sleep(now.latency)
        if now.hangs:
            await self._moved.wait()
        if now.unauthorized:
            raise unauthorized()
        if now.too_many_requests > 0:
            raise StatusError(
                429, "TooManyRequests", "the server has received too many requests and has asked us to try again later",
                retry_after=now.retry_after,
            )  # fmt: skip

    def cutter(self) -> Callable[[], bool]:
        """For a watch that begins now: whether it has been cut since."""
        begun = self._cuts
        return lambda: self._cuts > begun

    def cut(self) -> None:
        """Break all watches that are open."""
        self._cuts += 1
        self._store.wake()

    def forget(self) -> None:
        """Forget history: what is older than now is 410."""
        self._store.compact()

    async def control(self, request: Request, cluster: str) -> Reply:
        """The endpoint. Raises StatusError (400, 404, 405)."""
        faults = self if not cluster else self.peers.get(cluster)
        if faults is None:
            raise errors.no_such_path()
        if request.method in {"POST", "PUT", "PATCH"}:
            await faults.set(await request.body())
        elif request.method != "GET":
            raise errors.method_not_allowed()
        return as_json(msgspec.to_builtins(faults.setting))

    async def set(self, body: bytes) -> None:
        """Switch on what a JSON body says. Raises StatusError (400)."""
        try:
            action = msgspec.json.decode(body, type=Action)
            wanted = {
                key: value for key, value in msgspec.json.decode(body, type=dict[str, object]).items()
                if key not in Action.__struct_fields__
            }  # fmt: skip
            self.setting = msgspec.convert(msgspec.to_builtins(self.setting) | wanted, Setting)
        except msgspec.MsgspecError as error:
            raise errors.bad_request(f"the faults are not understood: {error}") from error
        if action.compact:
            self._store.compact()
        if action.cut:
            self.cut()
        if action.down > 0 and self._down is not None:
            await self._down(action.down)
