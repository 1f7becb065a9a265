"""The Test button: performs the requests that an editor would send, and says for each what came back and how fast.

The checks run in the order in which things break (name, connection, key, model, then each role) and stop where going
on can tell nothing more. Nothing is raised: what fails is a Check with `ok` false, one sentence and a fix.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec
from yarl import URL

from sealane.editors import diagnose, find, wire
from sealane.editors.types import Call, Check, Connection
from sealane.lib.clock import SYSTEM, Clock

CONNECT_LIMIT = 5.0
MODELS_LIMIT = 10.0
ANSWER_LIMIT_BYTES = 4 << 20

_TITLES = {"chat": "Chat", "autocomplete": "Autocomplete", "embed": "Embeddings"}


async def run(editor: str, connection: Connection, *, clock: Clock = SYSTEM) -> list[Check]:
    """All checks of one editor against one connection, in order. Raises UnknownEditor only."""
    calls = find(editor).calls(connection)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_LIMIT)) as session:
        probe = _Probe(session, connection, clock)
        checks = [await probe.reach()]
        if checks[-1].ok:
            checks.append(await probe.key())
        if checks[-1].ok:
            checks.append(probe.model())
        if checks[-1].ok:
            checks += [await probe.call(call) for call in calls]
    return checks


class _Probe:
    def __init__(self, session: aiohttp.ClientSession, connection: Connection, clock: Clock) -> None:
        self._session = session
        self._connection = connection
        self._clock = clock
        self._served: tuple[str, ...] = ()
        url = URL(connection.root)
        self._host, self._port, self._secure = url.host or "", url.port or 80, url.scheme == "https"

    async def reach(self) -> Check:
        """DNS, TCP and, for https, TLS."""

        async def attempt() -> str:
            context = ssl.create_default_context() if self._secure else None
            _, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
            writer.close()
            return f"{self._host}:{self._port} answers."

        return await self._timed("Address", CONNECT_LIMIT, attempt)

    async def key(self) -> Check:
        """Is the key good? Reads the list of models with it."""

        async def attempt() -> str:
            headers = {"Authorization": f"Bearer {self._connection.key}"}
            async with self._session.get(f"{self._connection.openai}/models", headers=headers) as answer:
                body = await answer.text()
                if answer.status != 200:
                    raise _Refused(diagnose.refused_status(answer.status, body, model="", served=()))
            listed = msgspec.json.decode(body)
            self._served = tuple(str(item["id"]) for item in listed.get("data") or [])
            return f"The key is good; {len(self._served)} hosted."

        return await self._timed("Key", MODELS_LIMIT, attempt)

    def model(self) -> Check:
        """Is the very name that the editor would send among the hosted models?"""
        name = self._connection.any.name
        if name in self._served:
            return Check(name="Model", ok=True, ms=None, sentence=f"{name} is hosted under exactly that name.")
        finding = diagnose.missing(name, self._served)
        return Check(name="Model", ok=False, ms=None, sentence=finding.sentence, fix=finding.fix)

    async def call(self, call: Call) -> Check:
        """One request of the editor, to its very end."""

        async def attempt() -> str:
            url = f"{self._connection.root}{call.path}"
            sent = self._clock.monotonic()
            async with self._session.post(url, json=call.body, headers=dict(call.headers)) as answer:
                body = (await answer.content.read(ANSWER_LIMIT_BYTES)) if answer.status != 200 else b""
                if answer.status != 200:
                    said = body.decode(errors="replace")
                    raise _Refused(diagnose.refused_status(answer.status, said, model=call.model, served=self._served))
                lines, first = await self._lines(answer)
            words = " ".join(wire.said(call.wire, lines).split())
            return _answered(call, words, f"{(first - sent) * 1000:.0f} ms")

        return await self._timed(_TITLES[call.role], call.limit, attempt)

    async def _lines(self, answer: aiohttp.ClientResponse) -> tuple[list[str], float]:
        """The body's lines, and when its first bytes came."""
        chunks: list[bytes] = []
        first = None
        async for chunk in answer.content.iter_any():
            first = first or self._clock.monotonic()
            chunks.append(chunk)
            if sum(map(len, chunks)) > ANSWER_LIMIT_BYTES:
                raise wire.IncompleteError("the answer did not end")
        return b"".join(chunks).decode(errors="replace").splitlines(), first or self._clock.monotonic()

    async def _timed(self, name: str, limit: float, attempt: Callable[[], Awaitable[str]]) -> Check:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(limit):
                sentence = await attempt()
        except _Refused as refused:
            return _failed(name, refused.finding)
        except wire.StreamError as error:
            finding = diagnose.refused_status(200, str(error), model=self._connection.any.name, served=self._served)
            return _failed(name, finding)
        except (OSError, aiohttp.ClientError, TimeoutError, wire.IncompleteError, ValueError) as error:
            finding = diagnose.unreachable(
                _cause(error), host=self._host, port=self._port, detail=_detail(error), limit=limit
            )
            return _failed(name, finding)
        ms = (self._clock.monotonic() - started) * 1000
        return Check(name=name, ok=True, ms=round(ms, 1), sentence=sentence)


class _Refused(Exception):
    def __init__(self, finding: diagnose.Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


def _answered(call: Call, words: str, first: str) -> str:
    if call.role == "embed":
        return f"{call.model} gave {words}."
    short = f"{words[:80]}…" if len(words) > 80 else words
    said = f"said “{short}”" if short else "ended its answer at once"
    return f"{call.model} {said}; its first words came after {first}."


def _failed(name: str, finding: diagnose.Finding) -> Check:
    return Check(name=name, ok=False, ms=None, sentence=finding.sentence, fix=finding.fix)


def _cause(error: Exception) -> diagnose.Cause:
    inner = getattr(error, "os_error", None) or error
    if isinstance(error, aiohttp.ClientConnectorDNSError) or isinstance(inner, socket.gaierror):
        return "dns"
    if isinstance(inner, ssl.SSLError) or isinstance(error, aiohttp.ClientSSLError):
        return "tls"
    if isinstance(error, TimeoutError | aiohttp.ServerTimeoutError):
        return "timeout"
    if isinstance(inner, ConnectionRefusedError):
        return "refused"
    if isinstance(error, wire.IncompleteError | aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "cut"
    return "other"


def _detail(error: Exception) -> str:
    inner = getattr(error, "os_error", None) or error
    detail = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return str(detail).rstrip(".")
