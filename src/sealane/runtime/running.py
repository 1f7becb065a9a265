"""The address book of a running `up`: what a later command of the same data directory needs to find it.

Written when `up` is ready and removed when it stops. The file is for its user alone (0600), since the console's token
and the local gateway key open things; keys stay hashed in the database, this is the local client's own copy.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

RUNNING_NAME = "running.json"
CREDENTIAL_NAME = "local-key"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """One running `up`. `clusters` are context names in `kubeconfig` (paths joined as in $KUBECONFIG)."""

    pid: int
    console: str
    gateway: str
    kubeconfig: str
    clusters: tuple[str, ...]
    sandbox: bool


def write(data_dir: Path, running: Running) -> None:
    """Replace the address book in one step."""
    write_private(data_dir / RUNNING_NAME, msgspec.json.encode(running))


def read(data_dir: Path) -> Running | None:
    """The `up` that runs on this data directory now, or None (also when it died without a word)."""
    try:
        running = msgspec.json.decode((data_dir / RUNNING_NAME).read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
    return running if _alive(running.pid) else None


def clear(data_dir: Path) -> None:
    """Forget the address book; nothing happens when there is none."""
    (data_dir / RUNNING_NAME).unlink(missing_ok=True)


def read_credential(data_dir: Path) -> str:
    """The local client's gateway key, "" when there is none."""
    try:
        return (data_dir / CREDENTIAL_NAME).read_text().strip()
    except OSError:
        return ""


def write_credential(data_dir: Path, secret: str) -> None:
    """Keep the local client's gateway key, so that an editor's settings stay right over a restart."""
    write_private(data_dir / CREDENTIAL_NAME, secret.encode())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its user may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
