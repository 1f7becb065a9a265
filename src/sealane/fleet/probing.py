"""How one cluster answers: its server is asked for its version every few seconds, and the last answer is the state.

Watches say nothing for half a minute while all is well, so their silence tells little. A question that takes no rights
and costs the server nothing tells it soon: a server that hangs is called silent after `SILENT_AFTER` seconds, while
the question still waits; one that defends itself (429) is called busy at once instead of being waited for, and is left
alone for as long as it asks. While it fails the pauses grow, and they end early when a watch has come back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from sealane.fleet import states
from sealane.kube import errors as kube_errors
from sealane.kube.client import Client
from sealane.lib import text, waiting
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

_log = logging.getLogger(__name__)

EVERY = 5.0
SILENT_AFTER = 3.0
LIMIT = 10.0
BACKOFF_FIRST, BACKOFF_MOST = 0.5, 15.0


class Probe:
    """The state of one cluster and the task that keeps it true. `answered` is called after each answer, `refused` when
    the server hides its version, `changed` with whether it is live again."""

    def __init__(
        self,
        client: Client,
        *,
        clock: Clock,
        answered: Callable[[], Awaitable[None]],
        refused: Callable[[], None],
        changed: Callable[[bool], None],
    ) -> None:
        self.version = ""
        self.first = asyncio.Event()
        self._name = client.context.name
        self._client = client
        self._clock = clock
        self._answered = answered
        self._refused = refused
        self._changed = changed
        self._doubt = asyncio.Event()
        self._hope = asyncio.Event()
        self.state = states.ClusterState(
            state="connecting", sentence=f"Connecting to {self._name} at {client.context.server}.", since=clock.now()
        )

    def doubt(self) -> None:
        """Something was lost: ask now instead of at the next turn."""
        self._doubt.set()

    def hope(self) -> None:
        """Something works again: ask now instead of after the pause."""
        self._hope.set()

    def leave(self, sentence: str) -> None:
        """The cluster is followed no more; who waits for a first answer is let go."""
        self.state = states.ClusterState(state="unreachable", sentence=sentence, since=self._clock.now())
        self.first.set()

    async def run(self) -> None:
        """Ask for ever; ends only by cancellation."""
        backoff = BACKOFF_FIRST
        while True:
            self._doubt.clear()
            self._hope.clear()
            fine = await self._ask()
            self.first.set()
            if fine:
                backoff = BACKOFF_FIRST
                await waiting.until(self._doubt, clock=self._clock, seconds=EVERY)
                # A watch in trouble must not make this a tight loop.
                await self._clock.sleep(BACKOFF_FIRST)
                continue
            wait = backoff * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
            asked = self._asked_to_wait()
            await self._clock.sleep(max(BACKOFF_FIRST / 2, asked))
            await waiting.until(self._hope, clock=self._clock, seconds=wait)
            backoff = BACKOFF_FIRST if asked else min(backoff * 2, BACKOFF_MOST)

    def _asked_to_wait(self) -> float:
        error = self.state.error
        return min(error.retry_after, BACKOFF_MOST) if isinstance(error, kube_errors.TooManyRequests) else 0.0

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(LIMIT):
                self.version = await self._version()
                await self._answered()
        except kube_errors.Forbidden as error:
            self._refused()
            self._set("forbidden", error.sentence, error)
            return True
        except SealaneError as error:
            self._set(states.state_of_error(error, was_live=self._was_live()), error.sentence, error)
            return False
        except TimeoutError:
            self._silent(LIMIT)
            return False
        except Exception as error:  # noqa: BLE001 - a task's border: one cluster must not end the fleet
            _log.exception("the probe of %s failed", self._name)
            self._set("unreachable", f"Sealane could not probe {self._name}: {type(error).__name__}.", None)
            return False
        self._set("live", f"{self._name} answers; Kubernetes {self.version}.", None)
        return True

    async def _version(self) -> str:
        """The server's answer; its silence is told before anybody gives up on it."""
        asking = asyncio.ensure_future(self._client.version(patient=False))
        done = asyncio.Event()
        asking.add_done_callback(lambda _: done.set())
        try:
            if not await waiting.until(done, clock=self._clock, seconds=SILENT_AFTER) and self._was_live():
                self._silent(SILENT_AFTER)
            return await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _silent(self, seconds: float) -> None:
        state: states.StateName = "reconnecting" if self._was_live() else "unreachable"
        server = self._client.context.server
        self._set(state, f"{self._name}: {server} did not answer within {text.duration(seconds)}.", None)

    def _was_live(self) -> bool:
        return self.state.state in {"live", "reconnecting", "busy"}

    def _set(self, state: states.StateName, sentence: str, error: SealaneError | None) -> None:
        if state == self.state.state and sentence == self.state.sentence:
            return
        again = state == "live" and self.state.state != "live"
        since = self.state.since if state == self.state.state else self._clock.now()
        self.state = states.ClusterState(state=state, sentence=sentence, since=since, error=error)
        self._changed(again)
