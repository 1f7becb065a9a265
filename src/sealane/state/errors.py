"""Why remembering can fail, told apart by what a person does next: free space, pick another folder, stop the other one.

SQLite's own error names decide; its words are never shown. A failure that fits none of them is `StateUnreachable`.
"""

from __future__ import annotations

import errno
import os
import sqlite3

from sealane.lib import errors


class StateError(errors.SealaneError):
    """Sealane's own memory cannot be read or written."""

    code = "state"
    http_status = 503


class StateReadOnly(StateError):
    """The data folder or its file may not be written."""

    code = "state-read-only"


class StateDiskFull(StateError):
    """No space is left where the data folder lies."""

    code = "state-disk-full"


class StateLocked(StateError):
    """Another process held the database for longer than we waited."""

    code = "state-locked"


class StateCorrupt(StateError):
    """The file is not a database, or a damaged one."""

    code = "state-corrupt"


class StateUnreachable(StateError):
    """The folder, file or server cannot be opened."""

    code = "state-unreachable"


class StateTooNew(StateError):
    """A newer Sealane has migrated this database."""

    code = "state-too-new"


class StateDriverMissing(StateError):
    """The URL names a database whose Python driver is not installed."""

    code = "state-driver-missing"


_ELSEWHERE = errors.NextStep(title="Use another data folder", command="sealane up --data-dir DIR")
_SPACE = errors.NextStep(title="See what fills the disk", command="df -h")

# SQLite's primary error names: https://www.sqlite.org/rescode.html
_BY_NAME: dict[str, type[StateError]] = {
    "SQLITE_READONLY": StateReadOnly,
    "SQLITE_PERM": StateReadOnly,
    "SQLITE_FULL": StateDiskFull,
    "SQLITE_BUSY": StateLocked,
    "SQLITE_LOCKED": StateLocked,
    "SQLITE_CORRUPT": StateCorrupt,
    "SQLITE_NOTADB": StateCorrupt,
}

_SENTENCES: dict[type[StateError], tuple[str, tuple[errors.NextStep, ...]]] = {
    StateReadOnly: ("Sealane cannot write {where}: it is read-only for this user.", (_ELSEWHERE,)),
    StateDiskFull: ("Sealane cannot write {where}: no space is left on that disk.", (_SPACE, _ELSEWHERE)),
    StateLocked: (
        "Another process has held {where} locked for more than {wait:g} s.",
        (errors.NextStep(title="Stop the other Sealane that uses this data folder"), _ELSEWHERE),
    ),
    StateCorrupt: (
        "{where} is not a Sealane database, or it is damaged; your models on Kubernetes are not affected.",
        (errors.NextStep(title="Move the file away; keys and settings start anew", command="mv {where} {where}.bad"),),
    ),
    StateUnreachable: ("Sealane cannot open {where}: {cause}.", (_ELSEWHERE,)),
}


def of_exception(exc: BaseException, *, where: str, wait: float) -> StateError:
    """The StateError for what a driver or the file system raised. `where` is a path, or a URL without password."""
    kind = _kind_of(exc)
    if kind is StateUnreachable and isinstance(exc, sqlite3.OperationalError) and not _writable(where):
        kind = StateReadOnly
    sentence, steps = _SENTENCES[kind]
    values = {"where": where, "wait": wait, "cause": _first_line(exc)}
    return kind(
        sentence.format(**values),
        next_steps=tuple(errors.NextStep(title=s.title, command=s.command.format(**values)) for s in steps),
    )


_BY_ERRNO: dict[int, type[StateError]] = {
    errno.EROFS: StateReadOnly,
    errno.EACCES: StateReadOnly,
    errno.EPERM: StateReadOnly,
    errno.ENOSPC: StateDiskFull,
    errno.EDQUOT: StateDiskFull,
}


def _kind_of(exc: BaseException) -> type[StateError]:
    if isinstance(exc, OSError):
        return _BY_ERRNO.get(exc.errno or 0, StateUnreachable)
    name = getattr(exc, "sqlite_errorname", None) or ""
    for prefix, kind in _BY_NAME.items():
        if name.startswith(prefix):
            return kind
    return StateUnreachable


def _writable(where: str) -> bool:
    folder = os.path.dirname(where) or "."
    if not os.path.isdir(folder):
        return True
    return os.access(folder, os.W_OK) and (not os.path.exists(where) or os.access(where, os.W_OK))


def _first_line(exc: BaseException) -> str:
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return (text.strip().splitlines() or [type(exc).__name__])[0].rstrip(".")
