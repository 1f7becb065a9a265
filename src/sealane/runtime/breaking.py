"""Breaking the sandbox on purpose, over its API: what `sealane break` and the console's page do.

Any of its clusters answers for all, and one may be down on purpose, so each is asked in turn until one answers. The
path is the sandbox's own and meets no fault, so that whatever is broken can be healed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sealane.console.breaking import Broken, CannotBreak, NoSandbox, only_the_sandbox
from sealane.kube.config import Context
from sealane.kube.errors import ApiError, NotFound, Unreachable
from sealane.kube.http import Http, Limits
from sealane.lib.clock import SYSTEM, Clock
from sealane.runtime.contexts import Chosen

__all__ = ["Breaking", "CannotBreak", "NoSandbox", "of", "only_the_sandbox"]

PATH = "/sealane-sandbox/scenarios"
_LIMITS = Limits(connect=2.0, request=10.0, total=15.0, busy=0.0)
_SOON = 0.3


class Breaking:
    """See console.breaking.Breaking. `contexts` are the sandbox's; connections are opened for each call."""

    def __init__(self, contexts: Sequence[Context], *, clock: Clock = SYSTEM) -> None:
        self._contexts = tuple(contexts)
        self._clock = clock

    async def state(self) -> Broken:
        """What can be broken and what is."""
        return await self._ask("GET", None)

    async def start(self, name: str, *, cluster: str = "", model: str = "", seconds: float | None = None) -> Broken:
        """Start a scenario; it has begun when this returns. Raises CannotBreak."""
        wish: dict[str, Any] = {"start": name, "cluster": cluster, "model": model}
        if seconds is not None:
            wish["seconds"] = seconds
        await self._ask("POST", wish)
        await self._clock.sleep(_SOON)  # its first step closes ports, and shall be seen by who reads the answer
        return await self.state()

    async def heal(self, name: str = "", *, cluster: str = "") -> Broken:
        """End what runs, of that name or all of it; it is undone when this returns."""
        return await self._ask("POST", {"heal": name, "cluster": cluster})

    async def _ask(self, method: str, wish: Mapping[str, Any] | None) -> Broken:
        failed: Unreachable | None = None
        for context in self._contexts:
            try:
                return await self._of(context, method, wish)
            except Unreachable as error:
                failed = error
        raise failed or only_the_sandbox()

    async def _of(self, context: Context, method: str, wish: Mapping[str, Any] | None) -> Broken:
        http = Http(context, clock=self._clock, limits=_LIMITS)
        try:
            body = None if wish is None else msgspec.json.encode(wish)
            raw = await http.request(method, PATH, body=body)
            return msgspec.json.decode(raw, type=Broken)
        except NotFound as error:
            if error.message and "404 page" not in error.message:
                raise CannotBreak(error.message) from error
            raise only_the_sandbox() from error
        except msgspec.DecodeError as error:
            raise CannotBreak("The sandbox that runs is of another version; start it again.") from error
        except ApiError as error:
            if error.status in {400, 409}:
                raise CannotBreak(error.message) from error
            raise
        finally:
            await asyncio.shield(http.close())


def of(chosen: Chosen) -> Breaking | None:
    """How to break what was chosen: None for clusters that are real."""
    return Breaking(chosen.contexts) if chosen.sandbox else None
