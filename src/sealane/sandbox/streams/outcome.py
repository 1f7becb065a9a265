"""How a command in a container ended, as the Status that clients read from the error channel.

The words differ with the way they took, as on a real cluster: version 5 is translated by the API server, which wraps
what the kubelet said once more; version 4 is the kubelet's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class CannotStart(Exception):
    """The command could not be started in the container; the text is the runtime's."""


class NoContainer(Exception):
    """The container does not run; the text is the kubelet's."""


def success() -> bytes:
    """It ended with 0."""
    return msgspec.json.encode({"metadata": {}, "status": "Success"})


def exited(code: int, command: Sequence[str], *, translated: bool) -> bytes:
    """It ended with `code`, which is not 0."""
    words = f"error executing command [{' '.join(command)}], exit code {code}"
    said = f"command terminated with exit code {code}" if translated else words
    return _failure(
        f"command terminated with non-zero exit code: {said}",
        "NonZeroExitCode",
        {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    )


def not_started(why: str, *, translated: bool) -> bytes:
    """The runtime could not start it."""
    said = f"error executing command in container: {why}"
    return internal(f"Internal error occurred: {said}" if translated else said)


def internal(said: str) -> bytes:
    """An error of the way there."""
    details = {"causes": [{"message": said}]}
    return _failure(f"Internal error occurred: {said}", "InternalError", details, code=500)


def _failure(message: str, reason: str, details: Any, **more: Any) -> bytes:
    status = {"metadata": {}, "status": "Failure", "message": message, "reason": reason, "details": details, **more}
    return msgspec.json.encode(status)
