"""The build of the front end: what it is made from, when it is done anew, and where Node comes from."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """hatch_build.py, with a stand-in for hatchling, which is there only while something is built."""
    name = "hatchling.builders.hooks.plugin.interface"
    stand_in = types.ModuleType(name)
    stand_in.BuildHookInterface = type("BuildHookInterface", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, stand_in)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The sources of the front end, alone."""
    console = tmp_path / "src/sealane/console"
    (console / "ui/src").mkdir(parents=True)
    (console / "static/dist").mkdir(parents=True)
    (console / "ui/src/main.ts").write_text("export {}")
    for name in ("build.mjs", "package.json", "package-lock.json"):
        (console / "ui" / name).write_text("{}")
    (console / "static/sealane.css").write_text("body{}")
    return tmp_path


def test_what_was_built_from_the_same_sources_is_kept(hook: Any, tree: Path) -> None:
    dist = tree / "src/sealane/console/static/dist"
    assert not hook._fresh(tree)
    (dist / "manifest.json").write_text("{}")
    (dist / "sources.sha256").write_text(hook._sources(tree))
    assert hook._fresh(tree)


@pytest.mark.parametrize("name", ["ui/src/main.ts", "ui/package-lock.json", "ui/build.mjs", "static/sealane.css"])
def test_any_changed_source_makes_it_anew(hook: Any, tree: Path, name: str) -> None:
    before = hook._sources(tree)
    (tree / "src/sealane/console" / name).write_text("changed")
    assert hook._sources(tree) != before


def test_node_is_asked_of_pypi_only_where_there_is_none(hook: Any, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = hook.FrontEndHook()
    made.root = str(tree)
    monkeypatch.setattr(hook, "_node", lambda: None)
    assert made.dependencies() == [hook.NODE_WHEEL]
    monkeypatch.setattr(hook, "_node", object)
    assert made.dependencies() == []


def test_an_old_node_is_not_taken(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    for said, taken in (("v24.19.0\n", True), ("v12.22.9\n", False), ("", False)):
        done = subprocess.CompletedProcess([], 0, stdout=said)
        monkeypatch.setattr(subprocess, "run", lambda *a, done=done, **k: done)
        assert hook._new_enough("node") is taken


def test_a_failed_build_says_what_failed(hook: Any, tree: Path) -> None:
    with pytest.raises(RuntimeError, match="failed in"):
        hook._run([sys.executable, "-c", "raise SystemExit(3)"], tree)


def test_every_package_of_the_front_end_is_pinned_exactly() -> None:
    import json

    package = json.loads((ROOT / "src/sealane/console/ui/package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert all(version[0].isdigit() for version in versions.values()), versions
