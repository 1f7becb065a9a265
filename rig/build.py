"""Builds what the rig runs, once: the programs come from the Go module proxy, pinned by go.mod and go.sum.

Each folder of `rig/build/` holds a go.mod with tool lines and no code of ours. What a build gives depends on those
two files, the flags and the stand-in header alone, so its folder in the cache is named by their hash: a change builds
anew, anything else is found again in milliseconds. Nothing of those projects is copied into this repository; KAI's
resource definitions are read out of Go's module cache in place.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.errors import BuildFailed, ToolMissing
from sealane.lib.errors import NextStep

SOURCES = Path(__file__).parent / "build"
INCLUDE = SOURCES / "include"
KUBERNETES_VERSION = "1.34.1"
OLLAMA_VERSION = "0.23.0"
_KAI = "github.com/NVIDIA/KAI-scheduler"
_KAI_PROGRAMS = ("admission", "binder", "podgroupcontroller", "podgrouper", "queuecontroller", "scheduler")
_KUBERNETES_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_COMPONENT = "-X k8s.io/component-base/version"
_HEADERS = (("nlohmann/json.hpp", "nlohmann-json3-dev"), ("stb/stb_image.h", "libstb-dev"))
# The last of these is not cosmetic: KAI's podgroupcontroller takes :8080 whatever its flags say, so a second cluster
# on the same machine would die of the clash.
_CONTROL_FLAGS = (
    f"{_COMPONENT}.gitVersion=v{KUBERNETES_VERSION} {_COMPONENT}.gitMajor=1 {_COMPONENT}.gitMinor=34 "
    "-X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=127.0.0.1:0"
)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One `go build`: a folder of `rig/build/`, the main packages and the names of the programs that come out."""

    name: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    link_flags: str = ""


UNITS = (
    Unit(
        name="control",
        packages=tuple(f"{_KAI}/cmd/{name}" for name in _KAI_PROGRAMS)
        + tuple(f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES_PROGRAMS),
        programs=_KAI_PROGRAMS + _KUBERNETES_PROGRAMS,
        link_flags=_CONTROL_FLAGS,
    ),
    Unit(name="etcd", packages=("go.etcd.io/etcd/server/v3",), programs=("etcd",)),
    Unit(
        name="ollama",
        packages=("github.com/ollama/ollama",),
        programs=("ollama",),
        link_flags=f"-X github.com/ollama/ollama/version.Version={OLLAMA_VERSION}",
    ),
    Unit(name="helm", packages=("helm.sh/helm/v3/cmd/helm",), programs=("helm",)),
)


def cache_dir() -> Path:
    """Where builds are kept: `$SEALANE_RIG_CACHE`, else `~/.cache/sealane/rig`."""
    named = os.environ.get("SEALANE_RIG_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "sealane" / "rig"


def folder(unit: Unit) -> Path:
    """The cache folder of this unit as it stands now; its name changes with anything that changes the build."""
    digest = hashlib.sha256()
    inputs = [SOURCES / unit.name / "go.mod", SOURCES / unit.name / "go.sum"]
    if unit.name == "ollama":
        inputs += sorted(INCLUDE.rglob("*.h"))
    for path in inputs:
        digest.update(path.read_bytes())
    digest.update("\0".join((unit.link_flags, *unit.packages)).encode())
    return cache_dir() / f"{unit.name}-{digest.hexdigest()[:16]}"


def program(name: str) -> Path:
    """The built program of that name; raises ToolMissing when it was not built."""
    for unit in UNITS:
        if name in unit.programs:
            path = folder(unit) / name
            if path.exists():
                return path
            break
    raise ToolMissing(f"{name} is not built.", next_steps=(_BUILD_STEP,))


def kai_crds() -> list[Path]:
    """KAI's resource definitions, in Go's module cache; raises ToolMissing when they went away with it."""
    found = sorted((folder(UNITS[0]) / "kai-crds").glob("*.yaml"))
    if not found:
        raise ToolMissing("KAI's resource definitions are not in Go's module cache.", next_steps=(_BUILD_STEP,))
    return found


def build_all() -> None:
    """Build whatever is missing, one unit after the other; raises ToolMissing or BuildFailed."""
    for unit in UNITS:
        _build(unit)


def require_built() -> None:
    """Raise ToolMissing, naming the first program that is not built."""
    for unit in UNITS:
        for name in unit.programs:
            program(name)
    kai_crds()


_BUILD_STEP = NextStep(title="Build what the rig runs", command="python -m rig build")


def _build(unit: Unit) -> None:
    target = folder(unit)
    if _complete(unit, target):
        print(f"{unit.name}: built before ({target})", flush=True)
        return
    if shutil.which("go") is None:
        raise ToolMissing("The rig is built with Go 1.24 or newer, and no `go` is on the PATH.")
    if unit.name == "ollama":
        _require_headers()
    cache_dir().mkdir(parents=True, exist_ok=True)
    with _lock(cache_dir() / f"{unit.name}.lock"):
        if not _complete(unit, target):
            _compile(unit, target)


def _complete(unit: Unit, target: Path) -> bool:
    links = target / "kai-crds"
    return all((target / name).exists() for name in unit.programs) and (unit.name != "control" or links.exists())


def _compile(unit: Unit, target: Path) -> None:
    started = time.monotonic()
    print(f"{unit.name}: building {', '.join(unit.programs)} (minutes with a cold Go cache) …", flush=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{unit.name}-", dir=cache_dir()))
    output = f"{scratch}/" if len(unit.programs) > 1 else str(scratch / unit.programs[0])
    flags = f"-s -w {unit.link_flags}".strip()
    command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", output, *unit.packages]
    # The path of the stand-in header travels as a compiler variable: CGO_CXXFLAGS would be part of Go's cache key.
    environment = {**os.environ, "CGO_ENABLED": "1", "GOFLAGS": "-mod=readonly", "CPLUS_INCLUDE_PATH": str(INCLUDE)}
    try:
        _go(command, cwd=SOURCES / unit.name, environment=environment)
        if unit.name == "control":
            where = ["go", "list", "-m", "-f", "{{.Dir}}", _KAI]
            module = _go(where, cwd=SOURCES / unit.name, environment=environment).strip()
            (scratch / "kai-crds").symlink_to(Path(module) / "deployments" / "kai-scheduler" / "crds")
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{unit.name}: built in {time.monotonic() - started:.0f} s", flush=True)


def _go(command: list[str], *, cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-20:])
        raise BuildFailed(f"`{' '.join(command[:2])}` in rig/build/{cwd.name} ended with {done.returncode}:\n{tail}")
    return done.stdout


def _require_headers() -> None:
    """Ollama's module leaves out folders named vendor; two of the headers in them come from Debian instead."""
    places = [Path(p) for p in os.environ.get("CPLUS_INCLUDE_PATH", "").split(":") if p]
    places += [Path("/usr/include"), Path("/usr/local/include")]
    missing = [package for header, package in _HEADERS if not any((place / header).exists() for place in places)]
    if shutil.which("g++") is None:
        missing.append("g++")
    if missing:
        names = " ".join(missing)
        raise ToolMissing(
            f"Building Ollama needs {names}, which this machine lacks.",
            next_steps=(NextStep(title="Install what is missing", command=f"apt-get install {names}"),),
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Two builds at once would fight over two cores and the same folder: the second waits for the first."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
