"""The health pages over the fleet's caches and the figures that are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from sealane.console.health import Month, NoSuchProject, Project, YearCounts
from sealane.console.real import fetched
from sealane.fleet import Fleet
from sealane.health import risk, running, sample, verdicts
from sealane.health.lifecycle import WORST_FIRST
from sealane.health.risk import Risk
from sealane.kube import resources
from sealane.lib import text
from sealane.lib.errors import NextStep


class RealHealth:
    """Reads pods from the caches at each call; judging a project is kept by `health` itself."""

    def __init__(self, fleet: Fleet, *, data_dir: Path | None = None) -> None:
        self._fleet = fleet
        self._verdicts = verdicts.Verdicts(data_dir)

    def risks(self) -> Sequence[Risk]:
        """What runs, by the projects it rests on, worst first."""
        found = [one for cluster in self._fleet.clusters.values() for one in running.of_cluster(cluster)]
        return risk.risks(found, self._verdicts.known)

    def silent(self) -> Sequence[str]:
        """A sentence for each cluster whose pods are not all known."""
        states = [cluster.freshness(resources.PODS) for cluster in self._fleet.clusters.values()]
        return [state.sentence for state in states if state.state not in {"live", "stale"}]

    def watched(self) -> Sequence[Project]:
        """Every project with figures here, worst first."""
        found = list((self._sampled() | self._fetched()).values())
        return sorted(found, key=lambda one: (WORST_FIRST.index(one.state), one.repository.lower()))

    def project(self, repository: str) -> Project:
        """One project with figures, and what runs on it."""
        found = self._fetched().get(repository.lower())
        if found is not None:
            row = self._resting(found.repository)
            return found if row is None else _with(found, row)
        sampled = sample.find(repository)
        if sampled is None:
            near = text.nearest(repository, [one.repository for one in sample.projects().values()])
            raise NoSuchProject(
                f"Nothing is known of {repository} here: it was not fetched, and Sealane ships no figures of it.",
                next_steps=(
                    NextStep(title="Fetch it", command=f"sealane health fetch {repository}"),
                    *(NextStep(title=f"Did you mean {name}?") for name in near),
                ),
            )
        return self._project(sampled, resting=True)

    def _sampled(self) -> dict[str, Project]:
        return {one.repository.lower(): self._project(one) for one in sample.projects().values()}

    def _fetched(self) -> dict[str, Project]:
        known = (fetched.project(assessed, url=url) for assessed, url in self._verdicts.every())
        return {one.repository.lower(): one for one in known}

    def _project(self, one: sample.Sampled, *, resting: bool = False) -> Project:
        assessed = sample.assess(one)
        verdict, last = assessed.verdict, sample.months(one.repository)[-1]
        source = assessed.report["sources"][0]
        row = self._resting(one.repository) if resting else None
        old = last["age_days"] >= 730
        return Project(
            repository=one.repository,
            url=f"https://github.com/{one.repository}",
            state=verdict.state,
            rule=verdict.rule,
            sentence=verdict.sentence,
            also=verdict.also,
            rows=verdict.rows,
            flips=verdict.flips,
            signal=verdict.signal,
            as_of=assessed.report["as_of"],
            source=f"a git copy of {one.as_of}, commit {one.head[:12]}",
            notes=tuple(source["notes"]),
            method=verdict.method,
            years=(
                YearCounts(
                    label="Commits by people", now=last["commits_365"], before=last["commits_365_prev"] if old else None
                ),
                YearCounts(
                    label="Commit authors", now=last["authors_365"], before=last["authors_365_prev"] if old else None
                ),
                YearCounts(label="Pull requests opened", now=last["pulls_365"], before=None),
                YearCounts(label="People who opened them", now=last["pull_people_365"], before=None),
                YearCounts(label="Of these outside the regulars", now=last["outside_pull_people_365"], before=None),
                YearCounts(label="Unique issue authors", now=None, before=None),
            ),
            half_by=last["absence_factor_365"],
            months=tuple(_month(each) for each in sample.months(one.repository)[-24:]),
            rests=row.workloads if row else (),
            copies=row.copies if row else 0,
            gpus=row.gpus if row else 0.0,
        )

    def _resting(self, repository: str) -> Risk | None:
        return next((row for row in self.risks() if row.project.lower() == repository.lower()), None)


def _with(found: Project, row: Risk) -> Project:
    return msgspec.structs.replace(found, rests=row.workloads, copies=row.copies, gpus=row.gpus)


def _month(row: sample.Month) -> Month:
    return Month(
        month=row["month"],
        commits=row["commits"],
        authors=row["authors"],
        pulls=row["pulls"],
        bot_commits=row["bot_commits"],
    )
