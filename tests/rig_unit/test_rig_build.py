"""Builds: found again by what they were made of, and refused in one sentence when something is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rig import build
from rig.errors import BuildFailed, ToolMissing

UNIT = build.Unit(name="demo", packages=("example.test/cmd/demo",), programs=("demo",))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `rig/build` of our own with one unit, and a cache of our own."""
    folder = tmp_path / "build"
    (folder / "demo").mkdir(parents=True)
    (folder / "demo" / "go.mod").write_text("module example.test/rig\n")
    (folder / "demo" / "go.sum").write_text("")
    monkeypatch.setattr(build, "SOURCES", folder)
    monkeypatch.setattr(build, "UNITS", (UNIT,))
    monkeypatch.setenv("SEALANE_RIG_CACHE", str(tmp_path / "cache"))
    return folder


def fake_go(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Put a program named `go` on the PATH that does what `script` says ($5 is the output path)."""
    folder.mkdir(exist_ok=True)
    (folder / "go").write_text(f'#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done; out=$2\n{script}\n')
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_build_is_made_once_and_then_found(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_go(monkeypatch, tmp_path / "bin", "echo made > $out")
    build.build_all()
    assert build.program("demo").read_text() == "made\n"
    fake_go(monkeypatch, tmp_path / "bin", "exit 1")
    build.build_all()
    assert "built before" in capsys.readouterr().out


def test_another_go_sum_is_another_build(sources: Path) -> None:
    before = build.folder(UNIT)
    (sources / "demo" / "go.sum").write_text("changed\n")
    assert build.folder(UNIT) != before


def test_other_flags_are_another_build(sources: Path) -> None:
    flagged = build.Unit(name="demo", packages=UNIT.packages, programs=("demo",), link_flags="-X a.b=c")
    assert build.folder(flagged) != build.folder(UNIT)


def test_a_failed_build_shows_the_compilers_words_and_leaves_nothing(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_go(monkeypatch, tmp_path / "bin", "echo undefined: thing >&2; exit 2")
    with pytest.raises(BuildFailed, match="undefined: thing"):
        build.build_all()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["demo.lock"]


def test_without_go_it_says_so(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda _name: None)
    with pytest.raises(ToolMissing, match="no `go` is on the PATH"):
        build.build_all()


def test_what_is_not_built_is_named_with_the_command_that_builds_it(sources: Path) -> None:
    with pytest.raises(ToolMissing, match="demo is not built") as caught:
        build.require_built()
    assert caught.value.next_steps[0].command == "python -m rig build"


def test_missing_headers_are_named_as_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_HEADERS", (("no/such/header.h", "no-such-dev"),))
    monkeypatch.setattr(build.shutil, "which", shutil.which)
    with pytest.raises(ToolMissing, match="no-such-dev") as caught:
        build._require_headers()
    assert "apt-get install no-such-dev" in caught.value.next_steps[0].command


def test_the_stand_in_header_counts_for_ollama() -> None:
    assert (build.INCLUDE / "miniaudio" / "miniaudio.h").read_text().startswith("// Stand-in")


def test_every_unit_has_a_module_that_names_its_packages() -> None:
    for unit in build.UNITS:
        text = (build.SOURCES / unit.name / "go.mod").read_text()
        assert all(package in text for package in unit.packages)
