"""Hosted models from the observer, and what may be done with them through `models.actions`.

A model's detail is read from the same picture that its stage is read from, so page, list and CLI cannot disagree.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing

from sealane.console.rows import TONES
from sealane.console.services import Copy, Detail, Happening, Ref, Removal
from sealane.fleet import Fleet
from sealane.kube.tailing import Wish
from sealane.lib import text
from sealane.lib.errors import SealaneError
from sealane.models import actions, hosted, removal, speaking
from sealane.models.action_errors import StillLeaving
from sealane.models.hosted import Key
from sealane.models.observer import Observer, StageChange
from sealane.models.stage_views import ENGINE_CONTAINER, PULL_CONTAINER, DeploymentView, EventView, PodView, Snapshot
from sealane.models.types import Hosted, Plan, Stage

_SHOWN = 10  # lines of what happened
_LOG_BYTES = 4 * 1024 * 1024  # that are asked of each copy
_LONGEST_LINE = 10_000  # characters of a log's line that are shown
_PAGE = 1024 * 1024  # characters of a log that are sent with each beat
_LOOKS, _LOOK_EVERY = 60, 0.05  # how often, and at which distance in seconds, the cache is looked at after a change
_REMOVE_WITHIN = 8.0  # seconds that a removal waits for the pods to be gone


class RealModels:
    """The console's models over one fleet."""

    def __init__(self, fleet: Fleet, observer: Observer) -> None:
        self._fleet = fleet
        self._observer = observer

    def hosted(self) -> Sequence[Hosted]:
        return self._observer.hosted()

    def detail(self, ref: Ref) -> Detail:
        """All of one model. Raises UnknownCluster and NotHosted with the nearest names."""
        key = _key(ref)
        cluster = self._fleet.cluster(ref.cluster)
        stage = self._observer.stage(ref.cluster, ref.namespace, ref.name)
        picture = self._observer.picture(ref.cluster, ref.namespace, ref.name)
        if picture.deployment is None:
            known = [found.metadata.name for found in hosted.deployments(cluster)]
            raise hosted.not_hosted(key, known)
        row = hosted.row(ref.cluster, picture.deployment, stage)
        history = self._observer.history(ref.cluster, ref.namespace, ref.name)
        stages = self._observer.copies(ref.cluster, ref.namespace, ref.name)
        return Detail(
            hosted=row,
            spec=hosted.spec_of(ref.cluster, picture.deployment),
            stage=stage,
            copies=tuple(_copy(pod, stages.get(pod.metadata.name), picture, row.share) for pod in picture.pods),
            passed=_passed(history),
            happenings=_happenings(history, picture),
        )

    async def changes(self) -> AsyncIterator[None]:
        """One turn for each batch of the observer."""
        subscription = self._observer.subscribe()
        try:
            async for _ in subscription:
                yield None
        finally:
            subscription.close()

    async def submit(self, plan: Plan) -> None:
        """Dry run, apply, and wait a moment until the cache shows it, so that its page is there when one arrives."""
        await actions.submit(self._fleet, plan)

    async def scale(self, ref: Ref, copies: int) -> None:
        """Set the number of copies."""
        key = _key(ref)
        await actions.scale(self._fleet, key, copies)
        await self._until(lambda: _copies(self._deployment(key)) in {copies, None})

    async def restart(self, ref: Ref) -> None:
        """Replace every copy, one after the other."""
        await actions.restart(self._fleet, _key(ref))

    async def preview_removal(self, ref: Ref, *, with_weights: bool) -> Removal:
        """What would go and what would stay."""
        return _removal(await actions.preview_removal(self._fleet, _key(ref), with_weights=with_weights))

    async def remove(self, ref: Ref, *, with_weights: bool) -> Removal:
        """Remove; a pod that takes its time to stop is said, not waited for."""
        key = _key(ref)
        planned = await self.preview_removal(ref, with_weights=with_weights)
        try:
            done = await actions.remove(self._fleet, key, with_weights=with_weights, timeout=_REMOVE_WITHIN)
        except StillLeaving as leaving:
            return Removal(went=planned.went, stayed=planned.stayed, note=leaving.sentence)
        await self._until(lambda: self._deployment(key) is None)
        return _removal(done)

    async def logs(self, ref: Ref, *, copy: str, tail: int, previous: bool) -> Sequence[str]:
        """The last lines: of the engine, or of the pull while the engine has not started; of all copies by time.

        One copy of several that cannot be read (it has not started) leaves the others; raised when none can.
        """
        troubles: list[SealaneError] = []
        wish = Wish(tail_lines=tail, previous=previous, limit_bytes=_LOG_BYTES)
        told = lambda _, error: troubles.append(error)  # noqa: E731
        found = speaking.lines(self._fleet, _key(ref), wish, copy=copy, told=told)
        async with aclosing(found) as lines:
            shown = [_cut(line.text if copy else f"{line.pod} | {line.text}") async for line in lines]
        if not shown and troubles:
            raise troubles[0]
        return _last(shown[-tail:])

    def _deployment(self, key: Key) -> DeploymentView | None:
        return hosted.deployment_of(self._fleet.cluster(key.cluster), key.namespace, key.name)

    async def _until(self, seen: Callable[[], bool]) -> None:
        """Until the cache shows what the server accepted; a slow watch is not an error, the page will follow."""
        for _ in range(_LOOKS):
            if seen():
                return
            await self._fleet.clock.sleep(_LOOK_EVERY)


def _cut(line: str) -> str:
    """A line as a page shows it."""
    more = len(line) - _LONGEST_LINE
    return line if more <= 0 else f"{line[:_LONGEST_LINE]}… ({text.count(more, 'character')} more)"


def _last(lines: list[str]) -> list[str]:
    """As many of the last lines as a page that is sent with each beat can hold."""
    room = _PAGE
    for number, line in enumerate(reversed(lines)):
        room -= len(line)
        if room < 0:
            return [f"({text.count(len(lines) - number, 'line')} before this are too long to show)", *lines[-number:]]
    return lines


def _key(ref: Ref) -> Key:
    return Key(ref.cluster, ref.namespace, ref.name)


def _copies(deployment: DeploymentView | None) -> int | None:
    return deployment.spec.replicas if deployment else None


def _removal(found: removal.Removal) -> Removal:
    note = f"You may not list {text.listing(found.unseen)} here, so there may be more." if found.unseen else ""
    return Removal(went=found.went, stayed=found.stayed, note=note)


def _copy(pod: PodView, stage: Stage | None, picture: Snapshot, share: str) -> Copy:
    made = pod.metadata.creation_timestamp
    containers = (pod.container(name) for name in (PULL_CONTAINER, ENGINE_CONTAINER))
    return Copy(
        name=pod.metadata.name,
        tone=TONES[stage.stage] if stage else "off",
        state=stage.stage if stage else "Leaving",
        sentence=stage.sentence if stage else "It is being stopped.",
        node=pod.spec.node_name,
        share=share,
        restarts=sum(found.restart_count for found in containers if found),
        age=max(0.0, (picture.now - made).total_seconds()) if made else 0.0,
    )


def _passed(history: Sequence[StageChange]) -> dict[str, float]:
    """Seconds from the submission to the first time that each stage was seen."""
    passed: dict[str, float] = {}
    for change in history:
        passed.setdefault(change.stage.stage, max(0.0, (change.at - history[0].at).total_seconds()))
    return passed


def _happenings(history: Sequence[StageChange], picture: Snapshot) -> tuple[Happening, ...]:
    """Stages and the cluster's own events, newest first, each sentence once."""
    lines = [
        Happening(at=change.at, tone=TONES[change.stage.stage], sentence=change.stage.sentence) for change in history
    ]
    lines += [_event(event) for event in picture.events if event.message]
    lines.sort(key=lambda line: line.at, reverse=True)
    seen: set[str] = set()
    kept = [line for line in lines if not (line.sentence in seen or seen.add(line.sentence))]  # type: ignore[func-returns-value]
    return tuple(kept[:_SHOWN])


def _event(event: EventView) -> Happening:
    at = event.at if event.at.year > 1 else datetime.datetime.fromtimestamp(0, datetime.UTC)
    return Happening(at=at, tone="warn" if event.type == "Warning" else "run", sentence=event.message[:300])
