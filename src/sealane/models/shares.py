"""A share of a GPU as people write it: `0`, `1`, `0.5`, `8GiB`. Parsed here and nowhere else.

Whole cards, a part of one card and MiB of one card exclude one another: KAI refuses a pod that asks for two of them
("cannot have both GPU fraction request and whole GPU resource request/limit").
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from sealane.lib.errors import NextStep
from sealane.models.errors import BadShare, FractionAndWhole
from sealane.models.types import Share

STEP = 0.05
"""Recommended parts are multiples of this: fine enough for small models, coarse enough to add up."""

LEAST = 0.01
"""The smallest part: KAI counts shares in hundredths of a card."""

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(Mi|MiB|Gi|GiB)\Z", re.IGNORECASE)


def parse(text: str) -> Share:
    """Read `--gpu`: "" or `auto` is "not said"; raises BadShare with an example when it makes no sense."""
    word = text.strip()
    if word.lower() in {"", "auto"}:
        return Share()
    memory = _MEMORY.match(word)
    if memory:
        mib = round(float(memory[1]) * (1024 if memory[2][0] in "gG" else 1))
        return _checked(Share(memory_mib=mib), text)
    try:
        amount = float(word)
    except ValueError:
        raise _bad(text) from None
    if not math.isfinite(amount) or amount < 0:
        raise _bad(text)
    if amount == int(amount):
        return Share(devices=int(amount))
    return _checked(Share(fraction=amount), text)


def problem(share: Share) -> BadShare | FractionAndWhole | None:
    """What is wrong with a share that was built by hand, if anything."""
    if sum(part is not None for part in (share.devices, share.fraction, share.memory_mib)) > 1:
        return FractionAndWhole(
            "A copy can have whole cards or a part of one card, not both: KAI refuses a pod that asks for both.",
            next_steps=(NextStep(title="Choose either whole cards, a part, or memory", command="--gpu 0.5"),),
        )
    if share.fraction is not None and not LEAST <= share.fraction < 1:
        return _bad(f"{share.fraction:g}")
    if share.memory_mib is not None and share.memory_mib <= 0:
        return _bad(share.text)
    if share.devices is not None and share.devices < 0:
        return _bad(share.text)
    return None


def devices(share: Share, *, card_mib: int | None) -> float:
    """The share in devices, as queues count it; MiB need the card's size and count as a whole card without it.

    KAI rounds a memory share up to a hundredth of the card, after flooring the card to a multiple of 100 MiB.
    """
    if share.fraction is not None:
        return share.fraction
    if share.memory_mib is not None:
        if not card_mib or card_mib < 100:
            return 1.0
        return math.ceil(Fraction(share.memory_mib * 100, card_mib // 100 * 100)) / 100
    return float(share.devices or 0)


def bytes_of(share: Share, *, card_mib: int | None) -> int | None:
    """What one copy may use, in bytes over all its cards; None when the card's size is not known."""
    if share.memory_mib is not None:
        return share.memory_mib * 1024**2
    if card_mib is None:
        return None
    return int(devices(share, card_mib=card_mib) * card_mib * 1024**2)


def part_for(needed: int, *, card_mib: int) -> float | None:
    """The smallest multiple of STEP of a card that holds `needed` bytes; None when a whole card is needed."""
    steps = math.ceil(Fraction(needed, card_mib * 1024**2) * round(1 / STEP))
    part = max(steps, 1) * STEP
    return round(part, 2) if part < 1 - 1e-9 else None


def _checked(share: Share, text: str) -> Share:
    if problem(share) is not None:
        raise _bad(text)
    return share


def _bad(text: str) -> BadShare:
    return BadShare(
        f"“{text}” is not a share of a GPU: write whole cards (1), a part between 0 and 1 (0.5) or memory (8GiB).",
        next_steps=(NextStep(title="For example a quarter of a card", command="--gpu 0.25"),),
    )
