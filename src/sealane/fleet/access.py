"""What the context's identity may do in one cluster, known before anybody presses a button.

`may` answers at once, from memory. Memory is filled by one rules review a namespace that somebody asks about, again and
again, because rights come and go while we run and the API server tells nobody: it does not even end a watch that is no
longer allowed. What rules cannot tell (an incomplete review; whether a rule holds in the whole cluster) is asked by an
access review for exactly that question. Until something is known the answer is "unknown", which forbids nothing.

One process is one identity: what stands here is never shared between people.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Protocol

import msgspec

from sealane.fleet.rights import UNKNOWN, YES, Answer, Question, Verdict, refusal
from sealane.kube.client import Allowed
from sealane.kube.resources import Resource
from sealane.kube.reviews import Rules
from sealane.lib import waiting
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

_log = logging.getLogger(__name__)

REVIEW_EVERY = 15.0
"""Seconds between reviews; longer where more than `_AT_ONCE` namespaces are asked about."""
ASKED_WITHIN = 300.0
"""Seconds for which a namespace or question is kept up to date after somebody last asked."""
ANSWER_KEPT, ANSWER_KEPT_INCOMPLETE = 60.0, 30.0
"""Seconds that an answer to one question holds while the rules stay the same; shorter where rules do not tell all."""
MOST_QUESTIONS = 1000
CONFIRMED_AFTER = 2.0
"""Seconds after which a loss is asked for again before it is believed: an API server that starts knows no roles yet."""
_LIMIT = 10.0  # seconds that one round of questions may take for each request
_AT_ONCE = 8
_BREATH = 0.25  # seconds between two rounds, however often they are asked for


class Reviewer(Protocol):
    """The two calls that are needed of `kube.client.Client`."""

    async def rules(self, namespace: str) -> Rules: ...
    async def can_i(
        self, verb: str, resource: Resource, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Allowed: ...


class _Held(msgspec.Struct):
    """What is known of a namespace. `asked` and `read` are the clock's seconds."""

    asked: float
    rules: Rules | None = None
    read: float = float("-inf")
    less: Rules | None = None
    """The smaller rules of the last review, which the next one has to confirm."""


class _Told(msgspec.Struct):
    """What is known of one question; `answer` None until it was answered."""

    asked: float
    answer: Answer = "unknown"
    read: float = float("-inf")
    lost: bool = False
    """The last answer was a "no" after a "yes", which the next one has to confirm."""


class Access:
    """Rights in one cluster. `base` is a namespace that is always reviewed; `reviewed` is called after each round with
    whether anything changed."""

    def __init__(
        self,
        client: Reviewer,
        *,
        context: str,
        base: str,
        clock: Clock,
        reviewed: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._context = context
        self._base = base or "default"
        self._clock = clock
        self._reviewed = reviewed
        self._held: dict[str, _Held] = {self._base: _Held(clock.monotonic())}
        self._told: OrderedDict[Question, _Told] = OrderedDict()
        self._wake = asyncio.Event()

    # -- asking -------------------------------------------------------------------------------------------------

    def may(
        self, verb: str, resource: Resource, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Verdict:
        """Whether it is allowed, as far as is known now. What is unknown is looked up by the next round."""
        asked = Question(verb=verb, resource=resource, namespace=namespace, name=name, subresource=subresource)
        answer = self._answer(asked)
        if answer == "no":
            return refusal(self._context, asked)
        return YES if answer == "yes" else UNKNOWN

    def age(self, namespace: str = "") -> float | None:
        """Seconds since the rules of a namespace were read; None when they never were."""
        held = self._held.get(namespace or self._base)
        if held is None or held.rules is None:
            return None
        return max(0.0, self._clock.monotonic() - held.read)

    def named(self) -> frozenset[str]:
        """Namespaces that the rules themselves name: known to exist to whoever wrote the role, so no guesses."""
        return frozenset().union(*(held.rules.namespaces_named for held in self._held.values() if held.rules))

    def incomplete(self) -> bool:
        """Whether the server could not tell all rules, so that a "no" takes a question of its own."""
        rules = self._held[self._base].rules
        return rules is not None and rules.incomplete

    def doubt(self) -> None:
        """Ask everything anew, now: something was refused, the connection is new, or roles were changed."""
        for held in self._held.values():
            held.read = float("-inf")
        for told in self._told.values():
            told.read = float("-inf")
        self._wake.set()

    async def known(self, namespaces: Iterable[str] = ()) -> None:
        """Wait until these namespaces (and the base) were reviewed, but not long: for commands that do not stay."""
        wanted = {self._base, *namespaces}
        for namespace in wanted:
            self._look(namespace)
        for _ in range(40):
            if all(self._held[each].rules is not None for each in wanted if each in self._held):
                return
            await self._clock.sleep(0.05)

    def _answer(self, asked: Question) -> Answer:
        rules = self._look(asked.namespace or self._base)
        if rules is None:
            return "unknown"
        matches = rules.allow(asked.verb, asked.resource.group, asked.full, asked.name)
        if asked.namespace and matches:
            return "yes"
        if not matches and not rules.incomplete:
            return "no"
        return self._ask(asked)

    def _look(self, namespace: str) -> Rules | None:
        now = self._clock.monotonic()
        held = self._held.get(namespace)
        if held is None:
            held = self._held[namespace] = _Held(now)
            self._wake.set()
        held.asked = now
        return held.rules

    def _ask(self, asked: Question) -> Answer:
        now = self._clock.monotonic()
        told = self._told.get(asked)
        if told is None:
            told = self._told[asked] = _Told(now)
            self._wake.set()
            while len(self._told) > MOST_QUESTIONS:
                self._told.popitem(last=False)
        told.asked = now
        self._told.move_to_end(asked)
        return told.answer

    # -- reviewing ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Review for ever; ends only by cancellation."""
        while True:
            self._wake.clear()
            try:
                changed = await self._round()
                self._reviewed(changed)
            except Exception:  # noqa: BLE001 - a task's border: one odd answer must not end the knowledge of rights
                _log.exception("the rights in %s could not be reviewed", self._context)
            await self._clock.sleep(_BREATH)
            await waiting.until(self._wake, clock=self._clock, seconds=self._next())

    def _next(self) -> float:
        """Seconds to the next round: soon while a loss is to be confirmed."""
        open_losses = any(held.less for held in self._held.values()) or any(told.lost for told in self._told.values())
        return CONFIRMED_AFTER if open_losses else self._pace()

    def _pace(self) -> float:
        return REVIEW_EVERY * max(1.0, len(self._held) / (4 * _AT_ONCE))

    async def _round(self) -> bool:
        """Everything that is due, once. True when an answer may be another than before."""
        self._forget()
        now = self._clock.monotonic()
        due = [name for name, held in self._held.items() if now - held.read >= self._pace() - _BREATH]
        changed = any(await self._each(partial(self._review, name) for name in due))
        if changed:
            for told in self._told.values():
                told.read = float("-inf")
        kept = ANSWER_KEPT_INCOMPLETE if self.incomplete() else ANSWER_KEPT
        open_questions = [asked for asked, told in self._told.items() if now - told.read >= kept]
        return any(await self._each(partial(self._settle, asked) for asked in open_questions)) or changed

    async def _each(self, questions: Iterable[Callable[[], Awaitable[bool]]]) -> list[bool]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(question: Callable[[], Awaitable[bool]]) -> bool:
            async with gate:
                try:
                    async with asyncio.timeout(_LIMIT):
                        return await question()
                except (SealaneError, TimeoutError):
                    return False  # what was known stays; the next round asks again

        return list(await asyncio.gather(*(one(question) for question in questions)))

    async def _review(self, namespace: str) -> bool:
        rules = await self._client.rules(namespace)
        held = self._held.setdefault(namespace, _Held(self._clock.monotonic()))
        if held.rules is not None and held.rules.more_than(rules) and held.less != rules:
            held.less, held.read = rules, float("-inf")
            return False
        changed = rules != held.rules
        held.rules, held.less, held.read = rules, None, self._clock.monotonic()
        return changed

    async def _settle(self, asked: Question) -> bool:
        allowed = await self._client.can_i(
            asked.verb, asked.resource, namespace=asked.namespace, name=asked.name, subresource=asked.subresource
        )
        told = self._told.setdefault(asked, _Told(self._clock.monotonic()))
        answer: Answer = "yes" if allowed.allowed else "no"
        if told.answer == "yes" and answer == "no" and not told.lost:
            told.lost, told.read = True, float("-inf")
            return False
        changed = answer != told.answer
        told.answer, told.lost, told.read = answer, False, self._clock.monotonic()
        return changed

    def _forget(self) -> None:
        """What nobody has asked about for a while costs no more requests."""
        since = self._clock.monotonic() - ASKED_WITHIN
        for namespace in [name for name, held in self._held.items() if held.asked < since and name != self._base]:
            del self._held[namespace]
        for asked in [asked for asked, told in self._told.items() if told.asked < since]:
            del self._told[asked]
