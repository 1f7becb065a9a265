"""The dying signal: how likely a project is to end within a year, from four counts that anybody can check.

A published model and no oracle: few features, coefficients in the repository (`data/dying_signal.json`), fitted by
`scripts/fit_dying_signal.py` and back-tested by `python -m bench.dying_signal`. Each alarm names the three counts that
raised it. About a third of all ends come at once, from a sponsor's decision: no history shows them, and this one does
not either. Counts that a source cannot know (pull requests and address domains without the repository itself) select
the variant that does without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec

NEVER = 2000
"""Days since the last tag are cut here, and a project without any tag counts as this."""


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted at one instant, people only. None where the source cannot know."""

    active_days_90: int
    authors_90: int
    days_since_tag: int | None
    pull_people_90: int | None = None
    domains_365: int | None = None


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One term: weight * (ln(1 + value) - mean) / deviation. `typical` is the median of projects that went on."""

    name: str
    weight: float
    mean: float
    deviation: float
    typical: float


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A complete model: log-odds = intercept + sum of terms; an alarm from `threshold` on, a probability."""

    name: str
    intercept: float
    threshold: float
    features: tuple[Feature, ...]


class SignalModel(msgspec.Struct, frozen=True, kw_only=True):
    """What `data/dying_signal.json` holds; variants from the one that needs most to the one that needs least."""

    version: str
    fitted_on: str
    variants: tuple[Variant, ...]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One count that moved the estimate; `push` is its share of the log-odds, positive towards the end."""

    feature: str
    value: int
    typical: float
    push: float
    sentence: str


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate. `probability` is of ending within 12 months; `reasons` are the strongest first, at most three."""

    probability: float
    threshold: float
    alarm: bool
    variant: str
    version: str
    reasons: tuple[Reason, ...]


_WORDS = {
    "active_days_90": "commits by people on {value} of 90 days",
    "authors_90": "{value} commit authors in 90 days",
    "days_since_tag": "{value} days since the last release",
    "pull_people_90": "{value} people opened pull requests in 90 days",
    "domains_365": "commits from {value} organisations' addresses in a year",
}


@cache
def published() -> SignalModel:
    """The model that stands in the repository."""
    raw = resources.files("sealane.health").joinpath("data", "dying_signal.json").read_bytes()
    return msgspec.json.decode(raw, type=SignalModel)


def assess(activity: Activity, model: SignalModel | None = None) -> Signal:
    """The estimate by the first variant whose counts are all known."""
    model = model or published()
    values = _values(activity)
    variant = next(each for each in model.variants if all(term.name in values for term in each.features))
    reasons = [_reason(term, values[term.name]) for term in variant.features]
    odds = variant.intercept + sum(reason.push for reason in reasons)
    probability = 1.0 / (1.0 + math.exp(-odds))
    ordered = sorted(reasons, key=lambda reason: -reason.push)
    return Signal(
        probability=probability,
        threshold=variant.threshold,
        alarm=probability >= variant.threshold,
        variant=variant.name,
        version=model.version,
        reasons=tuple(ordered[:3]),
    )


def _values(activity: Activity) -> Mapping[str, int]:
    tag = NEVER if activity.days_since_tag is None else min(activity.days_since_tag, NEVER)
    known = msgspec.structs.asdict(activity) | {"days_since_tag": tag}
    return {name: value for name, value in known.items() if value is not None}


def _reason(term: Feature, value: int) -> Reason:
    push = term.weight * (math.log1p(value) - term.mean) / term.deviation
    said = _WORDS[term.name].format(value=value)
    usual = "none" if term.name == "days_since_tag" and value >= NEVER else ""
    words = "no release for more than five years" if usual else said
    return Reason(
        feature=term.name,
        value=value,
        typical=term.typical,
        push=push,
        sentence=f"{words} (projects that went on: {term.typical:g})",
    )
