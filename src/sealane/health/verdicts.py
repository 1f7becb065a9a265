"""The verdict that is known of a project by name: from what was fetched, else from the figures that ship.

A page asks for every project that runs, so a fetched one costs the reading of one small file, and that only when it
changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sealane.health import fetched, sample
from sealane.health.assessment import Assessment
from sealane.health.risk import Judged
from sealane.health.sources import rawstore


class Verdicts:
    """Verdicts by `owner/name` over a data directory (None: what ships alone)."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self._data_dir = data_dir
        self._read: dict[Path, tuple[int, Assessment | None]] = {}

    def known(self, repository: str) -> Judged | None:
        """The verdict on a project, or None where nothing is known of it."""
        assessed = self.fetched(repository)
        if assessed is None:
            found = sample.find(repository)
            assessed = None if found is None else sample.assess(found)
        return None if assessed is None else _judged(assessed)

    def fetched(self, repository: str) -> Assessment | None:
        """The last assessment of a fetched project, or None."""
        if self._data_dir is None or not rawstore.NAME.match(repository):
            return None
        root = fetched.raw_root(self._data_dir)
        path = root / rawstore.slug(repository) / fetched.KEPT
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        held = self._read.get(path)
        if held is None or held[0] != changed:
            store = rawstore.find(root, repository)
            held = (changed, None if store is None else fetched.kept(store))
            self._read[path] = held
        return held[1]

    def every(self) -> Iterator[tuple[Assessment, str]]:
        """The last assessment of each fetched project, with its page on the forge."""
        if self._data_dir is None:
            return
        for store in rawstore.every(fetched.raw_root(self._data_dir)):
            facts = store.state.facts
            assessed = self.fetched(facts.repository)
            if assessed is not None:
                yield assessed, facts.url or f"https://github.com/{facts.repository}"


def known(repository: str) -> Judged | None:
    """The verdict on `owner/name` from the figures that ship, or None where nothing is known of it."""
    return Verdicts().known(repository)


def _judged(assessed: Assessment) -> Judged:
    verdict = assessed.verdict
    return Judged(state=verdict.state, rule=verdict.rule, sentence=verdict.sentence, as_of=assessed.report["as_of"])
