"""The knobs of a hosted model: what they stand at, what the reader turned, and the difference that Apply would make.

The difference is that of two plans made by the same pure core, so what is shown is what is applied.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from sealane.console.forms import Form
from sealane.console.hosting import MODES, MOST_CONTEXT, MOST_COPIES, Mode
from sealane.console.problems import Refused
from sealane.console.services import Detail, Services
from sealane.lib import text
from sealane.lib.errors import SealaneError
from sealane.models.types import ModelSpec, Plan, Share


class DiffLine(msgspec.Struct, frozen=True):
    """One line that goes or comes."""

    kind: Literal["add", "del"]
    text: str


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """Where the knobs stand (or were turned to). `diff` is empty while nothing is turned."""

    copies: int
    context: int
    context_max: int
    mode: Mode
    part: float
    cards: int
    mib: int
    share: str
    diff: tuple[DiffLine, ...] = ()
    changes: int = 0
    sentence: str = ""
    warnings: tuple[str, ...] = ()
    refusals: tuple[SealaneError, ...] = ()


async def read(services: Services, detail: Detail, sent: Mapping[str, Any]) -> Knobs:
    """The knobs with what `sent` turned. A number that does not do is refused in place, not raised."""
    before = detail.spec
    try:
        after = turned(before, Form(sent))
    except Refused as refused:
        return msgspec.structs.replace(_standing(before, 0), refusals=(refused,))
    if after == before:
        return _standing(before, 0)
    return await _compared(services, before, after)


def turned(before: ModelSpec, form: Form) -> ModelSpec:
    """The spec after the knobs that the form holds; others stay. Raises Refused with the field that does not do."""
    mode = MODES.get(form.text("mode"), "auto")
    share = before.share
    if mode == "part":
        share = Share(fraction=form.fraction("part", before.share.fraction or 0.25))
    elif mode == "whole":
        share = Share(devices=form.number("cards", 1, least=1, most=64))
    elif mode == "memory":
        share = Share(memory_mib=form.number("mib", before.share.memory_mib or 8192, least=128, most=MOST_CONTEXT))
    elif mode == "none":
        share = Share(devices=0)
    return msgspec.structs.replace(
        before,
        copies=form.number("copies", before.copies, least=0, most=MOST_COPIES),
        context=form.number("context", before.context, least=256, most=MOST_CONTEXT),
        share=share,
    )


async def plans(services: Services, before: ModelSpec, after: ModelSpec) -> tuple[Plan, Plan]:
    """Both plans, of one card. Raises SealaneError when the model's card cannot be found any more."""
    card = await services.catalogue.resolve(before.model)
    plan = services.planner.plan
    return plan(before, card, update=True), plan(after, card, update=True)


async def _compared(services: Services, before: ModelSpec, after: ModelSpec) -> Knobs:
    try:
        old, new = await plans(services, before, after)
    except SealaneError as error:
        return msgspec.structs.replace(_standing(after, 0), refusals=(error,))
    lines = diff(services.planner.yaml(old), services.planner.yaml(new))
    added = sum(1 for line in lines if line.kind == "add")
    return msgspec.structs.replace(
        _standing(after, new.card.context_max),
        diff=lines,
        changes=max(added, len(lines) - added),
        sentence=new.placement.sentence,
        warnings=new.warnings,
        refusals=new.refusals,
    )


def _standing(spec: ModelSpec, context_max: int) -> Knobs:
    share = spec.share
    mode: Mode = "part" if share.fraction else "memory" if share.memory_mib else "whole" if share.devices else "none"
    return Knobs(
        copies=spec.copies,
        context=spec.context,
        context_max=context_max or MOST_CONTEXT,
        mode=mode,
        part=share.fraction or 0.25,
        cards=share.devices or 1,
        mib=share.memory_mib or 8192,
        share=share.text,
    )


def diff(before: str, after: str) -> tuple[DiffLine, ...]:
    """The lines that differ, without the ones around them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    kept = [line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    return tuple(DiffLine("add" if line[0] == "+" else "del", line[1:]) for line in kept)


def sentence(before: ModelSpec, after: ModelSpec) -> str:
    """What was changed, in words: `Copies went from 1 to 2`."""
    said = []
    if before.copies != after.copies:
        said.append(f"copies from {before.copies} to {after.copies}")
    if before.context != after.context:
        said.append(f"context from {before.context:,} to {after.context:,} tokens")
    if before.share != after.share:
        said.append(f"share from {before.share.text} to {after.share.text}")
    return f"Changed {text.listing(said)}" if said else "Nothing changed"
