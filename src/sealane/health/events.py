"""The event model: what every source (a dump, git, a forge's API) is turned into before anything is counted.

One model for all sources is what lets a definition be written once and checked once. Times are whole seconds since
1970 in UTC. An actor is a login as the forge writes it, compared exactly; None is a deleted account, who counts in
totals and as outside, never among people. A person of git is an id that never shows an address. Issues and pull
requests are two kinds that are never added.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ItemKind = Literal["issue", "pull"]
ActionKind = Literal["comment", "review", "inline"]


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An issue or a pull request. `association` is the author's on the day of the reading, "" where not known."""

    project: str
    kind: ItemKind
    number: int
    actor: str | None
    association: str
    stamp: int
    closed_at: int | None = None
    merged_at: int | None = None
    merged_by: str | None = None
    title: str = ""
    url: str = ""


class Action(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A comment, a review, or a comment inside a review, on one item. `state` is a review's (APPROVED, …)."""

    project: str
    kind: ActionKind
    item_kind: ItemKind
    number: int
    actor: str | None
    association: str
    stamp: int
    state: str = ""


class Commit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A commit reachable from the default branch. `stamp` is commit time; `web` that the forge itself committed it."""

    project: str
    sha: str
    parents: int
    stamp: int
    author: str
    bot: bool
    web: bool


class Coauthor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody named in a commit's `Co-authored-by` trailer."""

    project: str
    sha: str
    author: str
    bot: bool


class Tag(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A tag, by its tagger's date, else its commit's."""

    project: str
    name: str
    stamp: int


class OwnerVersion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One version of an ownership file; `position` orders versions of one path that have the same time."""

    project: str
    path: str
    position: int
    stamp: int
    deleted: bool


class OwnerName(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A login that stands in one version of an ownership file."""

    project: str
    path: str
    position: int
    actor: str


class Domain(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The organisation part of a commit author's address, where it is no mail provider's."""

    project: str
    author: str
    domain: str


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one source knows of one project. `taken_at`: when it was read from the forge, in seconds."""

    project: str
    taken_at: int | None = None
    items: tuple[Item, ...] = ()
    actions: tuple[Action, ...] = ()
    commits: tuple[Commit, ...] = ()
    coauthors: tuple[Coauthor, ...] = ()
    tags: tuple[Tag, ...] = ()
    owner_versions: tuple[OwnerVersion, ...] = ()
    owner_names: tuple[OwnerName, ...] = ()
    domains: tuple[Domain, ...] = ()

    def actors(self) -> frozenset[str]:
        """Every login that stands anywhere in it."""
        found = {item.actor for item in self.items} | {item.merged_by for item in self.items}
        found |= {action.actor for action in self.actions} | {name.actor for name in self.owner_names}
        return frozenset(actor for actor in found if actor)
