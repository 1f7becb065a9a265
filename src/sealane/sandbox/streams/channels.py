"""Channels of a WebSocket as Kubernetes frames them: the first byte (or digit) of a message says which stream it is of.

Of exec and attach: 0 standard input, 1 output, 2 errors, 3 the status at the end, 4 the terminal's size; version 5 adds
255, which closes the stream that its one byte names. Port-forward numbers two channels a port. Pure; no sockets.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

import msgspec

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
ERROR: Final = 3
RESIZE: Final = 4
CLOSE: Final = 255
V5: Final = "v5.channel.k8s.io"
V4: Final = "v4.channel.k8s.io"
TUNNEL: Final = "SPDY/3.1+portforward.k8s.io"


class BadFrame(Exception):
    """A message that names no channel."""


class Framing(msgspec.Struct, frozen=True):
    """How one subprotocol frames. `text`: Base64 in text messages, for browsers of old."""

    name: str
    closes: bool = False
    text: bool = False

    def encode(self, channel: int, data: bytes) -> bytes | str:
        """A message of a channel."""
        if self.text:
            return f"{channel}{base64.b64encode(data).decode()}"
        return bytes((channel,)) + data

    def decode(self, message: bytes | str) -> tuple[int, bytes]:
        """`(channel, data)`. Raises BadFrame."""
        if not message:
            raise BadFrame("an empty message names no channel")
        if isinstance(message, str) and not self.text:
            message = message.encode()
        if isinstance(message, bytes) and not self.text:
            return message[0], message[1:]
        text = message if isinstance(message, str) else message.decode("latin-1")
        try:
            return int(text[0]), base64.b64decode(text[1:], validate=True)
        except (ValueError, binascii.Error) as error:
            raise BadFrame(f"a message is not a channel's digit and Base64: {error}") from error


REMOTE: Final = (
    Framing(V5, closes=True),
    Framing(V4),
    Framing("v4.base64.channel.k8s.io", text=True),
    Framing("channel.k8s.io"),
    Framing("base64.channel.k8s.io", text=True),
)
FORWARD: Final = (Framing(V4), Framing("v4.base64.channel.k8s.io", text=True))


def choose(offered: Iterable[str], known: Iterable[Framing]) -> Framing | None:
    """The first that the client offers and we speak; the oldest, unnamed one for a client that offers none."""
    names = tuple(offered)
    if not names:
        return Framing("")
    by_name = {framing.name: framing for framing in known}
    return next((by_name[name] for name in names if name in by_name), None)
