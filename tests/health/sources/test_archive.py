"""Dumps: what is read of them, and what is said of damaged ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sealane.health.errors import SourceBroken, SourceMissing
from sealane.health.sources import archive

DUMP: dict[str, Any] = {
    "repo": "acme/thing",
    "timestamp": "2026-04-16T02:00:27.027035+00:00",
    "issues": [
        {
            "number": 1,
            "createdAt": "2026-01-01T00:00:00Z",
            "closedAt": None,
            "author": None,
            "authorAssociation": "NONE",
            "title": "\U0001f4a5 <b>boom</b>",
            "comments": [{"author": "ann", "authorAssociation": "MEMBER", "createdAt": "2026-01-02T00:00:00Z"}],
        }
    ],
    "pulls": [
        {
            "number": 2,
            "createdAt": "2026-01-03T00:00:00Z",
            "closedAt": "2026-01-04T00:00:00Z",
            "mergedAt": "2026-01-04T00:00:00Z",
            "mergedBy": "ann",
            "author": "bob",
            "reviews": [
                {
                    "author": "ann",
                    "state": "APPROVED",
                    "createdAt": "2026-01-03T12:00:00Z",
                    "comments": [{"createdAt": "2026-01-03T11:00:00Z"}],
                }
            ],
        }
    ],
}
COMMIT = {
    "sha": "a" * 40,
    "parents": 1,
    "commit_time": 1_767_225_600,
    "author": {"id": "login:ann", "bot": False},
    "committer": {"id": "x", "web": True},
    "coauthors": [{"id": "login:bob", "bot": False}],
}


def folder(path: Path, **files: object) -> Path:
    for name, content in ({"archive": DUMP} | files).items():
        lines = content if isinstance(content, list) else [content]
        file = "archive.json.gz" if name == "archive" else f"{name}.ndjson.gz"
        (path / file).write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    return path


def test_issues_pull_requests_and_what_was_said_become_events(tmp_path: Path) -> None:
    events = archive.read(folder(tmp_path))
    assert events.project == "acme/thing"
    assert events.taken_at == 1_776_304_827
    issue, pull = events.items
    assert (issue.kind, issue.actor, issue.closed_at, issue.title) == ("issue", None, None, "\U0001f4a5 <b>boom</b>")
    assert (pull.kind, pull.merged_by, pull.merged_at) == ("pull", "ann", 1_767_484_800)
    assert [(action.kind, action.actor, action.state) for action in events.actions] == [
        ("comment", "ann", ""),
        ("review", "ann", "APPROVED"),
        ("inline", "ann", ""),
    ]


def test_commits_tags_and_owners_are_read_where_they_are(tmp_path: Path) -> None:
    tag = {"tag": "v1", "annotated": True, "time": 5, "commit": "a"}
    owners = [
        {"commit_time": 7, "path": "CODEOWNERS", "deleted": False, "logins": ["bob", "ann", "bob"]},
        {"commit_time": 7, "path": "CODEOWNERS", "deleted": True, "logins": []},
    ]
    events = archive.read(folder(tmp_path, git=COMMIT, tags=tag, owners=owners))
    assert (events.commits[0].author, events.commits[0].web) == ("login:ann", True)
    assert [coauthor.author for coauthor in events.coauthors] == ["login:bob"]
    assert events.tags[0].name == "v1"
    assert [(version.position, version.deleted) for version in events.owner_versions] == [(0, False), (1, True)]
    assert [name.actor for name in events.owner_names] == ["ann", "bob"]


def test_an_uncompressed_dump_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text(json.dumps(DUMP))
    assert len(archive.read(tmp_path).items) == 2
    assert len(archive.digest(tmp_path)) == 64


def test_a_folder_without_a_dump_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"holds no archive\.json"):
        archive.read(tmp_path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_dump_that_was_cut_off_is_named_as_such(tmp_path: Path, share: float) -> None:
    path = folder(tmp_path) / "archive.json.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SourceBroken, match="cut off or damaged"):
        archive.read(tmp_path)


def test_json_that_ends_in_the_middle_is_cut_off_too(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text(json.dumps(DUMP)[:-40])
    with pytest.raises(SourceBroken, match="cut off or damaged"):
        archive.read(tmp_path)


def test_something_else_is_no_dump(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text('{"repo": 5}')
    with pytest.raises(SourceBroken, match="is not a dump"):
        archive.read(tmp_path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "git.ndjson").write_text(json.dumps(COMMIT) + "\n{broken\n")
    with pytest.raises(SourceBroken, match="line 2"):
        archive.read(tmp_path)


def test_a_small_file_that_would_become_huge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LIMIT", 100)
    with pytest.raises(SourceBroken, match="holds more than"):
        archive.read(folder(tmp_path))
