"""Following one log through everything that interrupts it: no line twice, none lost."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from kube_server import Answer, ApiServer, Stream, status
from kube_streams import GONE, at

from sealane.kube import errors, tailing
from sealane.kube.client import Client
from sealane.kube.tailing import Line, Seen, Source, Wish
from sealane.lib.clock import ManualClock
from sealane.lib.errors import SealaneError

SOURCE = Source("team-a", "web", "main")
POD = "/api/v1/namespaces/team-a/pods/web"
LOG = f"{POD}/log"
FOLLOW = Wish(follow=True)


def pod(*, state: str = "running", restarts: int = 0, policy: str = "Always", code: int = 0) -> Answer:
    detail: dict[str, Any] = {"exitCode": code} if state == "terminated" else {}
    statuses = [{"name": "main", "restartCount": restarts, "state": {state: detail}}]
    return Answer({"spec": {"restartPolicy": policy}, "status": {"phase": "Running", "containerStatuses": statuses}})


OVER = pod(state="terminated", policy="Never")


async def collect(client: Client, wish: Wish = FOLLOW, *, told: list[SealaneError] | None = None) -> list[str]:
    """Everything until the log ends by itself."""
    heard = (lambda _, error: told.append(error)) if told is not None else None
    async with (
        asyncio.timeout(10),
        aclosing(tailing.follow(client.http, SOURCE, wish, clock=client.clock, told=heard)) as lines,
    ):
        return [line.text async for line in lines]


def test_times_are_read_to_the_nanosecond_and_in_every_zone() -> None:
    utc = tailing.parse(b"2026-01-01T10:00:00.123456789Z hello world", SOURCE)
    assert (utc.data, utc.time, utc.at % 1_000_000_000) == (b"hello world", "2026-01-01T10:00:00.123456789Z", 123456789)
    local = tailing.parse(b"2026-01-01T12:00:00.5+02:00 hello", SOURCE)
    assert local.at == utc.at - 123456789 + 500_000_000
    assert tailing.parse(b"2026-01-01T10:00:00Z", SOURCE).data == b""
    plain = tailing.parse(b"failed to watch file: too many open files", SOURCE)
    assert (plain.data, plain.time, plain.at) == (b"failed to watch file: too many open files", "", 0)


def test_shown_text_has_no_colours_and_commands_no_terminal() -> None:
    raw = b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07ok\x00 \xff 10%\r20%\r"
    assert Line(pod="p", data=raw).text == "20%"
    assert (
        Line(pod="p", data=raw.replace(b"\r", b"")).text
        == "red ok\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER} 10%20%"
    )


async def test_reading_asks_for_what_was_wished(server: ApiServer, client: Client) -> None:
    server.on("GET", LOG, Answer(at(1, "one") + at(2, "two")))
    since = datetime.datetime(2026, 1, 1, 11, 59, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    wish = Wish(tail_lines=5, since=since, previous=True, limit_bytes=1000)
    async with aclosing(tailing.read(client.http, SOURCE, wish)) as lines:
        assert [line.text async for line in lines] == ["one", "two"]
    assert server.requests[0].query == {
        "container": "main",
        "tailLines": "5",
        "previous": "true",
        "sinceTime": "2026-01-01T09:59:00Z",
        "timestamps": "true",
        "limitBytes": "1000",
    }


async def test_a_log_that_ended_with_its_container_ends(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, pod(), OVER)
    server.on("GET", LOG, Answer(at(1, "one") + at(2, "last words")[:-1]))
    assert await collect(client) == ["one", "last words"]
    assert len(server.asked(LOG)) == 1


async def test_after_a_cut_nothing_is_lost_and_nothing_repeated(server: ApiServer, client: Client) -> None:
    first = Stream(
        at(1, "one") + at(2.5, "same") + at(2.5, "same") + at(2.6, "hal")[:-1], kind="text/plain", then="cut"
    )
    second = at(1, "one") + at(2.5, "same") + at(2.5, "same") + at(2.5, "same") + at(2.6, "half") + at(3, "three")
    server.on("GET", POD, pod(), pod(), OVER)
    server.on("GET", LOG, first, Answer(second))
    told: list[SealaneError] = []
    assert await collect(client, told=told) == ["one", "same", "same", "same", "half", "three"]
    assert [type(error) for error in told] == [errors.Disconnected]
    again = server.asked(LOG)[1].query
    assert again == {"container": "main", "follow": "true", "timestamps": "true", "sinceTime": "2026-01-01T10:00:01Z"}


async def test_a_tail_that_was_cut_before_its_first_line_misses_nothing(server: ApiServer, client: Client) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Date": "Thu, 01 Jan 2026 10:00:05 GMT"})
        await response.prepare(request)
        assert request.transport is not None
        request.transport.abort()
        return response

    server.on("GET", POD, pod(), pod(), OVER)
    server.on("GET", LOG, silent, Answer(at(6, "meanwhile")))
    assert await collect(client, Wish(follow=True, tail_lines=0)) == ["meanwhile"]
    first, second = (seen.query for seen in server.asked(LOG))
    assert first["tailLines"] == "0"
    assert "tailLines" not in second
    assert second["sinceTime"] == "2026-01-01T10:00:05Z"


async def test_a_container_that_starts_again_is_followed_on(server: ApiServer, client: Client) -> None:
    crashed = pod(state="terminated", code=1, restarts=0)
    server.on("GET", POD, pod(), crashed, pod(restarts=1), pod(restarts=1), GONE)
    server.on("GET", LOG, Answer(at(1, "first life")), Answer(at(5, "second life")))
    assert await collect(client) == ["first life", "second life"]


async def test_what_a_container_said_before_it_started_again_behind_our_back_is_fetched(
    server: ApiServer, client: Client
) -> None:
    cut = Stream(at(1, "one"), kind="text/plain", then="cut")
    server.on("GET", POD, pod(), pod(restarts=1), OVER)
    server.on("GET", LOG, cut, Answer(at(1, "one") + at(2, "its last words")), Answer(at(3, "new life")))
    assert await collect(client) == ["one", "its last words", "new life"]
    assert [seen.query.get("previous", "") for seen in server.asked(LOG)] == ["", "true", ""]


async def test_a_pod_that_is_gone_ends_the_following(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, pod(), GONE)
    server.on("GET", LOG, Stream(at(1, "one"), kind="text/plain", then="cut"))
    assert await collect(client) == ["one"]


async def test_a_pod_that_never_was_is_an_error(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, GONE)
    server.on("GET", LOG, GONE)
    with pytest.raises(errors.NotFound):
        await collect(client)


async def test_a_container_that_has_not_started_is_waited_for_and_told_once(server: ApiServer, client: Client) -> None:
    waiting = status(400, "BadRequest", 'container "main" in pod "web" is waiting to start: PodInitializing')
    server.on("GET", POD, pod(state="waiting"), pod(state="waiting"), pod(), OVER)
    server.on("GET", LOG, waiting, waiting, Answer(at(1, "up")))
    told: list[SealaneError] = []
    assert await collect(client, told=told) == ["up"]
    assert [error.sentence for error in told] == [
        'test: container "main" in pod "web" is waiting to start: PodInitializing.'
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(403, "Forbidden", 'User "bob" cannot get resource "pods/log"'), errors.Forbidden),
        (status(400, "BadRequest", "a container name must be specified for pod web"), errors.Invalid),
        (status(500, "InternalError", "the kubelet is gone"), errors.ServerError),
    ],
)
async def test_what_is_refused_at_the_start_is_raised(
    server: ApiServer, client: Client, answer: Answer, kind: type[SealaneError]
) -> None:
    server.on("GET", POD, pod())
    server.on("GET", LOG, answer)
    with pytest.raises(kind):
        await collect(client)


async def test_who_may_not_see_the_pod_follows_as_kubectl_would(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, status(403, "Forbidden", 'User "bob" cannot get resource "pods"'))
    server.on("GET", LOG, Stream(at(1, "one"), kind="text/plain", then="cut"), Answer(at(1, "one") + at(2, "two")))
    assert await collect(client) == ["one", "two"]


async def test_failing_for_too_long_is_given_up_with_the_cause(
    server: ApiServer, client: Client, clock: ManualClock
) -> None:
    server.on("GET", POD, pod())
    server.on(
        "GET", LOG, Stream(at(1, "one"), kind="text/plain", then="cut"), status(500, "InternalError", "no kubelet")
    )
    before = clock.monotonic()
    with pytest.raises(errors.ServerError, match="no kubelet"):
        await collect(client)
    assert tailing.PATIENCE < clock.monotonic() - before < tailing.PATIENCE + 10


async def test_leaving_hangs_up(server: ApiServer, client: Client) -> None:
    stream = Stream(at(1, "one"), kind="text/plain")
    server.on("GET", POD, pod())
    server.on("GET", LOG, stream)
    async with asyncio.timeout(5):
        async with aclosing(tailing.follow(client.http, SOURCE, FOLLOW, clock=client.clock)) as lines:
            assert (await anext(lines)).text == "one"
        await stream.left.wait()


def test_only_the_last_seconds_are_remembered() -> None:
    seen = Seen()
    for second in range(100):
        seen.add(Line(pod="p", data=b"x", at=(1_000 + second) * 1_000_000_000))
    assert len(seen._order) == 3
    assert seen.since == datetime.datetime.fromtimestamp(1_098, datetime.UTC)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_whatever_the_cuts_every_line_comes_once(log: list[tuple[int, str]], cuts: Sequence[int]) -> None:
    """A server that cuts sinceTime to whole seconds and stamps up to 0.3 s out of order, as two writers do."""
    written = [Line(pod="p", data=text.encode(), at=1_000_000_000 * 100 + tick * 100_000_000) for tick, text in log]
    written.sort(key=lambda line: line.at // 300_000_000)
    seen, given_out = Seen(), []
    for cut in [*sorted(cuts), len(written)]:
        known, since = seen.copy(), seen.since
        start = int(since.timestamp()) * 1_000_000_000 if since else 0
        for line in (line for line in written[:cut] if line.at >= start):
            if not known.forget(line):
                seen.add(line)
                given_out.append(line)
    assert given_out == written


@pytest.mark.parametrize(
    "stamp",
    ["2024-13-45T99:99:99Z", "0000-01-01T00:00:00Z", "2024-01-01T00:00:00+99:99", "9999-12-31T23:59:59-23:59"],
)
def test_what_looks_like_a_time_and_is_none_is_text(stamp: str) -> None:
    line = tailing.parse(f"{stamp} hello".encode(), SOURCE)
    assert (line.data, line.time, line.at) == (f"{stamp} hello".encode(), "", 0)


async def test_pieces_of_a_long_line_have_its_time_and_not_what_the_pod_writes(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = at(1, "x" * 20).removesuffix(b"\n")
    monkeypatch.setattr(tailing, "LONGEST", len(log))
    body = log + b"2099-01-01T00:00:00Z lie\n" + at(2, "b")
    server.on("GET", LOG, Answer(body))
    async with aclosing(tailing.read(client.http, SOURCE, Wish())) as lines:
        found = [line async for line in lines]
    first, last = found[0].at, found[-1].at
    assert {line.at for line in found} == {first, last}
    assert 0 < first < last
    assert b"2099-01-01T00:00:00Z lie" in b"".join(line.data for line in found)


def test_a_remembered_line_costs_little_however_long_it_is() -> None:
    seen = Seen()
    long = [Line(pod="web", data=bytes([number]) * 100_000, at=5) for number in (1, 2)]
    seen.add(long[0])
    assert [seen.forget(line) for line in long] == [True, False]
    seen.add(long[1])
    assert max(len(data) for _, data in seen._order) <= 32


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b'{"status":[]}', b"[" * 100_000, b'{"status":{"phase":{}}}'])
def test_an_answer_that_is_no_pod_says_nothing(body: bytes) -> None:
    assert tailing._read_state(body, "main") == tailing._State()
