"""Namespaces that a person with limited rights has used, remembered by context name.

Who may not list namespaces sees only those whose names are known. A name once used, with `-n` or in the console, is
kept in the data directory, so that the next command finds what the last one hosted. Only names are kept, at most a few.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from sealane.fleet import Fleet
from sealane.runtime import running

FILE_NAME = "namespaces.json"
MOST = 50

Known = dict[str, list[str]]


@contextlib.contextmanager
def remembered(fleet: Fleet, data_dir: Path) -> Iterator[None]:
    """Tell each cluster the namespaces that were used before; on the way out keep those used now.

    A data directory that cannot be read or written costs nothing but the memory.
    """
    known = _read(data_dir)
    for name, cluster in fleet.clusters.items():
        for namespace in known.get(name, []):
            cluster.hint(namespace)
    try:
        yield
    finally:
        found = {name: _merged(known.get(name, []), cluster.hints) for name, cluster in fleet.clusters.items()}
        if any(found[name] != known.get(name, []) for name in found):
            _write(data_dir, {**known, **found})


def recall(fleet: Fleet, data_dir: Path, names: Collection[str]) -> None:
    """Tell clusters that joined a running fleet the namespaces that were used in them before."""
    known = _read(data_dir)
    for name in names:
        for namespace in known.get(name, []) if name in fleet.clusters else ():
            fleet.clusters[name].hint(namespace)


def _merged(before: list[str], now: frozenset[str]) -> list[str]:
    return [*before, *sorted(now.difference(before))][-MOST:]


def _read(data_dir: Path) -> Known:
    try:
        return msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=Known)
    except (OSError, msgspec.DecodeError):
        return {}


def _write(data_dir: Path, known: Known) -> None:
    with contextlib.suppress(OSError):
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        running.write_private(data_dir / FILE_NAME, msgspec.json.encode(known))
