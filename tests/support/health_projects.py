"""Random small projects for tests of project health: few people, many coincidences."""

from __future__ import annotations

from hypothesis import strategies as st

from sealane.health.events import Action, Coauthor, Commit, Events, Item, OwnerName, OwnerVersion, Tag

PROJECT = "acme/thing"
AS_OF = 1_700_000_000 - 1_700_000_000 % 86400
PEOPLE = ["ann", "bob", "cho", "dia", "eve", "fay"]
BOTS = {"helper[bot]": "its name ends in [bot]", "stale": "known by name"}
DAY = 86400

actors = st.one_of(st.none(), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.sampled_from(sorted(BOTS)))
days_ago = st.one_of(st.integers(-40, 1200), st.sampled_from([30, 90, 180, 365, 730]))
seconds = st.sampled_from([0, 0, 1, 3600, 86399])
stamps = st.builds(lambda days, more: AS_OF - days * DAY + more, days_ago, seconds)
associations = st.sampled_from(["", "NONE", "NONE", "CONTRIBUTOR", "MEMBER", "OWNER", "COLLABORATOR"])


@st.composite
def items(draw: st.DrawFn, number: int) -> Item:
    """One issue or pull request; closing may come before opening, as imports make it."""
    kind = draw(st.sampled_from(["issue", "pull"]))
    opened = draw(stamps)
    closed = draw(st.one_of(st.none(), st.integers(-2, 400).map(lambda days: opened + days * DAY)))
    merged = closed if kind == "pull" and closed is not None and draw(st.booleans()) else None
    return Item(
        project=PROJECT,
        kind=kind,
        number=number,
        actor=draw(actors),
        association=draw(associations),
        stamp=opened,
        closed_at=closed,
        merged_at=merged,
        merged_by=draw(actors) if merged is not None else None,
    )


@st.composite
def projects(draw: st.DrawFn) -> Events:
    """Everything one project may have."""
    found = [draw(items(number)) for number in range(1, draw(st.integers(0, 14)) + 1)]
    actions = [draw(_action(item)) for item in found for _ in range(draw(st.integers(0, 3)))]
    commits = [draw(_commit(place)) for place in range(draw(st.integers(0, 8)))]
    versions = [draw(_version(place)) for place in range(draw(st.integers(0, 4)))]
    return Events(
        project=PROJECT,
        items=tuple(found),
        actions=tuple(actions),
        commits=tuple(commits),
        coauthors=tuple(
            Coauthor(project=PROJECT, sha=commit.sha, author=draw(st.sampled_from(PEOPLE)), bot=draw(st.booleans()))
            for commit in commits
            if draw(st.booleans())
        ),
        tags=tuple(
            Tag(project=PROJECT, name=f"v{place}", stamp=draw(stamps)) for place in range(draw(st.integers(0, 4)))
        ),
        owner_versions=tuple(versions),
        owner_names=tuple(
            OwnerName(project=PROJECT, path=version.path, position=version.position, actor=actor)
            for version in versions
            if not version.deleted
            for actor in sorted(draw(st.sets(st.sampled_from([*PEOPLE, "stale"]), max_size=3)))
        ),
    )


@st.composite
def _action(draw: st.DrawFn, item: Item) -> Action:
    kind = draw(st.sampled_from(["comment", "comment", "review", "inline"])) if item.kind == "pull" else "comment"
    return Action(
        project=PROJECT,
        kind=kind,
        item_kind=item.kind,
        number=item.number,
        actor=draw(actors),
        association=draw(associations),
        stamp=item.stamp + draw(st.sampled_from([-3600, 0, 60, DAY, 7 * DAY, 7 * DAY + 1, 40 * DAY])),
        state=draw(st.sampled_from(["APPROVED", "COMMENTED", "DISMISSED"])) if kind == "review" else "",
    )


@st.composite
def _commit(draw: st.DrawFn, place: int) -> Commit:
    return Commit(
        project=PROJECT,
        sha=f"{place:040x}",
        parents=draw(st.integers(0, 2)),
        stamp=draw(stamps),
        author=draw(st.sampled_from(PEOPLE)),
        bot=draw(st.booleans()),
        web=draw(st.booleans()),
    )


@st.composite
def _version(draw: st.DrawFn, place: int) -> OwnerVersion:
    return OwnerVersion(
        project=PROJECT,
        path=draw(st.sampled_from(["CODEOWNERS", ".github/CODEOWNERS"])),
        position=place,
        stamp=draw(stamps),
        deleted=draw(st.booleans()),
    )
