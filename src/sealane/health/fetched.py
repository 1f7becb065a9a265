"""Projects that were fetched: where they lie, how their two halves become one, and the verdict that was last given.

Issues, answers and pull requests come from the forge, commits, tags and ownership from the mirror; where both know
pull requests, the forge wins, because it knows who merged. A first fetch that did not come to its end has brought the
oldest items only and would look like a project that died, so its items are not counted until it has. The last verdict
is kept beside the raw data, so that a page with many projects reads one small file for each.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec

from sealane.health import assessment, errors, sample
from sealane.health.assessment import Assessment, Known, Notices, SourceNote
from sealane.health.bots import BotRules
from sealane.health.events import Events
from sealane.health.sources import git, githubevents, rawstore
from sealane.health.sources.rawstore import Store
from sealane.health.warehouse import DuckWarehouse
from sealane.lib import text
from sealane.lib.errors import NextStep

KEPT = "assessment.json"


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """One project from all that was fetched of it; `bots` with the reason, `taken_at` up to when all of it is known."""

    events: Events
    known: Known
    sources: tuple[SourceNote, ...]
    bots: dict[str, str]
    taken_at: int
    notice: str = ""


def raw_root(data_dir: Path) -> Path:
    """Where raw answers lie."""
    return data_dir / "health" / "raw"


def mirror_path(data_dir: Path, repository: str) -> Path:
    """Where the mirror of `owner/name` lies."""
    return data_dir / "health" / "git" / f"{rawstore.slug(repository)}.git"


def find(data_dir: Path, repository: str) -> Store | None:
    """What was fetched of a project, if enough for a verdict; None also where only a broken begin is there."""
    store = rawstore.find(raw_root(data_dir), repository)
    if store is None:
        return None
    return store if store.state.taken_at is not None or _mirror(data_dir, store) is not None else None


def merge(data_dir: Path, store: Store, *, rules: BotRules, now: int) -> Merged:
    """Both halves as one. Raises SourceMissing or SourceBroken."""
    state = store.state
    project = state.facts.repository
    path = _mirror(data_dir, store)
    read = None if path is None else git.read(path, project=project, rules=rules, now=now)
    api = githubevents.gather(store) if state.taken_at is not None else None
    if read is None and api is None:
        raise errors.SourceMissing(
            f"The fetch of {project} did not come to its end, so nothing is known of it yet.",
            next_steps=(NextStep(title="Go on with it", command=f"sealane health fetch {project}"),),
        )
    base = read.events if read else Events(project=project)
    events = base
    if api is not None:
        spelled = {actor.casefold(): actor for actor in (item.actor for item in api.items) if actor}
        names = tuple(
            msgspec.structs.replace(name, actor=spelled.get(name.actor.casefold(), name.actor))
            for name in base.owner_names
        )
        events = msgspec.structs.replace(base, items=api.items, actions=api.actions, owner_names=names)
    times = [at for at in (state.taken_at, state.git_at if read else None) if at is not None]
    named = dict.fromkeys(sorted(api.bots), githubevents.BOT_REASON) if api else {}
    bots = {**rules.among(events.actors()), **named}
    return Merged(
        events=msgspec.structs.replace(events, taken_at=min(times)),
        known=Known(
            issues=api is not None and state.facts.has_issues,
            pulls=api is not None or (read is not None and read.pull_refs > 0),
            conversation=api is not None,
            commits=read is not None,
            domains=read is not None,
        ),
        sources=_notes(store, read, path),
        bots={actor: why for actor, why in bots.items() if actor.lower() not in rules.allow},
        taken_at=min(times),
        notice=_notice(store) or _shipped_notice(project),
    )


def assess(
    data_dir: Path,
    store: Store,
    *,
    as_of: int | None,
    window: int,
    now: int,
    rules: BotRules,
    said: Notices | None = None,
) -> Assessment:
    """The report of a fetched project at `as_of`; None is up to when everything of it is known."""
    merged = merge(data_dir, store, rules=rules, now=now)
    said = said or Notices()
    if merged.notice and not said.notice and not said.marked_alive:
        said = msgspec.structs.replace(said, notice=merged.notice)
    warehouse = DuckWarehouse()
    try:
        warehouse.replace(merged.events, bots=merged.bots)
        when = merged.taken_at if as_of is None else as_of
        project = merged.events.project
        return assessment.assess(
            warehouse, project, when, known=merged.known, sources=merged.sources, notices=said, window=window
        )
    finally:
        warehouse.close()


def keep(store: Store, assessed: Assessment) -> None:
    """Keep the last assessment beside the raw data."""
    rawstore.write(store.folder / KEPT, msgspec.json.encode(assessed))


def kept(store: Store) -> Assessment | None:
    """The last assessment, or None where there is none of this version's shape."""
    try:
        return msgspec.json.decode((store.folder / KEPT).read_bytes(), type=Assessment)
    except (OSError, msgspec.DecodeError):
        return None


def _mirror(data_dir: Path, store: Store) -> Path | None:
    """The mirror, once a whole fetch of it was recorded."""
    path = mirror_path(data_dir, store.state.facts.repository)
    return path if store.state.git_url and (path / "HEAD").is_file() else None


def _notice(store: Store) -> str:
    facts = store.state.facts
    if not facts.archived:
        return ""
    since = "" if facts.archived_at is None else f" since {_day(facts.archived_at)}"
    return f"Its owners archived it on their forge{since}: it is read-only."


def _shipped_notice(project: str) -> str:
    """What its makers said elsewhere than on the forge, as Sealane ships it."""
    one = next((each for each in sample.notices().values() if each.repository.lower() == project.lower()), None)
    return one.notice if one else ""


def _notes(store: Store, read: git.GitRead | None, path: Path | None) -> tuple[SourceNote, ...]:
    state = store.state
    notes = []
    if state.api:
        notes.append(
            SourceNote(
                kind="github",
                location=state.facts.url or state.facts.repository,
                taken_at=None if state.taken_at is None else _iso(state.taken_at),
                version=str(state.facts.id),
                notes=tuple(_said(store)),
            )
        )
    if read is not None and path is not None:
        skipped = (f"{text.count(read.skipped, 'commit')} with an impossible date left out.",) if read.skipped else ()
        refs = () if state.taken_at is not None else ("Git alone: issues, comments and answers are not in it.",)
        notes.append(
            SourceNote(
                kind="git",
                location=state.git_url,
                taken_at=_iso(state.git_at),
                version=read.head,
                notes=(*refs, *skipped),
            )
        )
    return tuple(notes)


def _said(store: Store) -> list[str]:
    state = store.state
    facts, notes = state.facts, []
    if state.taken_at is None:
        notes.append("The first fetch did not come to its end; its items are not counted until it has.")
    elif state.running is not None:
        notes.append("A newer fetch did not come to its end; the figures are of the one before.")
    if "graphql" not in state.full and state.taken_at is not None:
        notes.append("Fetched without a token: reviews and who merged are not in it.")
    if facts.fork:
        notes.append("It is a fork: what happens in its parent is not counted.")
    if facts.mirror_of:
        notes.append(f"It is a mirror of {facts.mirror_of}: its issues may live there.")
    if not facts.has_issues:
        notes.append("Its issues are turned off, so they are unknown, not none.")
    for name, count in state.left_out.items():
        notes.append(f"GitHub left out {count} of its {name}, or their answers.")
    return notes


def _iso(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(at: int) -> str:
    return _iso(at)[:10]
