"""HTTP as the API server sees it: a parsed request, an answer in one piece, or a stream.

Bodies are JSON, or YAML where people send it; other encodings are refused as a server refuses what it was not built
for. A stream ends when its source ends, when the client goes away, or when a fault cuts it.
"""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from sealane.sandbox.api import errors, protobuf
from sealane.sandbox.api.values import Obj

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON: Final = "application/json"
LARGEST_BODY: Final = 3 * 1024 * 1024
_MOST_ALIASES: Final = 20  # each may stand for all before it, so that a small body could grow beyond any memory
_YAML: Final = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "application/apply-patch+yaml"})


class User(msgspec.Struct, frozen=True):
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""


ANONYMOUS: Final = User("system:anonymous", ("system:unauthenticated",))


class Request:
    """One request. `query` holds the last value of each parameter."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.is_websocket = scope["type"] == "websocket"
        self.method: str = scope.get("method", "GET")  # a WebSocket begins with a GET
        self.path: str = scope["path"]
        self.headers: dict[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        text = scope["query_string"].decode("ascii", "replace")
        self.query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        self.user = ANONYMOUS
        self.warnings: list[str] = []
        self.receive = receive

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be written."""
        return self.query.get("dryRun") == "All"

    @property
    def manager(self) -> str:
        """The field manager: as asked, else the program's name."""
        agent = self.headers.get("user-agent", "").partition("/")[0]
        return (self.query.get("fieldManager") or agent or "unknown")[:128]

    @property
    def wants_table(self) -> bool:
        """Whether the client asks for a Table rather than objects."""
        return "as=Table" in self.headers.get("accept", "")

    @property
    def wants_metadata(self) -> bool:
        """Whether the client asks for names and labels alone."""
        return "as=PartialObjectMetadata" in self.headers.get("accept", "")

    def check_accept(self) -> None:
        """Raises StatusError (406) when nothing that we can write is accepted."""
        accepted = self.headers.get("accept", "")
        if accepted and not any(word in accepted for word in ("json", "*/*", "application/*", "text/", "yaml")):
            raise errors.StatusError(
                406, "NotAcceptable", "only the following media types are accepted: application/json, application/yaml"
            )

    @property
    def content_type(self) -> str:
        """Media type of the body without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def values(self, name: str) -> list[str]:
        """All values of a parameter, in order."""
        text = self.scope["query_string"].decode("ascii", "replace")
        return [value for key, value in urllib.parse.parse_qsl(text, keep_blank_values=True) if key == name]

    def number(self, name: str) -> int | None:
        """A whole number from the query; None if absent. Raises StatusError."""
        text = self.query.get(name, "")
        if not text:
            return None
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    def flag(self, name: str) -> bool:
        """A yes or no from the query."""
        return self.query.get(name, "").lower() in {"1", "true", "t"}

    async def body(self) -> bytes:
        """The whole body. Raises StatusError (413) when it is too large."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > LARGEST_BODY:
                limit = f"limit is {LARGEST_BODY}"
                raise errors.StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {limit}")
            if not message.get("more_body"):
                return b"".join(parts)

    async def object(self, *, also: str = "") -> Any:
        """The body as a value; None when it is empty. `also` is one more accepted media type. Raises StatusError."""
        data = await self.body()
        kind = self.content_type
        if not data:
            return None
        if kind == protobuf.MEDIA_TYPE:
            return protobuf.decode(data)
        if kind and kind not in {JSON, "text/plain", "*/*", also, "application/x-www-form-urlencoded"} | _YAML:
            raise errors.unsupported_media(f"{JSON}, application/yaml, {protobuf.MEDIA_TYPE}")
        if kind.endswith("patch+json"):
            return _decode_patch(data)
        return decode(data)


class Reply(msgspec.Struct, frozen=True):
    """An answer in one piece."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Stream(msgspec.Struct, frozen=True):
    """An answer that comes in pieces."""

    chunks: AsyncIterator[bytes]
    content_type: str = JSON
    status: int = 200


class Handover(msgspec.Struct, frozen=True):
    """An answer that another ASGI application gives, under another path."""

    app: Any
    path: str


Answer = Reply | Stream | Handover


def decode(data: bytes) -> Any:
    """JSON, else YAML as Kubernetes reads it (no dates). Raises StatusError (400)."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        if data[:1] in {b"{", b"["}:
            raise errors.bad_request(f"the object provided is unrecognized (must be of type json): {error}") from error
    except RecursionError as error:
        raise errors.bad_request("the object provided is nested too deeply") from error
    try:
        return _from_yaml(data)
    except ValueError as error:
        raise errors.bad_request(f"error converting YAML to JSON: {error}") from error


def _decode_patch(data: bytes) -> Any:
    """A JSON patch of any kind. Raises StatusError (400)."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        cut = "truncated" in str(error)
        raise errors.bad_request(f"error decoding patch: {'unexpected end of JSON input' if cut else error}") from error


def encode(value: Any) -> bytes:
    """A value as JSON."""
    return msgspec.json.encode(value)


def as_json(value: Obj, status: int = 200) -> Reply:
    """An answer of one object."""
    return Reply(status, encode(value))


async def answer(reply: Answer, request: Request, send: Send) -> None:
    """Send an answer, to its end or until the client goes away."""
    if isinstance(reply, Handover):
        await reply.app(
            dict(request.scope) | {"path": reply.path, "raw_path": reply.path.encode()}, request.receive, send
        )
        return
    extra = [(b"warning", f'299 - "{_quoted(text)}"'.encode("latin-1", "replace")) for text in request.warnings]
    headers = [(b"content-type", reply.content_type.encode()), (b"cache-control", b"no-cache, private"), *extra]
    if isinstance(reply, Reply):
        headers += [(name.encode(), value.encode()) for name, value in reply.headers]
        headers.append((b"content-length", str(len(reply.body)).encode()))
        prefix = "websocket." if request.is_websocket else ""
        await send({"type": f"{prefix}http.response.start", "status": reply.status, "headers": headers})
        await send({"type": f"{prefix}http.response.body", "body": reply.body})
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await _pump(reply.chunks, request.receive, send)


async def _pump(chunks: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    async def forward() -> None:
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            continue

    tasks = {asyncio.create_task(forward(), name="stream"), asyncio.create_task(until_gone(), name="client gone")}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _from_yaml(data: bytes) -> Any:
    import yaml

    class Loader(yaml.CSafeLoader):
        """Safe, and without turning text into dates: JSON has none."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own shape
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        if sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, Loader=Loader)) > _MOST_ALIASES:
            raise ValueError("yaml: document contains excessive aliasing")
        return yaml.load(data, Loader=Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
