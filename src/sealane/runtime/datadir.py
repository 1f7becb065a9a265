"""The data directory: where Sealane keeps what it remembers, and the lock that keeps two `up` apart.

Everything in it is the user's alone (0700). A directory that cannot be written, a full disk and a second `up` are
told in one sentence each; nothing in the directory is changed then.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sealane.lib.errors import Evidence, NextStep, SealaneError

LOCK_NAME = "up.lock"


class DataDirUnusable(SealaneError):
    """The data directory cannot be made or written."""

    code = "data-dir-unusable"
    http_status = 500


class DataDirBusy(SealaneError):
    """Another `sealane up` holds the data directory."""

    code = "data-dir-busy"
    http_status = 409


def default_path() -> Path:
    """`$SEALANE_DATA_DIR`, else `$XDG_DATA_HOME/sealane`, else `~/.local/share/sealane`."""
    if chosen := os.environ.get("SEALANE_DATA_DIR"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "sealane"


def prepare(path: Path) -> Path:
    """Make the directory (0700) and prove that it can be written; gives back its absolute path."""
    path = path.expanduser().absolute()
    probe = path / ".write-probe"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        probe.unlink(missing_ok=True) if error.errno == errno.ENOSPC else None
        raise unusable(path, error) from error
    return path


def unusable(path: Path, error: OSError) -> DataDirUnusable:
    """The one sentence for an OSError met in the data directory."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        why, step = "its disk is full", "Free some space, or choose another directory"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        why, step = "it may not be written", "Choose a directory of your own"
    else:
        why, step = (error.strerror or str(error)).lower(), "Choose another directory"
    return DataDirUnusable(
        f"The data directory {path} cannot be used: {why}.",
        evidence=(Evidence(label="system's answer", value=str(error)),),
        next_steps=(NextStep(title=step, command="sealane up --data-dir DIR"),),
    )


class Lock:
    """Held by `up` for as long as it runs; the kernel lets go of it when the process dies, however it dies."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_NAME
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            file = self._path.open("a+")
        except OSError as error:
            raise unusable(self._path.parent, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise _busy(self._path.parent, holder) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


def _busy(data_dir: Path, holder: str) -> DataDirBusy:
    who = f"process {holder}" if holder else "another process"
    return DataDirBusy(
        f"Another `sealane up` ({who}) already uses the data directory {data_dir}.",
        evidence=(Evidence(label="process", value=holder or "unknown"),),
        next_steps=(
            NextStep(title="Open the console that is already running; its address is in the terminal that started it"),
            NextStep(
                title="Or start a second one with a directory and ports of its own",
                command="sealane up --data-dir DIR --port 0 --gateway-port 0",
            ),
        ),
    )
