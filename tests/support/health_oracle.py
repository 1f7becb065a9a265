"""The health report once more, by plain loops and exact fractions; only the event model is shared with the metrics.

Tests compare both on random projects: two programs that agree on what they were never shown are worth more than a list
of examples.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

from sealane.health.events import Action, Events, Item

DAY = 86400
WRITERS = {"OWNER", "MEMBER", "COLLABORATOR"}
Window = tuple[float, int]


class Oracle:
    """One project's events, looked at from one instant."""

    def __init__(self, events: Events, *, bots: set[str], as_of: int) -> None:
        self.e, self.bots, self.t = events, bots, as_of
        self.items = [item for item in events.items if item.stamp < as_of]
        self.actions = [action for action in events.actions if action.stamp < as_of]

    def human(self, actor: str | None) -> bool:
        return actor not in self.bots

    def owners(self, at: int) -> set[str]:
        latest: dict[str, Any] = {}
        for version in sorted(self.e.owner_versions, key=lambda v: (v.stamp, v.position)):
            if version.stamp < at:
                latest[version.path] = version
        current = {(v.path, v.position) for v in latest.values() if not v.deleted}
        return {n.actor for n in self.e.owner_names if (n.path, n.position) in current and self.human(n.actor)}

    def evidence(self, since: float, until: int, at: int) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        others: dict[str, set[int]] = {}
        own: dict[str, set[int]] = {}
        for item in self.e.items:
            who = item.merged_by
            if item.merged_at is not None and who and self.human(who) and since <= item.merged_at < until:
                (own if item.actor == who else others).setdefault(who, set()).add(item.number)
        for actor, numbers in others.items():
            if len(numbers) >= 2:
                found.setdefault(actor, set()).add("E1")
        for actor in self.owners(at):
            found.setdefault(actor, set()).add("E2")
        written: list[Item | Action] = [*self.e.items, *(a for a in self.e.actions if a.kind != "inline")]
        for each in written:
            if each.actor and self.human(each.actor) and each.association in WRITERS and since <= each.stamp < until:
                found.setdefault(each.actor, set()).add("E3")
        for actor, numbers in own.items():
            if len(numbers) >= 2:
                found.setdefault(actor, set()).add("E4")
        return found

    def core(self, span: int) -> dict[str, set[str]]:
        since = self.t - span * DAY if span else -math.inf
        found = self.evidence(since, self.t, self.t)
        if found:
            return found
        made = Counter(
            item.actor
            for item in self.e.items
            if item.kind == "pull" and item.actor and self.human(item.actor)
            and item.merged_at is not None and since <= item.merged_at < self.t
        )  # fmt: skip
        total, reached = sum(made.values()), 0
        for actor, count in sorted(made.items(), key=lambda pair: (-pair[1], pair[0])):
            if 5 * reached >= 4 * total:
                break
            found[actor] = {"E5"}
            reached += count
        return found

    def report(self) -> dict[str, Any]:
        windows = {name: self.window(days) for name, days in (("30", 30), ("90", 90), ("365", 365), ("all", 0))}
        return {
            "windows": windows,
            "core_team": self.team(365),
            "core_team_all": self.team(0),
            "retained_90": self.retained(),
        }

    def team(self, span: int) -> dict[str, list[str]]:
        return {actor: sorted(codes) for actor, codes in sorted(self.core(span).items())}

    def retained(self) -> tuple[int, int]:
        def active(since: int, until: int) -> set[str]:
            return {a for a, stamp in self.contributions() if since <= stamp < until}

        before, after = active(self.t - 180 * DAY, self.t - 90 * DAY), active(self.t - 90 * DAY, self.t)
        return len(before), len(before & after)

    def contributions(self) -> list[tuple[str, int]]:
        written: list[Item | Action] = [*self.items, *(a for a in self.actions if a.kind != "inline")]
        return [(each.actor, each.stamp) for each in written if each.actor and self.human(each.actor)]

    def window(self, days: int) -> dict[str, Any]:
        since = self.t - days * DAY if days else -math.inf
        core = set(self.core(365 if days else 0))
        inside = lambda stamp: stamp is not None and since <= stamp < self.t  # noqa: E731 - short and used at once
        return {
            "issues": self.opened("issue", inside, core) | {"outside_dated": self.dated(inside)},
            "pulls": self.opened("pull", inside, core) | self.merged(inside, core),
            "response_issues": self.response("issue", inside, lambda i: True, lambda a: True),
            "response_issues_outside": self.response("issue", inside, lambda i: i.actor not in core, lambda a: True),
            "response_issues_outside_by_core": self.response(
                "issue", inside, lambda i: i.actor not in core, lambda a: a.actor in core
            ),
            "response_pulls": self.response("pull", inside, lambda i: True, lambda a: True),
            "response_pulls_outside": self.response("pull", inside, lambda i: i.actor not in core, lambda a: True),
            "comments": self.talk("comment", inside, core),
            "reviews": self.talk("review", inside, core),
            "commits": self.commits(inside),
            "people": self.people(since),
            "core": self.cadence(inside, core),
        }

    def opened(self, kind: str, inside: Callable[[Any], bool], core: set[str]) -> dict[str, Any]:
        made = [i for i in self.items if i.kind == kind and inside(i.stamp)]
        mine = [i for i in made if self.human(i.actor)]
        outside = [i for i in mine if i.actor not in core]
        people = {i.actor for i in outside if i.actor}
        ever = {a: min(i.stamp for i in self.items if i.kind == kind and i.actor == a) for a in people}
        return {
            "opened": len(mine),
            "closed": sum(1 for i in self.items if i.kind == kind and self.human(i.actor) and inside(i.closed_at)),
            "authors": len({i.actor for i in mine if i.actor}),
            "outside": len(outside),
            "outside_authors": len(people),
            "outside_authors_new": sum(1 for first in ever.values() if inside(first)),
            "by_bots": len(made) - len(mine),
            "by_unknown": sum(1 for i in mine if i.actor is None),
            "absence_factor": absence(i.actor for i in mine),
        }

    def merged(self, inside: Callable[[Any], bool], core: set[str]) -> dict[str, Any]:
        mine = [i for i in self.items if i.kind == "pull" and self.human(i.actor)]
        outside = [i for i in mine if inside(i.stamp) and i.actor not in core]
        return {
            "merged": sum(1 for i in mine if inside(i.merged_at)),
            "closed_unmerged": sum(1 for i in mine if inside(i.closed_at) and i.merged_at is None),
            "outside_merged": sum(1 for i in outside if i.merged_at is not None and i.merged_at < self.t),
        }

    def dated(self, inside: Callable[[Any], bool]) -> int:
        count = 0
        for item in self.items:
            if item.kind == "issue" and inside(item.stamp) and self.human(item.actor):
                then = self.evidence(item.stamp - 365 * DAY, item.stamp, item.stamp)
                count += item.actor not in then
        return count

    def talk(self, kind: str, inside: Callable[[Any], bool], core: set[str]) -> dict[str, Any]:
        made = [a for a in self.actions if a.kind == kind and inside(a.stamp)]
        mine = [a for a in made if self.human(a.actor)]
        return {
            "count": len(mine),
            "authors": len({a.actor for a in mine if a.actor}),
            "by_core": sum(1 for a in mine if a.actor in core),
            "by_outside": sum(1 for a in mine if a.actor and a.actor not in core),
            "by_unknown": sum(1 for a in mine if a.actor is None),
            "by_bots": len(made) - len(mine),
            "absence_factor": absence(a.actor for a in mine),
        }

    def commits(self, inside: Callable[[Any], bool]) -> dict[str, Any]:
        made = [c for c in self.e.commits if inside(c.stamp)]
        mine = [c for c in made if c.parents <= 1 and not c.bot]
        shas = {c.sha for c in mine}
        together = {c.author for c in mine} | {a.author for a in self.e.coauthors if a.sha in shas and not a.bot}
        return {
            "count": len(mine),
            "merges": sum(1 for c in made if c.parents >= 2),
            "by_bots": sum(1 for c in made if c.parents <= 1 and c.bot),
            "authors": len({c.author for c in mine}),
            "people": len(together),
            "web": sum(1 for c in mine if c.web),
            "days": len({c.stamp // DAY for c in mine}),
            "top_author": max(Counter(c.author for c in mine).values(), default=0),
            "absence_factor": absence(c.author for c in mine),
        }

    def people(self, since: float) -> dict[str, int]:
        firsts: dict[str, int] = {}
        for actor, stamp in self.contributions():
            firsts[actor] = min(stamp, firsts.get(actor, stamp))
        here = {actor for actor, stamp in self.contributions() if stamp >= since}
        return {"contributors": len(here), "new": sum(1 for actor in here if firsts[actor] >= since)}

    def cadence(self, inside: Callable[[Any], bool], core: set[str]) -> dict[str, Any]:
        acts = [(actor, stamp) for actor, stamp in self.contributions() if actor in core and inside(stamp)]
        acts += [(i.merged_by, i.merged_at) for i in self.e.items if i.merged_by in core and inside(i.merged_at)]
        days = sorted({stamp // DAY for _, stamp in acts})
        gaps = sorted(after - before for before, after in pairwise(days))
        dates = [datetime.date(1970, 1, 1) + datetime.timedelta(days=day) for day in days]
        return {
            "size": len(core),
            "active": len({actor for actor, _ in acts}),
            "action_days": len(days),
            "action_weeks": len({date - datetime.timedelta(days=date.weekday()) for date in dates}),
            "gap_p90_days": quantile(gaps, 0.9) if gaps else None,
        }

    def response(
        self, kind: str, inside: Callable[[Any], bool], asks: Callable[[Item], bool], answers: Callable[[Action], bool]
    ) -> dict[str, Any]:
        waits: list[tuple[int, bool]] = []
        for item in self.items:
            if item.kind != kind or not inside(item.stamp) or not self.human(item.actor) or not asks(item):
                continue
            times = [
                a.stamp
                for a in self.actions
                if a.item_kind == kind and a.number == item.number and a.kind != "inline"
                and self.human(a.actor) and a.actor != item.actor and answers(a)
            ]  # fmt: skip
            censored = item.closed_at if item.closed_at is not None and item.closed_at < self.t else self.t
            waits.append((max(0, (min(times) if times else censored) - item.stamp), bool(times)))
        answered = [wait for wait, done in waits if done]
        return {
            "n": len(waits),
            "answered": len(answered),
            "median_answered_days": median(answered) / DAY if answered else None,
            **kaplan_meier(waits),
        }


def kaplan_meier(waits: list[tuple[int, bool]]) -> dict[str, Any]:
    """Exact: the smallest time with S <= 1/2, in days, and 1 - S(7 days)."""
    if not waits:
        return {"km_median_days": None, "p7": None}
    alive, after_week, half = Fraction(1), Fraction(1), None
    for time in sorted({wait for wait, _ in waits}):
        risk = sum(1 for wait, _ in waits if wait >= time)
        alive *= 1 - Fraction(sum(1 for wait, done in waits if done and wait == time), risk)
        if time <= 7 * DAY:
            after_week = alive
        if half is None and alive <= Fraction(1, 2):
            half = time
    return {"km_median_days": None if half is None else half / DAY, "p7": float(1 - after_week)}


def absence(actors: Iterable[str | None]) -> int:
    """The fewest people with more than half."""
    counts = sorted(Counter(actor for actor in actors if actor).values(), reverse=True)
    reached = 0
    for place, count in enumerate(counts, start=1):
        reached += count
        if 2 * reached > sum(counts):
            return place
    return 0


def quantile(ordered: list[int], share: float) -> float:
    """Linear between order statistics."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
