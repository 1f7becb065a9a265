"""From what somebody typed to a report: which source is meant, what is already here, and what was judged by whom.

`archive:FOLDER` and `git:PATH` are read where they lie. `owner/name` and a forge's address are taken from what was
fetched before, else from the figures that Sealane ships; nothing is downloaded by asking. Reading and counting block,
so callers run this in a thread.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sealane.health import assessment, bots, errors, fetched, sample
from sealane.health.assessment import Assessment, Known, Notices, SourceNote
from sealane.health.events import Events
from sealane.health.sources import archive, git
from sealane.health.warehouse import DuckWarehouse
from sealane.health.warehouse.protocol import DAY
from sealane.lib import text
from sealane.lib.errors import NextStep, UsageError

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$")
_ADDRESS = re.compile(r"^https?://(?:www\.)?github\.com/([^/\s]+/[^/\s#?]+?)(?:\.git)?/?$")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: `kind` archive or git with a path, or forge with `owner/name`."""

    kind: str
    name: str


def parse(typed: str) -> Source:
    """A SOURCE as the command line takes it. Raises UsageError with the forms that are understood."""
    kind, separator, rest = typed.partition(":")
    if separator and kind in {"archive", "git"} and rest:
        return Source(kind=kind, name=rest)
    address = _ADDRESS.match(typed)
    name = address.group(1) if address else typed
    if _NAME.match(name) and not name.endswith("/.."):
        return Source(kind="forge", name=name)
    raise UsageError(
        f"{typed[:200]!r} is no source: give owner/name, an address on github.com, git:PATH or archive:FOLDER.",
        next_steps=(NextStep(title="For example", command="sealane health report ollama/ollama"),),
    )


def report(
    typed: str,
    *,
    as_of: int | None,
    window: int,
    now: int,
    said: Notices | None = None,
    rules: bots.BotRules = bots.KNOWN,
    data_dir: Path | None = None,
) -> Assessment:
    """The report of one source at `as_of`, in seconds; None is the day on which the source was read.

    `data_dir` is where fetched projects lie; what was fetched wins over what ships.

    Raises UsageError, SourceMissing or SourceBroken.
    """
    source = parse(typed)
    if source.kind == "forge":
        store = fetched.find(data_dir, source.name) if data_dir is not None else None
        if store is None or data_dir is None:
            return _shipped(source.name, as_of=as_of, said=said)
        return fetched.assess(data_dir, store, as_of=as_of, window=window, now=now, rules=rules, said=said)
    path = Path(source.name).expanduser()
    events, known, note = _archive(path) if source.kind == "archive" else _git(path, rules, now=now)
    read_at = events.taken_at or now
    when = as_of if as_of is not None else _day(read_at) if source.kind == "archive" else read_at
    warehouse = DuckWarehouse()
    try:
        warehouse.replace(events, bots=rules.among(events.actors()))
        return assessment.assess(
            warehouse, events.project, when, known=known, sources=(note,), notices=said, window=window
        )
    finally:
        warehouse.close()


def _archive(path: Path) -> tuple[Events, Known, SourceNote]:
    events = archive.read(path)
    known = Known(issues=True, pulls=True, conversation=True, commits=bool(events.commits))
    note = SourceNote(kind="archive", location=str(path), taken_at=_iso(events.taken_at), version=archive.digest(path))
    return events, known, note


def _git(path: Path, rules: bots.BotRules, *, now: int) -> tuple[Events, Known, SourceNote]:
    read = git.read(path, project=path.absolute().name.removesuffix(".git") or "repository", rules=rules, now=now)
    notes = ["Git alone: issues, comments and answers are not in it."]
    if read.shallow:
        notes.append("The clone is shallow: what lies before its first commit is unknown.")
    if read.skipped:
        notes.append(f"{text.count(read.skipped, 'commit')} with an impossible date left out.")
    if read.pull_refs:
        notes.append("Pull requests are known by their references; their opening is estimated.")
    known = Known(pulls=read.pull_refs > 0, commits=True, domains=True)
    return (
        read.events,
        known,
        SourceNote(
            kind="git", location=str(path), taken_at=_iso(read.events.taken_at), version=read.head, notes=tuple(notes)
        ),
    )


def _shipped(name: str, *, as_of: int | None, said: Notices | None) -> Assessment:
    found = sample.find(name)
    if found is None:
        near: Sequence[str] = text.nearest(name, [one.repository for one in sample.projects().values()])
        raise errors.SourceMissing(
            f"Nothing is known of {name} here: it was not fetched, and Sealane ships no figures of it.",
            next_steps=(
                NextStep(title="Fetch it", command=f"sealane health fetch {name}"),
                NextStep(title="Read a copy on this computer", command="sealane health report git:PATH"),
                *(NextStep(title=f"Did you mean {one}?", command=f"sealane health report {one}") for one in near[:1]),
            ),
        )
    if as_of is not None:
        raise UsageError(f"The figures shipped for {found.repository} are of {found.as_of} only; leave --as-of out.")
    return sample.assess(found, said=said)


def input_digest(assessed: Assessment) -> str:
    """Sixteen hex digits of what went in: the same sources, instant and method give the same ones."""
    given = {key: assessed.report[key] for key in ("project", "as_of", "sources", "method")}
    return hashlib.sha256(msgspec.json.encode(given, order="sorted")).hexdigest()[:16]


def _day(stamp: int) -> int:
    return stamp - stamp % DAY


def _iso(stamp: int | None) -> str | None:
    from sealane.health.report import iso

    return None if stamp is None else iso(stamp)
