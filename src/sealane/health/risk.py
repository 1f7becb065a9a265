"""What runs here that is dying: images of running workloads, the projects they rest on, worst first.

The order is the verdict's state first and then what would be hit: GPUs, copies, workloads. A workload whose image names
no project is listed too, as unknown, because silence would look like health. Pure: takes workloads and verdicts, gives
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sealane.health import images
from sealane.health.images import Confidence
from sealane.health.lifecycle import WORST_FIRST, State


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """Something that runs: its place, its images, how many copies, and GPUs in devices over all copies."""

    cluster: str
    namespace: str
    kind: str
    name: str
    images: tuple[str, ...]
    copies: int
    gpus: float

    @property
    def ref(self) -> str:
        """Such as `harbor-eu/team-code/deployment/coder`."""
        return f"{self.cluster}/{self.namespace}/{self.kind.lower()}/{self.name}"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a project: the verdict's words, and the day they are of ("" when nothing is known)."""

    state: State
    rule: str
    sentence: str
    as_of: str = ""


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """One project, or one image without a project, and what rests on it. The contract's row of `sealane risks`."""

    project: str
    state: State
    rule: str
    sentence: str
    workloads: tuple[str, ...]
    copies: int
    gpus: float
    as_of: str
    confidence: Confidence
    evidence: str
    images: tuple[str, ...]


def risks(workloads: Sequence[Workload], verdict: Callable[[str], Judged | None]) -> list[Risk]:
    """Rows, worst first. `verdict` is asked by `owner/name` and gives None where nothing is known of it."""
    resting: dict[str, list[Workload]] = {}
    resolved: dict[str, dict[str, images.Resolved]] = {}
    for workload in workloads:
        for image in dict.fromkeys(workload.images):
            answer = images.resolve(image)
            project = answer.repository or image
            found = resting.setdefault(project, [])
            if workload not in found:
                found.append(workload)
            resolved.setdefault(project, {})[image] = answer
    rows = [_row(project, found, resolved[project], verdict) for project, found in resting.items()]
    return sorted(rows, key=_worst_first)


_SURE: tuple[Confidence, ...] = ("high", "medium", "low", "none")


def _row(
    project: str,
    workloads: Sequence[Workload],
    resolved: dict[str, images.Resolved],
    verdict: Callable[[str], Judged | None],
) -> Risk:
    surest = min(resolved.values(), key=lambda answer: _SURE.index(answer.confidence))
    judged = verdict(surest.repository) if surest.repository else None
    if judged is None:
        why = (
            f"Nothing is known of {surest.repository} here yet; fetch it."
            if surest.repository
            else f"Its image names no source to examine: {surest.evidence[0].lower()}{surest.evidence[1:]}"
        )
        judged = Judged(state="unknown", rule="4 unknown", sentence=why)
    return Risk(
        project=project,
        state=judged.state,
        rule=judged.rule,
        sentence=judged.sentence,
        workloads=tuple(sorted(workload.ref for workload in workloads)),
        copies=sum(workload.copies for workload in workloads),
        gpus=round(sum(workload.gpus for workload in workloads), 3),
        as_of=judged.as_of,
        confidence=surest.confidence,
        evidence=surest.evidence,
        images=tuple(sorted(resolved)),
    )


def _worst_first(risk: Risk) -> tuple[int, float, int, int, str]:
    return WORST_FIRST.index(risk.state), -risk.gpus, -risk.copies, -len(risk.workloads), risk.project
