"""The simulated file system: what is there, what may be written, and what is said of the rest."""

from __future__ import annotations

import pytest

from sealane.sandbox.world.shell import files
from sealane.sandbox.world.shell.files import FileProblem, FileSystem, resolve


@pytest.fixture
def disk() -> FileSystem:
    return FileSystem(
        {"/etc/hosts": b"127.0.0.1\n", "/secrets/token": b"t", "/proc/uptime": lambda: b"1.0\n"},
        folders=("/tmp", "/empty"),
        read_only=("/secrets",),
        sizes=lambda: {"/models/blobs/sha256-1": 4_000_000_000},
    )


def test_folders_are_listed_by_name_with_sizes(disk: FileSystem) -> None:
    assert [entry.name for entry in disk.list("/")] == ["empty", "etc", "models", "proc", "secrets", "tmp"]
    assert [(entry.folder, entry.size) for entry in disk.list("/models/blobs")] == [(False, 4_000_000_000)]
    assert disk.list("/empty") == []


def test_files_are_read_and_computed_ones_at_each_reading(disk: FileSystem) -> None:
    assert (disk.read("/etc/hosts"), disk.read("/proc/uptime")) == (b"127.0.0.1\n", b"1.0\n")
    assert b"simulated" in disk.read("/models/blobs/sha256-1")


def test_what_is_written_is_there_and_can_be_added_to_and_removed(disk: FileSystem) -> None:
    disk.write("/tmp/a", b"one\n")
    disk.write("/tmp/a", b"two\n", append=True)
    assert disk.read("/tmp/a") == b"one\ntwo\n"
    disk.make_folder("/tmp/b")
    disk.write("/tmp/b/c", b"")
    disk.remove("/tmp/b")
    assert [entry.name for entry in disk.list("/tmp")] == ["a"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/secrets/token", "Read-only file system"),
        ("/etc", "Is a directory"),
        ("/nowhere/file", "No such file or directory"),
    ],
)
def test_what_cannot_be_written_says_why(disk: FileSystem, path: str, said: str) -> None:
    with pytest.raises(FileProblem, match=said):
        disk.write(path, b"x")


def test_a_disk_is_full_some_time(disk: FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_WRITTEN", 10)
    with pytest.raises(FileProblem, match="No space left"):
        disk.write("/tmp/big", bytes(11))


@pytest.mark.parametrize(("path", "said"), [("/etc", "Is a directory"), ("/none", "No such file or directory")])
def test_what_cannot_be_read_says_why(disk: FileSystem, path: str, said: str) -> None:
    with pytest.raises(FileProblem, match=said):
        disk.read(path)
    with pytest.raises(FileProblem, match="Not a directory"):
        disk.list("/etc/hosts")
    with pytest.raises(FileProblem, match="No such file"):
        disk.remove("/none")
    with pytest.raises(FileProblem, match="File exists"):
        disk.make_folder("/etc/hosts")


def test_paths_are_made_plain() -> None:
    assert [resolve("/a/b", path) for path in ("c", "../c", "/x//y", ".", "/..")] == [
        "/a/b/c",
        "/a/c",
        "/x/y",
        "/a/b",
        "/",
    ]
