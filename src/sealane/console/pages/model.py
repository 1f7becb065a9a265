"""A model's page: where it stands, its copies, its knobs, how to connect an editor.

The stages are the cluster's own facts and the engine's own bytes; nothing is painted as done before the server says so.
Knobs and Connect stand outside the live regions, so that nothing moves under the reader's hands.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sealane.console import knobs
from sealane.console.changes import Change
from sealane.console.connection import Connecting, connecting
from sealane.console.doing import Doing, doing, hidden_in
from sealane.console.knobs import Knobs
from sealane.console.rows import ModelRow, model_row
from sealane.console.services import Copy, Detail, Happening
from sealane.console.views import Ask, Desk, View
from sealane.lib import text
from sealane.models.types import Stage, StageName

StepState = Literal["done", "now", "next", "failed"]
_LANE: tuple[tuple[StageName, str], ...] = (
    ("Scheduled", "Scheduled"),
    ("Image", "Image"),
    ("Pulling", "Pulled"),
    ("Loading", "Loaded"),
    ("Answering", "Answering"),
)
_REACHED: dict[StageName, int] = {
    "Submitted": 0,
    "Waiting": 0,
    "Scheduled": 1,
    "Image": 1,
    "Pulling": 2,
    "Loading": 3,
    "Answering": 5,
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the lane. Bytes are given while it pulls."""

    name: str
    state: StepState
    note: str
    done_bytes: int = 0
    total_bytes: int = 0


class ModelContext(msgspec.Struct, frozen=True, kw_only=True):
    """One hosted model. `undo` is the change that can be put back; `done` the one just made."""

    model: ModelRow
    stage: Stage
    steps: tuple[Step, ...]
    copies: tuple[Copy, ...]
    happenings: tuple[Happening, ...]
    knobs: Knobs
    connect: Connecting
    undo: Change | None
    done: Change | None
    managed: bool
    may: Doing
    hidden: tuple[str, ...]


async def context(desk: Desk, ask: Ask) -> ModelContext:
    """A model, from the caches."""
    services = desk.services
    detail = services.models.detail(ask.ref)
    number = ask.params.get("done", "")
    done = next((change for change in desk.changes.last() if str(change.number) == number), None)
    return ModelContext(
        model=model_row(detail.hosted),
        stage=detail.stage,
        steps=steps_of(detail),
        copies=detail.copies,
        happenings=detail.happenings,
        knobs=await knobs.read(services, detail, ask.params),
        connect=await connecting(services, detail.hosted, wanted=ask.params.get("editor", "")),
        undo=desk.changes.undoable(ask.ref),
        done=done,
        managed=detail.managed,
        may=doing(services.rights, ask.ref),
        hidden=hidden_in(services.rights, ask.ref.cluster),
    )


def steps_of(detail: Detail) -> tuple[Step, ...]:
    """The lane: what is done, what is under way, what comes. A failure stands where it happened."""
    stage = detail.stage
    failed = stage.stage == "Failed"
    at = _failed_at(detail) if failed else _REACHED[stage.stage]
    return tuple(_step(detail, index, name, word, at, failed=failed) for index, (name, word) in enumerate(_LANE))


def _failed_at(detail: Detail) -> int:
    return max((_REACHED.get(name, 0) for name in detail.passed if name != "Failed"), default=0)  # type: ignore[call-overload]


def _done_after(detail: Detail, index: int) -> float | None:
    """Seconds until a stage was done. A place and an answer are had at once; the others last until the next begins."""
    name = _LANE[index][0]
    if name in {"Scheduled", "Answering"} and name in detail.passed:
        return detail.passed[name]
    return next((detail.passed[later] for later, _ in _LANE[index + 1 :] if later in detail.passed), None)


def _step(detail: Detail, index: int, name: StageName, word: str, at: int, *, failed: bool) -> Step:
    stage = detail.stage
    if index < at:
        done = _done_after(detail, index)
        return Step(name=word, state="done", note=f"after {text.duration(done)}" if done is not None else "done")
    if index > at:
        return Step(name=word, state="next", note="")
    if failed:
        return Step(name=word, state="failed", note="stopped here")
    if name == "Pulling" and stage.total_bytes:
        named = f"Pulling {text.decimal_bytes(stage.done_bytes)} of {text.decimal_bytes(stage.total_bytes)}"
        return Step(name=named, state="now", note="", done_bytes=stage.done_bytes, total_bytes=stage.total_bytes)
    return Step(
        name=word if stage.stage == "Waiting" else f"{word}…",
        state="now",
        note="waits" if stage.stage == "Waiting" else "",
    )


VIEW = View(
    name="model",
    path="/models/{cluster:path}/{namespace}/{name}",
    template="model.html",
    rail="models",
    title=lambda page: page.model.model,
    context=context,
    regions={
        "r-lead": "model/lead.html",
        "r-actions": "model/actions.html",
        "r-whys": "model/whys.html",
        "r-knob-keys": "model/keys.html",
        "r-stages": "model/stages.html",
        "r-copies": "model/copies.html",
        "r-happenings": "model/happenings.html",
        "r-announce": "model/announce.html",
    },
)
