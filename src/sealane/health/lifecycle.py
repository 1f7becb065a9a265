"""In what state a project is: rules in a fixed order, the first that matches wins, and the reader sees which one.

There is no score. A state is one word from a rule that can be checked, with the counts it rests on, and with what
would have to change for another state. Order matters: a project whose host says that it ended has ended, however busy;
one that is asked little and answers is finished, which silence alone would call dying. What a source cannot know is
None, and a rule that needs it does not apply. Thresholds and how they were tested stand in docs/health.md. Stars and
downloads enter nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from sealane.health.signal import Activity, Signal, SignalModel, assess

State = Literal[
    "end of life", "superseded", "moved", "finished", "dormant", "dying", "narrowing", "steady", "growing", "new",
    "unknown",
]  # fmt: skip
METHOD = "1.0"
ORDER: tuple[State, ...] = (
    "end of life", "superseded", "moved", "unknown", "finished", "dormant", "new", "dying", "narrowing", "growing",
    "steady",
)  # fmt: skip
"""The order of the rules."""
WORST_FIRST: tuple[State, ...] = (
    "end of life", "dormant", "dying", "superseded", "moved", "narrowing", "unknown", "new", "finished", "steady",
    "growing",
)  # fmt: skip
"""The order in lists."""

YOUNG = 365
"""Days of history below which growth and decline cannot be told."""
FINISHED_ITEMS, FINISHED_OPEN, FINISHED_ASKED, FINISHED_COMMITS = 20, 0.03, 2, 7
HALF, QUARTER_MORE = 0.5, 1.25
ENOUGH_AUTHORS, ENOUGH_COMMITS = 5, 50
"""A halving counts from these on: two people becoming one is no trend."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a rule may look at, at one instant. Counts are of people; None is what the source cannot know.

    `notice` is the sentence by which its maintainers or its host ended it, `successor` and `moved_to` are names;
    `marked_finished` and `marked_alive` are what a challenge said.
    """

    age_days: int | None = None
    notice: str = ""
    successor: str = ""
    moved_to: str = ""
    marked_finished: str = ""
    marked_alive: str = ""
    commits_90: int | None = None
    commits_365: int | None = None
    commits_365_before: int | None = None
    authors_365: int | None = None
    authors_365_before: int | None = None
    activity: Activity | None = None
    issues_ever: int | None = None
    issues_open: int | None = None
    issues_90: int | None = None
    outside_asked_365: int | None = None
    outside_never_365: int | None = None
    outside_authors_365: int | None = None
    outside_authors_365_before: int | None = None


class RowFact(msgspec.Struct, frozen=True, kw_only=True):
    """One count behind a rule: its name, its value and what it was compared with."""

    label: str
    value: float | int | str
    limit: str = ""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """That a rule applies: the sentence, and the counts."""

    sentence: str
    rows: tuple[RowFact, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`rule` is "4 finished": its place in the order and its name. `also` are later rules that match too."""

    state: State
    rule: str
    sentence: str
    rows: tuple[RowFact, ...]
    flips: tuple[str, ...]
    also: tuple[State, ...]
    signal: Signal | None
    method: str = METHOD


def judge(facts: Facts, *, model: SignalModel | None = None) -> Verdict:
    """The state of a project. Pure: the same facts give the same verdict."""
    signal = assess(facts.activity, model) if facts.activity is not None else None
    matches = [(state, rule(facts, signal)) for state, rule in _RULES]
    found = [(state, match) for state, match in matches if match is not None]
    state, match = found[0]
    return Verdict(
        state=state,
        rule=f"{ORDER.index(state) + 1} {state}",
        sentence=match.sentence,
        rows=match.rows,
        flips=_flips(state, facts, signal),
        also=tuple(other for other, _ in found[1:] if other != "steady"),
        signal=signal,
    )


def worst_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """By state, as lists show them."""
    return sorted(verdicts, key=lambda verdict: WORST_FIRST.index(verdict.state))


def _ended(facts: Facts, signal: Signal | None) -> Match | None:
    return Match(sentence=facts.notice) if facts.notice else None


def _superseded(facts: Facts, signal: Signal | None) -> Match | None:
    if not facts.successor:
        return None
    return Match(sentence=f"It names {facts.successor} as its successor.")


def _moved(facts: Facts, signal: Signal | None) -> Match | None:
    return Match(sentence=f"Its work goes on at {facts.moved_to}.") if facts.moved_to else None


def _unknown(facts: Facts, signal: Signal | None) -> Match | None:
    if facts.marked_finished or facts.marked_alive:
        return None
    missing = []
    if facts.commits_365 is None:
        missing.append("its commits")
    if facts.age_days is None:
        missing.append("when it began")
    if not missing:
        return None
    return Match(sentence=f"Too little is known to judge; what is missing: {' and '.join(missing)}.")


def _finished(facts: Facts, signal: Signal | None) -> Match | None:
    if facts.marked_finished:
        return Match(sentence=f"Marked as finished: {facts.marked_finished}.")
    ever, still_open, asked, commits = facts.issues_ever, facts.issues_open, facts.issues_90, facts.commits_90
    if ever is None or still_open is None or asked is None or commits is None or ever < FINISHED_ITEMS:
        return None
    never, outside = facts.outside_never_365 or 0, facts.outside_asked_365 or 0
    quiet = asked <= FINISHED_ASKED and commits <= FINISHED_COMMITS
    answered = still_open <= FINISHED_OPEN * ever and 3 * never <= outside
    if not (quiet and answered):
        return None
    return Match(
        sentence=f"Little is asked, and what was asked is answered: {still_open} of {ever} issues are open.",
        rows=(
            RowFact(label="issues open", value=still_open, limit=f"at most 3 % of {ever}"),
            RowFact(label="issues opened in 90 days", value=asked, limit=f"at most {FINISHED_ASKED}"),
            RowFact(label="commits in 90 days", value=commits, limit=f"at most {FINISHED_COMMITS}"),
            RowFact(
                label="outside issues of a year never answered", value=never, limit=f"at most a third of {outside}"
            ),
        ),
    )


def _dormant(facts: Facts, signal: Signal | None) -> Match | None:
    if facts.commits_365 != 0 or facts.marked_alive:
        return None
    rows = (RowFact(label="commits by people in 365 days", value=0, limit="none"),)
    return Match(sentence="No person has committed anything for a year.", rows=rows)


def _new(facts: Facts, signal: Signal | None) -> Match | None:
    if facts.age_days is None or facts.age_days >= YOUNG:
        return None
    rows = (RowFact(label="days since the first commit", value=facts.age_days, limit=f"fewer than {YOUNG}"),)
    return Match(sentence=f"It is {facts.age_days} days old: too young to tell growth from decline.", rows=rows)


def _dying(facts: Facts, signal: Signal | None) -> Match | None:
    if signal is None or not signal.alarm or facts.marked_alive:
        return None
    first = signal.reasons[0].sentence
    return Match(
        sentence=f"{first[0].upper()}{first[1:]}; of projects like this {signal.probability:.0%} ended within a year.",
        rows=tuple(
            RowFact(label=reason.feature.replace("_", " "), value=reason.value, limit=f"typical {reason.typical:g}")
            for reason in signal.reasons
        ),
    )


def _narrowing(facts: Facts, signal: Signal | None) -> Match | None:
    for label, now, before, enough in (
        ("commit authors", facts.authors_365, facts.authors_365_before, ENOUGH_AUTHORS),
        ("commits", facts.commits_365, facts.commits_365_before, ENOUGH_COMMITS),
        ("outside issue authors", facts.outside_authors_365, facts.outside_authors_365_before, ENOUGH_AUTHORS),
    ):
        if now is not None and before is not None and before >= enough and now <= HALF * before:
            rows = (RowFact(label=f"{label} in a year", value=now, limit=f"half of {before} the year before"),)
            return Match(sentence=f"{now} {label} in a year after {before} the year before.", rows=rows)
    return None


def _growing(facts: Facts, signal: Signal | None) -> Match | None:
    for label, now, before in (
        ("outside issue authors", facts.outside_authors_365, facts.outside_authors_365_before),
        ("commit authors", facts.authors_365, facts.authors_365_before),
    ):
        if now is None or before is None or now < ENOUGH_AUTHORS:
            continue
        if now >= QUARTER_MORE * before and now - before >= 2:
            rows = (RowFact(label=f"{label} in a year", value=now, limit=f"a quarter more than {before}"),)
            return Match(sentence=f"{now} {label} in a year after {before} the year before.", rows=rows)
        return None
    return None


def _steady(facts: Facts, signal: Signal | None) -> Match | None:
    if facts.marked_alive:
        return Match(sentence=f"Marked as alive: {facts.marked_alive}.")
    authors = f"{facts.authors_365} commit authors in a year" if facts.authors_365 is not None else "No rule matches"
    before = f", {facts.authors_365_before} the year before" if facts.authors_365_before is not None else ""
    rows = (RowFact(label="commits by people in 365 days", value=facts.commits_365 or 0),)
    return Match(sentence=f"{authors}{before}.", rows=rows)


_Rule = Callable[[Facts, Signal | None], Match | None]
_RULES: tuple[tuple[State, _Rule], ...] = (
    ("end of life", _ended),
    ("superseded", _superseded),
    ("moved", _moved),
    ("unknown", _unknown),
    ("finished", _finished),
    ("dormant", _dormant),
    ("new", _new),
    ("dying", _dying),
    ("narrowing", _narrowing),
    ("growing", _growing),
    ("steady", _steady),
)


def _flips(state: State, facts: Facts, signal: Signal | None) -> tuple[str, ...]:
    """What would have to change for another verdict, in words."""
    if state == "end of life":
        return ("The notice is taken back, or a release follows it.", "A successor is named: superseded.")
    if state in {"superseded", "moved"}:
        return ("The name turns out to be wrong.",)
    if state == "unknown":
        return ("Say where its source is, or fetch its history.",)
    if state == "finished":
        return ("More is asked, or what is asked stays without an answer.",)
    if state == "dormant":
        return ("One commit by a person ends Dormant.", "Mark it finished, with the reason.")
    if state == "dying" and signal is not None:
        return tuple(_needed(reason.feature, reason.value, reason.typical) for reason in signal.reasons)
    if state == "narrowing":
        now = facts.authors_365_before
        return ((f"More than {now // 2} commit authors in a year.",) if now else ()) + (
            "As many commits as half of before.",
        )
    if state == "new":
        return (f"A year of history: {YOUNG - (facts.age_days or 0)} days from now.",)
    if signal is not None:
        return (f"The dying signal stands at {signal.probability:.1%}; an alarm begins at {signal.threshold:.1%}.",)
    return ()


def _needed(feature: str, value: int, typical: float) -> str:
    words = {
        "active_days_90": "commits on more days",
        "authors_90": "more commit authors",
        "pull_people_90": "more people with pull requests",
        "domains_365": "commits from more organisations",
        "days_since_tag": "a release",
    }[feature]
    return f"{words[0].upper()}{words[1:]}: {value} now, {typical:g} is typical of projects that went on."
