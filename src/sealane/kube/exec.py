"""A command in a running container (exec), or the container's own process (attach): bytes both ways and an exit code.

One WebSocket carries numbered channels: 0 stdin, 1 stdout, 2 stderr, 3 how it ended, 4 the terminal's size. Version 5
of the protocol adds the one thing that version 4 lacks: saying that the input has ended, without which a command that
reads to the end (`cat`, `tar x`) never comes back. Both are offered; the server takes the newer one that it knows.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Self

import msgspec

from sealane.kube import errors, failures, websocket
from sealane.kube.errors import Details, Target
from sealane.kube.failures import Status
from sealane.kube.http import Http, Query
from sealane.kube.resources import PODS
from sealane.kube.websocket import Socket
from sealane.lib.errors import NextStep, SealaneError

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
PROTOCOLS = (V5, V4)
PIECE = 32 * 1024  # bytes of input in one message
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_EXIT_CODE = re.compile(r"-?[0-9]{1,9}")
_NOT_FOUND = ("executable file not found", "no such file or directory")


class Output(msgspec.Struct, frozen=True):
    """What the command wrote, as it came. With a terminal everything is stdout."""

    stream: Literal["stdout", "stderr"]
    data: bytes


class InputCannotEnd(SealaneError):
    """The API server or kubelet speaks version 4 of the protocol, in which the end of the input cannot be said."""

    code = "exec-input-cannot-end"

    def __init__(self, target: Target) -> None:
        super().__init__(
            f"{target.context}: this cluster (protocol {V4}) cannot be told that the input has ended, "
            "so a command that reads to the end waits for ever.",
            next_steps=(NextStep(title="Give the command an input that names its own length", command="head -c N"),),
        )


class CommandNotRun(errors.ServerError):
    """The command could not be started in the container."""

    code = "exec-not-run"

    def _step(self, subject: errors.Subject) -> tuple[str, str]:
        if any(words in self.message.lower() for words in _NOT_FOUND):
            return ("Name a command that is in the image", f"{subject.words} -o jsonpath={{.spec.containers[*].image}}")
        return ("See whether the container runs", f"{subject.words} -o wide")


class _End(Status, frozen=True):
    """The `Status` on the error channel; `status` is Success or Failure."""

    status: str = ""


_end_decoder = msgspec.json.Decoder(_End)


class Terminal:
    """A running command. Iterate for its output; one reader, while others may write."""

    def __init__(self, socket: Socket, *, target: Target) -> None:
        self._socket = socket
        self._target = target
        self._ended: int | None = None

    @property
    def can_end_input(self) -> bool:
        """Whether the server can be told that the input has ended (version 5)."""
        return self._socket.protocol == V5

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Output:
        """The next bytes; stops when the command has ended. `CommandNotRun`, `ApiError`, `Disconnected`."""
        while self._ended is None:
            found = await self._socket.receive()
            if found is None:
                raise errors.Disconnected(
                    f"{self._target.server} ended the stream without saying how the command ended", target=self._target
                )
            channel, data = found.data[:1], found.data[1:]
            if channel == bytes([_ERROR]):
                self._take_end(data)
            elif data and channel in (b"\x01", b"\x02"):
                return Output("stdout" if channel == b"\x01" else "stderr", data)
        raise StopAsyncIteration

    async def exit_code(self) -> int:
        """The command's exit code, once it has ended; output that nobody has read by then is lost."""
        while self._ended is None:
            with contextlib.suppress(StopAsyncIteration):
                await anext(self)
        return self._ended

    async def write(self, data: bytes) -> None:
        """Input for the command."""
        for start in range(0, len(data), PIECE):
            await self._socket.send(bytes([_STDIN]) + data[start : start + PIECE])

    async def close_input(self) -> None:
        """Say that the input has ended. `InputCannotEnd` with version 4."""
        if not self.can_end_input:
            raise InputCannotEnd(self._target)
        await self._socket.send(bytes([_CLOSE, _STDIN]))

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size in characters."""
        await self._socket.send(bytes([_RESIZE]) + msgspec.json.encode({"Width": width, "Height": height}))

    def _take_end(self, data: bytes) -> None:
        if not data:
            return  # servers open each channel with an empty message
        try:
            end = _end_decoder.decode(data)
        except errors.UNREADABLE:
            end = _End(message=data.decode("utf-8", "replace").strip(), status="Failure")
        if end.status == "Success":
            self._ended = 0
        elif end.reason == "NonZeroExitCode":
            self._ended = _exit_code(end.details)
        else:
            raise _failed(end, self._target)


@contextlib.asynccontextmanager
async def run(
    http: Http,
    pod: str,
    *,
    namespace: str,
    container: str,
    command: Sequence[str],
    stdin: bool,
    tty: bool,
) -> AsyncIterator[Terminal]:
    """A command in a container; leaving the block closes the stream (what becomes of the command then is the
    runtime's affair). `Forbidden`: the rights are `get` and `create` of pods/exec."""
    words = [("command", word) for word in command]
    async with _opened(http, pod, namespace, "exec", [*words, *_wish(container, stdin=stdin, tty=tty)]) as terminal:
        yield terminal


@contextlib.asynccontextmanager
async def attach(
    http: Http, pod: str, *, namespace: str, container: str, stdin: bool, tty: bool
) -> AsyncIterator[Terminal]:
    """The container's own process; what it wrote before is in its log. `tty` must be as the manifest has it."""
    async with _opened(http, pod, namespace, "attach", _wish(container, stdin=stdin, tty=tty)) as terminal:
        yield terminal


@contextlib.asynccontextmanager
async def _opened(http: Http, pod: str, namespace: str, subresource: str, query: Query) -> AsyncIterator[Terminal]:
    path = PODS.path(pod, namespace=namespace, subresource=subresource)
    async with websocket.connect(http, path, query=query, protocols=PROTOCOLS) as socket:
        yield Terminal(socket, target=http.target("GET", path))


def _wish(container: str, *, stdin: bool, tty: bool) -> list[tuple[str, str]]:
    """Which streams are wanted. A terminal has one output."""
    wanted = {"stdin": stdin, "stdout": True, "stderr": not tty, "tty": tty}
    named = [("container", container)] if container else []
    return [*named, *((name, "true") for name, wish in wanted.items() if wish)]


def _exit_code(details: Details | None) -> int:
    causes = details.causes if details else []
    said = next((cause.message for cause in causes if cause.reason == "ExitCode"), "")
    return int(said) if _EXIT_CODE.fullmatch(said) else 1


def _failed(end: _End, target: Target) -> errors.ApiError:
    code = end.code or 500
    if code >= 500:
        return CommandNotRun(code, end.reason, end.message, end.details, target=target)
    return failures.status_error(end, http=code, target=target)
