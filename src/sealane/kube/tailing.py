"""One container's log as lines with their times, followed through everything that interrupts it.

A followed log ends for many reasons that are no end: a restarted API server, a sleeping laptop, a rotated file, a
container that crashed and starts again. It is taken up where it was. `sinceTime` knows whole seconds only, and two
writers of one log may stamp out of order, so what is asked for overlaps by a second or two and lines that were given
before (same time, same text, as often) are passed over: none is lost and none comes twice.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import email.utils
import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import aiohttp
import msgspec

from sealane.kube import errors, logs
from sealane.kube.http import Http
from sealane.kube.resources import PODS
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError

LONGEST = 256 * 1024
"""Bytes of a line that are held; the rest of it comes as another."""

PATIENCE = 120.0  # seconds of failures in a row until following is given up
_WAITS = (0.5, 1.0, 2.0, 4.0)
_SECOND = 1_000_000_000
_OVERLAP = 2 * _SECOND
_MOST_KEPT = 50_000  # lines remembered to tell repeated ones
_DIGEST = 32  # bytes
_LATEST = 253_402_300_800  # seconds since 1970: the year 10000, which no date has
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)(?: |$)")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Source(msgspec.Struct, frozen=True, order=True):
    """Whose log. Container "" is the pod's only one, or its default."""

    namespace: str
    pod: str
    container: str = ""

    @property
    def path(self) -> str:
        """The log's path."""
        return PODS.path(self.pod, namespace=self.namespace, subresource="log")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines. `limit_bytes` is per container and not for following."""

    follow: bool = False
    tail_lines: int | None = None
    since: datetime.datetime | None = None
    previous: bool = False
    limit_bytes: int | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line without its end. `time` is as the kubelet wrote it, `at` the same in nanoseconds since 1970; "" and 0
    where the kubelet itself says something in the log."""

    pod: str
    container: str = ""
    data: bytes
    time: str = ""
    at: int = 0

    @property
    def text(self) -> str:
        """Fit to be shown: no colours, no control characters, what is no UTF-8 replaced."""
        shown = _ESCAPES.sub("", self.data.decode("utf-8", "replace").rstrip("\r"))
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", shown.rpartition("\r")[2])


Told = Callable[[Source, SealaneError], None]


def parse(raw: bytes, source: Source) -> Line:
    """A line that was asked for with its time."""
    found = _STAMP.match(raw)
    seconds = _seconds((found[1] + found[3]).decode()) if found is not None else None
    if found is None or seconds is None:
        return Line(pod=source.pod, container=source.container, data=raw)
    at = seconds * _SECOND + int((found[2] or b"").ljust(9, b"0"))
    time = raw[: found.end()].decode().rstrip(" ")
    return Line(pod=source.pod, container=source.container, data=raw[found.end() :], time=time, at=at)


def _seconds(stamp: str) -> int | None:
    """Since 1970; None for what looks like a time and is none."""
    try:
        found = int(datetime.datetime.fromisoformat(stamp).timestamp())
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < _LATEST else None


async def _parsed(response: aiohttp.ClientResponse, source: Source) -> AsyncGenerator[tuple[Line, bool], None]:
    """Lines, and whether each has its end. One longer than `LONGEST` comes in pieces that have the time of the first:
    what a pod writes in the middle of a line is not taken for a time."""
    begun: Line | None = None
    async for raw in logs.lines(response, end=b"\n", longest=LONGEST):
        whole, data = raw.endswith(b"\n"), raw.removesuffix(b"\n")
        line = parse(data, source) if begun is None else msgspec.structs.replace(begun, data=data)
        if data or begun is None:
            yield line, whole or len(data) >= LONGEST
        begun = None if whole else line


async def read(http: Http, source: Source, wish: Wish) -> AsyncGenerator[Line, None]:
    """What is there now. `ApiError`, `Unreachable`."""
    options = _options(source, wish, follow=False)
    async with logs.opened(http, source.path, options) as response:
        async for line, _ in _parsed(response, source):
            yield line


async def follow(
    http: Http, source: Source, wish: Wish, *, clock: Clock, told: Told | None = None
) -> AsyncGenerator[Line, None]:
    """What is there and what comes, until the container has ended for good or the pod is gone.

    `told` hears of interruptions and of a container that has not started. Raises what the first request is refused
    with, and what went on failing for `PATIENCE` seconds. Close it with `contextlib.aclosing`.
    """
    tail = _Tail(http, source, wish, clock=clock, told=told)
    async with aclosing(tail.lines()) as found:
        async for line in found:
            yield line


class _Tail:
    """Following one container."""

    def __init__(self, http: Http, source: Source, wish: Wish, *, clock: Clock, told: Told | None) -> None:
        self._http = http
        self._source = source
        self._wish = wish
        self._clock = clock
        self._told = told
        self._seen = Seen()
        self._opened = False
        self._failing_since: float | None = None
        self._said = ""
        self._partial: Line | None = None

    async def lines(self) -> AsyncGenerator[Line, None]:
        restarts: int | None = None
        tries = 0
        while True:
            state = await self._look()
            if self._opened and state.gone:
                return
            if restarts is not None and state.restarts > restarts and self._failing_since is not None:
                async for line in self._pass(previous=True):  # its end may have been missed
                    yield line
            restarts = state.restarts
            before = self._seen.count
            async for line in self._pass(previous=False):
                yield line
            if self._failing_since is None and (await self._look()).ended:
                if self._partial is not None:
                    yield self._partial
                return
            tries = 0 if self._seen.count > before else tries + 1
            await self._clock.sleep(_WAITS[min(tries, len(_WAITS) - 1)])

    async def _pass(self, *, previous: bool) -> AsyncGenerator[Line, None]:
        """One connection: lines that were not given before. Failures that may pass are kept in `_failing_since`."""
        self._partial = None
        options = self._options(previous=previous)
        known = self._seen.copy()
        try:
            async with logs.opened(self._http, self._source.path, options) as response:
                self._on_opened(response.headers.get("Date", ""))
                async for line, whole in _parsed(response, self._source):
                    if not whole:  # cut on the way, or the last words of an ended container
                        self._partial = line
                        continue
                    if known.forget(line):
                        continue
                    self._failing_since, self._said = None, ""
                    self._seen.add(line)
                    yield line
            self._failing_since = None
        except (errors.Unreachable, errors.ServerError, errors.TooManyRequests, errors.Invalid) as error:
            self._on_failure(error, previous=previous)
        except errors.NotFound:
            if not self._opened:
                raise

    def _options(self, *, previous: bool) -> logs.Options:
        since = self._seen.since
        if since is None:
            options = _options(self._source, self._wish, follow=True)
        else:
            options = logs.Options(container=self._source.container, since=since, timestamps=True, follow=True)
        return msgspec.structs.replace(options, previous=True, follow=False) if previous else options

    def _on_opened(self, date: str) -> None:
        if not self._opened and (self._wish.tail_lines is not None or self._wish.since is not None):
            self._seen.begin(date)  # a cut before the first line must not lose what is written meanwhile
        self._opened = True

    def _on_failure(self, error: errors.ApiError | errors.Unreachable, *, previous: bool) -> None:
        """Wait, or raise what will not pass."""
        if previous:
            return  # no previous log is kept: nothing can be done about it
        waiting = isinstance(error, errors.Invalid)
        if waiting and "waiting to start" not in str(error) and "PodInitializing" not in str(error):
            raise error
        if not waiting and not self._opened:
            raise error
        now = self._clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if not waiting and now - self._failing_since > PATIENCE:
            raise error
        if self._told is not None and error.sentence != self._said:
            self._said = error.sentence
            self._told(self._source, error)

    async def _look(self) -> _State:
        """How the container stands; what may not be seen counts as still there."""
        try:
            pod = await self._http.request("GET", PODS.path(self._source.pod, namespace=self._source.namespace))
        except errors.NotFound:
            return _State(gone=True, ended=True)
        except errors.Forbidden:
            return _State(ended=True)  # as kubectl: the end of the answer is the end
        except (errors.ApiError, errors.Unreachable):
            return _State()
        return _read_state(pod, self._source.container)


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """`ended`: nothing more will be written."""

    restarts: int = 0
    ended: bool = False
    gone: bool = False


def _read_state(pod: bytes, container: str) -> _State:
    """What is no pod, or one that nests without end, says nothing."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError, AttributeError, TypeError, ValueError):
        return _state(msgspec.json.decode(pod, type=dict[str, Any]), container)
    return _State()


def _state(pod: dict[str, Any], container: str) -> _State:
    status = pod.get("status") or {}
    mains, inits = status.get("containerStatuses") or [], status.get("initContainerStatuses") or []
    found: dict[str, Any] = next((one for one in (*mains, *inits) if container in ("", one.get("name"))), {})
    restarts = int(found.get("restartCount") or 0)
    over = (found.get("state") or {}).get("terminated")
    policy = (pod.get("spec") or {}).get("restartPolicy", "Always")
    once = policy == "Never" or found in inits
    ended = over is not None and (once or policy == "OnFailure") and (policy == "Never" or over.get("exitCode") == 0)
    return _State(restarts=restarts, ended=ended or status.get("phase") in ("Succeeded", "Failed"))


_Key = tuple[int, bytes]


def _key(line: Line) -> _Key:
    """What tells a line; of a long one its digest, so that remembering it costs no more than a short one."""
    short = len(line.data) <= _DIGEST
    return line.at, line.data if short else hashlib.blake2b(line.data, digest_size=_DIGEST).digest()


class Seen:
    """Lines of the last two seconds (of the log's own time), as often as they were given."""

    def __init__(self) -> None:
        self._counts: collections.Counter[_Key] = collections.Counter()
        self._order: collections.deque[_Key] = collections.deque()
        self._newest = 0
        self.count = 0

    @property
    def since(self) -> datetime.datetime | None:
        """From when on to ask again; None when nothing is known."""
        if not self._newest:
            return None
        return datetime.datetime.fromtimestamp((self._newest - _SECOND) // _SECOND, datetime.UTC)

    def begin(self, date: str) -> None:
        """Nothing was given yet, but what comes after this (an HTTP date) is wanted; "" says nothing."""
        try:
            moment = email.utils.parsedate_to_datetime(date)
        except ValueError:
            return
        self._newest = self._newest or (int(moment.timestamp()) + 1) * _SECOND

    def add(self, line: Line) -> None:
        """It was given."""
        self.count += 1
        key = _key(line)
        self._newest = max(self._newest, line.at)
        self._counts[key] += 1
        self._order.append(key)
        while self._order and (self._order[0][0] < self._newest - _OVERLAP or len(self._order) > _MOST_KEPT):
            self._drop(self._order.popleft())

    def forget(self, line: Line) -> bool:
        """Whether it was given before, once for each time."""
        key = _key(line)
        if not self._counts.get(key):
            return False
        self._drop(key)
        return True

    def copy(self) -> Seen:
        """For one pass over what is asked for again."""
        made = Seen()
        made._counts = self._counts.copy()
        return made

    def _drop(self, key: _Key) -> None:
        self._counts[key] -= 1
        if self._counts[key] <= 0:
            del self._counts[key]


def _options(source: Source, wish: Wish, *, follow: bool) -> logs.Options:
    return logs.Options(
        container=source.container,
        follow=follow,
        tail_lines=wish.tail_lines,
        previous=wish.previous,
        since=wish.since,
        timestamps=True,
        limit_bytes=None if follow else wish.limit_bytes,
    )
