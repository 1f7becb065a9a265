"""A folder that holds a repository's own dump: issues and pull requests, and its git history, tags and ownership files.

`archive.json[.gz]` is the dump that many standards repositories publish of themselves; `git.ndjson[.gz]`,
`tags.ndjson[.gz]` and `owners.ndjson[.gz]` are what `git log` says, one object a line. Only the dump is needed. Nothing
is fetched, so a verdict from such a folder can be repeated by anybody at any time. Sizes are limited, because a
compressed file of a few kilobytes may hold gigabytes.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from sealane.health import errors
from sealane.health.events import (
    Action,
    Coauthor,
    Commit,
    Events,
    Item,
    ItemKind,
    OwnerName,
    OwnerVersion,
    Tag,
)

LIMIT = 2 * 1024**3
"""Bytes that one file may have once decompressed; the largest dump known has a hundredth of it."""

T = TypeVar("T")
Time = datetime.datetime
Text = Annotated[str, msgspec.Meta(max_length=1_000_000)]


class _Comment(msgspec.Struct, rename="camel"):
    created_at: Time
    author: str | None = None
    author_association: str | None = None


class _Inline(msgspec.Struct, rename="camel"):
    created_at: Time


class _Review(msgspec.Struct, rename="camel"):
    created_at: Time
    author: str | None = None
    author_association: str | None = None
    state: str | None = None
    comments: list[_Inline] = []


class _Item(msgspec.Struct, rename="camel"):
    number: int
    created_at: Time
    title: str | None = None
    url: str | None = None
    author: str | None = None
    author_association: str | None = None
    closed_at: Time | None = None
    merged_at: Time | None = None
    merged_by: str | None = None
    comments: list[_Comment] = []
    reviews: list[_Review] = []


class _Dump(msgspec.Struct):
    repo: str
    timestamp: Time | None = None
    issues: list[_Item] = []
    pulls: list[_Item] = []


class _Person(msgspec.Struct):
    id: str
    bot: bool = False
    web: bool = False


class _Commit(msgspec.Struct):
    sha: str
    parents: int
    commit_time: int
    author: _Person
    committer: _Person | None = None
    coauthors: list[_Person] = []


class _Tag(msgspec.Struct):
    tag: str
    time: int


class _Owners(msgspec.Struct):
    commit_time: int
    path: str
    deleted: bool = False
    logins: list[str] = []


def read(folder: Path) -> Events:
    """Everything in the folder. Raises SourceMissing without a dump, SourceBroken with the file and what is wrong."""
    dump = _dump(folder)
    project = dump.repo
    kinds: tuple[tuple[ItemKind, list[_Item]], ...] = (("issue", dump.issues), ("pull", dump.pulls))
    items = [_item(project, kind, item) for kind, found in kinds for item in found]
    actions = [action for kind, found in kinds for item in found for action in _actions(project, kind, item)]
    commits = _lines(folder, "git.ndjson", _Commit)
    owners = _lines(folder, "owners.ndjson", _Owners)
    return Events(
        project=project,
        taken_at=_seconds(dump.timestamp),
        items=tuple(items),
        actions=tuple(actions),
        commits=tuple(_commit(project, commit) for commit in commits),
        coauthors=tuple(
            Coauthor(project=project, sha=commit.sha, author=person.id, bot=person.bot)
            for commit in commits
            for person in commit.coauthors
        ),
        tags=tuple(Tag(project=project, name=tag.tag, stamp=tag.time) for tag in _lines(folder, "tags.ndjson", _Tag)),
        owner_versions=tuple(
            OwnerVersion(
                project=project, path=each.path, position=position, stamp=each.commit_time, deleted=each.deleted
            )
            for position, each in enumerate(owners)
        ),
        owner_names=tuple(
            OwnerName(project=project, path=each.path, position=position, actor=login)
            for position, each in enumerate(owners)
            for login in sorted(set(each.logins))
        ),
    )


def digest(folder: Path) -> str:
    """SHA-256 of the dump once decompressed, in hex: what a report was made from."""
    path = _existing(folder, "archive.json")
    return "" if path is None else hashlib.sha256(_content(path)).hexdigest()


def _dump(folder: Path) -> _Dump:
    path = _existing(folder, "archive.json")
    if path is None:
        raise errors.SourceMissing(f"{folder} holds no archive.json or archive.json.gz.")
    try:
        return msgspec.json.decode(_content(path), type=_Dump)
    except msgspec.ValidationError as error:
        raise errors.SourceBroken(f"{path} is not a dump of issues and pull requests: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.SourceBroken(f"{path} is cut off or damaged: {error}.") from error


def _lines(folder: Path, name: str, shape: type[T]) -> list[T]:
    path = _existing(folder, name)
    if path is None:
        return []
    decoder = msgspec.json.Decoder(shape)
    found: list[T] = []
    for number, line in enumerate(_content(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.SourceBroken(f"{path}, line {number}: {error}.") from error
    return found


def _existing(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _content(path: Path) -> bytes:
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            content = file.read(LIMIT + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise errors.SourceBroken(f"{path} is cut off or damaged: {error}.") from error
    except OSError as error:
        raise errors.SourceMissing(f"{path} cannot be read ({error.strerror}).") from error
    if len(content) > LIMIT:
        raise errors.SourceBroken(f"{path} holds more than {LIMIT // 1024**3} GiB.")
    return content


def _item(project: str, kind: ItemKind, item: _Item) -> Item:
    return Item(
        project=project,
        kind=kind,
        number=item.number,
        actor=item.author,
        association=item.author_association or "",
        stamp=_at(item.created_at),
        closed_at=_seconds(item.closed_at),
        merged_at=_seconds(item.merged_at),
        merged_by=item.merged_by,
        title=item.title or "",
        url=item.url or "",
    )


def _actions(project: str, kind: ItemKind, item: _Item) -> Iterator[Action]:
    for comment in item.comments:
        yield Action(
            project=project,
            kind="comment",
            item_kind=kind,
            number=item.number,
            actor=comment.author,
            association=comment.author_association or "",
            stamp=_at(comment.created_at),
        )
    for review in item.reviews:
        made = Action(
            project=project,
            kind="review",
            item_kind=kind,
            number=item.number,
            actor=review.author,
            association=review.author_association or "",
            stamp=_at(review.created_at),
            state=review.state or "",
        )
        yield made
        for inline in review.comments:
            yield msgspec.structs.replace(made, kind="inline", stamp=_at(inline.created_at), state="")


def _commit(project: str, commit: _Commit) -> Commit:
    return Commit(
        project=project,
        sha=commit.sha,
        parents=commit.parents,
        stamp=commit.commit_time,
        author=commit.author.id,
        bot=commit.author.bot,
        web=commit.committer is not None and commit.committer.web,
    )


def _at(time: Time) -> int:
    return int((time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp())


def _seconds(time: Time | None) -> int | None:
    return None if time is None else _at(time)
