"""The verdict that is known of a project by name: from what was fetched, else from the figures that ship."""

from __future__ import annotations

from sealane.health import sample
from sealane.health.risk import Judged


def known(repository: str) -> Judged | None:
    """The verdict on `owner/name`, or None where nothing is known of it."""
    found = sample.find(repository)
    if found is None:
        return None
    assessed = sample.assess(found)
    verdict = assessed.verdict
    return Judged(state=verdict.state, rule=verdict.rule, sentence=verdict.sentence, as_of=assessed.report["as_of"])
