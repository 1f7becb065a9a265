"""One request from the client's bytes to the replica's and back: check, choose, pass through, count.

Until the first byte has reached the client a failed try goes to another replica; after it the stream ends with the
error event of its API. Whatever happens, the place at the replica is given back, the replica is let go and the
request counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.types import Message, Receive, Scope, Send

from sealane.gateway import answers, bodies, errors, fim, framing
from sealane.gateway.balancer import Balancer
from sealane.gateway.endpoints import Endpoint
from sealane.gateway.errors import BodyTooLarge, EngineBusy, GatewayError, UpstreamDenied, UpstreamLost
from sealane.gateway.flights import Flight, Flights
from sealane.gateway.metering import UsageStore
from sealane.gateway.metrics import Metrics
from sealane.gateway.routes import Entry
from sealane.gateway.routing import Slot
from sealane.gateway.settings import Settings
from sealane.gateway.upstream import Lost, Response, Unreached
from sealane.lib import text
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

log = logging.getLogger(__name__)

_DROPPED, _LINGER = 64 << 20, 3.0
"""Bytes and seconds for which a refused body is still read, and forgotten."""

_NOTHING = framing.Usage()
_RETRYABLE = frozenset({502, 503})  # an engine or a proxy that cannot take the request now: nothing was begun
_STREAM_HEADERS = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class Exchange:
    """What is known of one request while it lasts."""

    __slots__ = (
        "begun", "cluster", "endpoint", "failed", "flight", "key_id", "model", "name", "ndjson", "send", "started",
        "status", "tried", "usage",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, *, key_id: str, flight: Flight, send: Send, started: float) -> None:
        self.endpoint = endpoint
        self.key_id = key_id
        self.flight = flight
        self.send = send
        self.started = started
        self.model = ""
        self.name = ""
        self.cluster = ""
        self.status = 0
        self.begun = False  # the first byte has gone to the client
        self.ndjson = False
        self.failed = False
        self.usage = _NOTHING
        self.tried: list[Slot] = []


class Relay:
    """Serves the endpoints that need a replica."""

    def __init__(
        self,
        *,
        balancer: Balancer,
        flights: Flights,
        usage: UsageStore,
        metrics: Metrics,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._balancer = balancer
        self._flights = flights
        self._usage = usage
        self._metrics = metrics
        self._settings = settings
        self._clock = clock

    async def serve(self, endpoint: Endpoint, *, key_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises nothing but the cancellation of a server that goes down."""
        flight = self._flights.begin(receive)
        ex = Exchange(endpoint, key_id=key_id, flight=flight, send=send, started=self._clock.monotonic())
        try:
            await self._guarded(ex, scope, receive)
        finally:
            self._flights.end(flight)
            self._count(ex)

    async def _guarded(self, ex: Exchange, scope: Scope, receive: Receive) -> None:
        try:
            await self._exchange(ex, scope, receive)
        except BodyTooLarge as error:
            await self._refuse_body(ex, error, receive)
        except SealaneError as error:
            await self._refuse(ex, error)
        except asyncio.CancelledError:
            if not ex.flight.caught():
                raise
            await self._stopped(ex)
        except Exception:
            log.exception("A request to %s failed inside the gateway.", ex.endpoint.path)
            await self._refuse(ex, errors.Internal("The gateway failed on this request; its log has the cause."))

    async def _exchange(self, ex: Exchange, scope: Scope, receive: Receive) -> None:
        body = await self._body(ex, scope, receive)
        if body is None:
            return
        found = bodies.peek(body, path=ex.endpoint.path)
        ex.name = found.model or found.name
        entry = self._balancer.entry(ex.name)
        ex.model = entry.model
        failure: Unreached | Lost | None = None
        while len(ex.tried) < self._settings.attempts:
            ex.flight.arm("queue", self._settings.queue_wait)
            slot = await self._balancer.acquire(entry, name=ex.name, tried=ex.tried)
            if slot is None:
                break
            failure = await self._try(ex, slot, bodies.prepare(body, found, ex.endpoint, engine_model=entry.model))
            if failure is None:
                return
            self._metrics.retries.add((ex.model,))
        raise _gave_up(entry, ex.tried, failure)

    async def _body(self, ex: Exchange, scope: Scope, receive: Receive) -> bytes | None:
        """The request's body, or None when the client left before its end. Raises BodyTooLarge."""
        limit = self._settings.max_body
        declared = next((int(v) for k, v in scope["headers"] if k == b"content-length" and v.isdigit()), 0)
        if declared > limit:
            raise _too_large(declared, limit)
        ex.flight.arm("body", self._settings.body)
        parts: list[bytes] = []
        size = 0
        while True:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                ex.status = 499
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise _too_large(size, limit)
            parts.append(part)
            if not message.get("more_body"):
                ex.flight.listening = True
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _try(self, ex: Exchange, slot: Slot, prepared: bodies.Prepared) -> Unreached | Lost | None:
        """One try at one replica. Gives back why nothing reached the client, None when the answer was given."""
        since = self._clock.monotonic()
        ex.cluster = slot.replica.cluster
        ex.flight.arm("first-byte", self._settings.first_byte)
        response: Response | None = None
        try:
            response = await slot.upstream.open("POST", ex.endpoint.upstream, prepared.body)
            await self._pass(ex, slot, response, prepared)
        except (Unreached, Lost) as error:
            ex.tried.append(slot)
            self._balancer.failed(slot)
            return error
        finally:
            self._balancer.release(slot, model=ex.model, seconds=self._clock.monotonic() - since)
            if response is not None:
                await response.close()
        return None

    async def _pass(self, ex: Exchange, slot: Slot, response: Response, prepared: bodies.Prepared) -> None:
        kind = response.content_type
        if response.status == 200 and kind.startswith("text/event-stream"):
            reader: framing.Reader = framing.SseReader(ex.endpoint.api, hide_usage=prepared.hide_usage)
            await self._stream(ex, slot, response, reader)
        elif response.status == 200 and kind.startswith("application/x-ndjson"):
            ex.ndjson = True
            await self._stream(ex, slot, response, framing.NdjsonReader())
        else:
            await self._whole(ex, slot, response)

    async def _whole(self, ex: Exchange, slot: Slot, response: Response) -> None:
        body = await response.read()
        if response.status in _RETRYABLE:
            said = answers.sentence_in(body) or f"it answered {response.status}"
            raise Unreached(said, busy=response.status == 503)
        self._balancer.succeeded(slot, ex.model)
        if response.status == 200:
            ex.usage = framing.usage_of(body, ex.endpoint.api)
            if ex.endpoint.fim:
                body = fim.answer(body)
        ex.failed = response.status >= 400
        ex.status, ex.begun = response.status, True
        self._first_byte(ex)
        headers = [
            (b"content-type", response.content_type.encode("latin-1")),
            (b"content-length", b"%d" % len(body)),
            slot.header,
        ]
        await ex.send({"type": "http.response.start", "status": response.status, "headers": headers})
        await ex.send({"type": "http.response.body", "body": body})

    async def _stream(self, ex: Exchange, slot: Slot, response: Response, reader: framing.Reader) -> None:
        idle, arm, send, translate = self._settings.idle, ex.flight.arm, ex.send, ex.endpoint.fim
        try:
            while chunk := await response.chunk():
                data = reader.feed(chunk)
                if not data:
                    continue
                if not ex.begun:
                    await self._begin(ex, slot, response)
                arm("idle", idle)
                await send(
                    {"type": "http.response.body", "body": fim.stream(data) if translate else data, "more_body": True}
                )
        except Lost:
            if not ex.begun:
                raise
        finally:
            ex.usage = reader.usage
        if not ex.begun:
            raise Lost("it closed the connection before its answer")
        if not reader.ended():
            self._balancer.failed(slot)
            self._metrics.lost.add((ex.model,))
            raise _cut(ex.model, slot)
        await send({"type": "http.response.body", "body": reader.rest()})

    async def _begin(self, ex: Exchange, slot: Slot, response: Response) -> None:
        self._balancer.succeeded(slot, ex.model)
        ex.status, ex.begun = 200, True
        self._first_byte(ex)
        headers = [(b"content-type", response.content_type.encode("latin-1")), slot.header, *_STREAM_HEADERS]
        await ex.send({"type": "http.response.start", "status": 200, "headers": headers})

    def _first_byte(self, ex: Exchange) -> None:
        self._metrics.first_byte.observe((ex.endpoint.path, ex.model), self._clock.monotonic() - ex.started)

    async def _refuse(self, ex: Exchange, error: SealaneError) -> None:
        """Tell an error: as a whole answer, or as the last event of a stream that has begun."""
        ex.failed = True
        if ex.begun:
            event = errors.event(ex.endpoint.api, error, ndjson=ex.ndjson)
            await ex.send({"type": "http.response.body", "body": event})
            return
        ex.status = error.http_status
        await answers.error(ex.send, ex.endpoint.api, error)

    async def _refuse_body(self, ex: Exchange, error: BodyTooLarge, receive: Receive) -> None:
        """Answer at once, then read and forget what the client still sends: one that is cut off while it sends sees a
        reset connection and never the answer that says why."""
        ex.failed, ex.status = True, error.http_status
        await answers.error(ex.send, ex.endpoint.api, error, ends=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                await _drop(receive, most=_DROPPED)
        await ex.send({"type": "http.response.body", "body": b""})

    async def _stopped(self, ex: Exchange) -> None:
        """The flight was stopped: nobody is there any more, or a limit was met."""
        reason = ex.flight.reason
        ex.failed = True
        if reason == "client":
            ex.status = 499
            self._metrics.disconnects.add()
            return
        self._metrics.timeouts.add((str(reason),))
        await self._refuse(ex, self._timeout(ex, str(reason)))

    def _timeout(self, ex: Exchange, reason: str) -> GatewayError:
        settings = self._settings
        seconds = {
            "body": settings.body, "queue": settings.queue_wait, "first-byte": settings.first_byte,
            "idle": settings.idle, "total": settings.total,
        }[reason]  # fmt: skip
        limit = text.duration(seconds)
        if reason == "body":
            return errors.BodyTimeout(f"The request's body did not arrive within {limit}.")
        if reason == "queue":
            return errors.QueueTimeout(f"No replica of `{ex.model}` became free within {limit}.", retry_after=5)
        what = {
            "first-byte": f"began no answer within {limit}",
            "idle": f"was silent for {limit} in the middle of its answer",
            "total": f"did not finish within {limit}",
        }[reason]
        return errors.UpstreamTimeout(f"The replica that serves `{ex.model}` {what}.")

    def _count(self, ex: Exchange) -> None:
        labels = (ex.endpoint.path, ex.model)
        self._metrics.requests.add((*labels, str(ex.status)))
        self._metrics.seconds.observe(labels, self._clock.monotonic() - ex.started)
        if not ex.cluster:
            return  # it never reached a replica, so there is nothing to bill
        usage = ex.usage
        if usage.prompt:
            self._metrics.tokens.add((ex.model, "prompt"), usage.prompt)
        if usage.completion:
            self._metrics.tokens.add((ex.model, "completion"), usage.completion)
        self._usage.add(
            key_id=ex.key_id,
            model=ex.model,
            cluster=ex.cluster,
            endpoint=ex.endpoint.path,
            usage=usage,
            failed=ex.failed,
        )


async def _drop(receive: Receive, *, most: int) -> None:
    """Read the rest of a body and forget it, up to `most` bytes."""
    while most > 0:
        message = await receive()
        most -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


def _too_large(size: int, limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body has {text.binary_bytes(size)} or more; the limit is {text.binary_bytes(limit)}.")


def _cut(model: str, slot: Slot) -> UpstreamLost:
    return UpstreamLost(f"The answer was cut: replica `{slot.replica.id}` of `{model}` went away in the middle of it.")


def _gave_up(entry: Entry, tried: list[Slot], failure: Unreached | Lost | None) -> GatewayError:
    cause = str(failure).rstrip(".") if failure else "none was left to try"
    if isinstance(failure, Unreached) and failure.denied:
        return UpstreamDenied(f"Model `{entry.model}` cannot be reached: {cause}.")
    names = text.listing([f"`{slot.replica.id}`" for slot in tried])
    word = "Replica" if len(tried) == 1 else "Replicas"
    if isinstance(failure, Unreached) and failure.busy:
        return EngineBusy(f"{word} {names} of `{entry.model}` cannot take a request now: {cause}.", retry_after=2)
    return UpstreamLost(f"{word} {names} of `{entry.model}` did not answer: {cause}.", retry_after=1)
