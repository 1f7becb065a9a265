"""The reflector against a scripted server: what it says, in which order, and what it asks next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from kube_server import Answer, ApiServer, Stream, bookmark, event, expired, pod, pod_list, status

from sealane.kube import errors
from sealane.kube.client import Client
from sealane.kube.resources import PODS
from sealane.kube.watch import LIVE, Change, Condition, Gone, Patience, Synced, Upsert, reflect
from sealane.lib.clock import ManualClock

PATH = "/api/v1/pods"
SYNC = (event("ADDED", pod("a")), event("ADDED", pod("b")), bookmark("10", initial_end=True))
NOT_ENABLED = status(422, "Invalid", "sendInitialEvents is forbidden for watch unless the WatchList feature is enabled")


@contextlib.asynccontextmanager
async def reading(client: Client, **more: object) -> AsyncIterator[Reader]:
    changes = reflect(client, PODS, clock=client.clock, random=lambda: 1.0, **more)  # type: ignore[arg-type]
    async with contextlib.aclosing(changes):
        yield Reader(changes)


class Reader:
    """Reads a reflector with a limit on every wait."""

    def __init__(self, changes: AsyncIterator[Change]) -> None:
        self._changes = changes

    async def next(self, count: int = 1) -> list[Change]:
        async with asyncio.timeout(5):
            return [await anext(self._changes) for _ in range(count)]

    async def until(self, kind: type[Change]) -> list[Change]:
        seen: list[Change] = []
        async with asyncio.timeout(5):
            while not seen or not isinstance(seen[-1], kind):
                seen.append(await anext(self._changes))
        return seen


def names(synced: Change) -> list[str]:
    assert isinstance(synced, Synced)
    return [item.meta.name for item in synced.objects]


async def test_initial_events_become_one_synced_and_then_it_is_live(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC))
    async with reading(client) as reader:
        synced, live = await reader.next(2)
    assert names(synced) == ["a", "b"]
    assert live == LIVE
    asked = server.requests[0].query
    assert asked["sendInitialEvents"] == "true"
    assert asked["resourceVersionMatch"] == "NotOlderThan"
    assert asked["allowWatchBookmarks"] == "true"
    assert "resourceVersion" not in asked


async def test_an_empty_cluster_is_synced_with_nothing(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(bookmark("10", initial_end=True)))
    async with reading(client) as reader:
        assert names((await reader.next())[0]) == []


async def test_changes_follow_on_the_same_connection(server: ApiServer, client: Client) -> None:
    stream = Stream(*SYNC)
    server.on("GET", PATH, stream)
    async with reading(client) as reader:
        await reader.next(2)
        stream.send(event("MODIFIED", pod("a", version="11")))
        stream.send(event("DELETED", pod("b", version="12")))
        changed, gone = await reader.next(2)
    assert isinstance(changed, Upsert)
    assert changed.meta.resource_version == "11"
    assert b"managedFields" not in changed.raw
    assert isinstance(gone, Gone)
    assert gone.meta.name == "b"
    assert len(server.requests) == 1


async def test_a_bookmark_is_a_sign_of_life(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, bookmark("20")))
    async with reading(client) as reader:
        assert (await reader.next(3))[2] == LIVE


async def test_a_server_without_watch_list_is_listed_in_pages_and_watched_from_there(
    server: ApiServer, client: Client
) -> None:
    server.on(
        "GET",
        PATH,
        NOT_ENABLED,
        Answer(pod_list(pod("a"), token="t", remaining=1)),
        Answer(pod_list(pod("b"))),
        Stream(event("ADDED", pod("c", version="11"))),
    )
    async with reading(client) as reader:
        synced, live, added = await reader.next(3)
    assert names(synced) == ["a", "b"]
    assert live == LIVE
    assert isinstance(added, Upsert)
    _, first, second, watch = server.requests
    assert first.query["limit"] == "500"
    assert second.query["continue"] == "t"
    assert watch.query["resourceVersion"] == "10"
    assert "sendInitialEvents" not in watch.query


async def test_a_server_that_ignores_initial_events_is_listed_instead(server: ApiServer, client: Client) -> None:
    silent = Stream()
    server.on("GET", PATH, silent, Answer(pod_list(pod("a"))), Stream())
    async with reading(client, patience=Patience(initial=0.01)) as reader:
        assert names((await reader.next())[0]) == ["a"]
    assert len(server.requests) >= 2


async def test_an_ordinary_end_is_resumed_from_the_last_version_and_stays_live(
    server: ApiServer, client: Client
) -> None:
    server.on(
        "GET",
        PATH,
        Stream(*SYNC, event("MODIFIED", pod("a", version="15")), then="end"),
        Stream(event("DELETED", pod("b", version="16"))),
    )
    async with reading(client) as reader:
        changes = await reader.next(5)
    assert changes[3] == LIVE
    assert isinstance(changes[4], Gone)
    assert server.requests[1].query["resourceVersion"] == "15"


async def test_a_bookmark_moves_the_version_to_resume_from(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, bookmark("99"), then="end"), Stream(bookmark("100")))
    async with reading(client) as reader:
        await reader.next(4)
    assert server.requests[1].query["resourceVersion"] == "99"


async def test_a_cut_is_said_and_mended(server: ApiServer, client: Client, clock: ManualClock) -> None:
    server.on("GET", PATH, Stream(*SYNC, then="cut"), Stream(event("DELETED", pod("a", version="11"))))
    before = clock.monotonic()
    async with reading(client) as reader:
        _, _, cut, live, gone = await reader.next(5)
    assert isinstance(cut, Condition)
    assert cut.state == "reconnecting"
    assert isinstance(cut.error, errors.Disconnected)
    assert live == LIVE
    assert isinstance(gone, Gone)
    assert 0 < clock.monotonic() - before <= 0.5
    assert server.requests[1].query["resourceVersion"] == "10"


async def test_silence_is_found_out(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC), Stream())
    async with reading(client, patience=Patience(silence=0.02)) as reader:
        _, _, silent, live = await reader.next(4)
    assert isinstance(silent, Condition)
    assert silent.state == "reconnecting"
    assert isinstance(silent.error, errors.TimedOut)
    assert live == LIVE


@pytest.mark.parametrize(
    "answer", [Stream(expired(), then="end"), status(410, "Expired", "too old")], ids=["event", "answer"]
)
async def test_after_an_expiry_deletions_in_between_are_not_lost(
    server: ApiServer, client: Client, answer: Stream | Answer
) -> None:
    later = (event("ADDED", pod("b", version="30")), event("ADDED", pod("c", version="31")))
    server.on(
        "GET",
        PATH,
        Stream(*SYNC, then="cut"),
        answer,
        Stream(*later, bookmark("40", initial_end=True), event("DELETED", pod("c", version="41"))),
    )
    async with reading(client) as reader:
        await reader.until(Synced)
        seen = await reader.until(Gone)
        seen += await reader.until(Gone)
    assert [(type(change), change.meta.name) for change in seen if isinstance(change, Gone | Upsert)] == [
        (Gone, "a"),
        (Upsert, "b"),
        (Upsert, "c"),
        (Gone, "c"),
    ]
    assert any(isinstance(change, Condition) and isinstance(change.error, errors.Expired) for change in seen)


async def test_unchanged_objects_are_not_repeated_after_an_expiry(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, expired(), then="end"), Stream(*SYNC[:2], bookmark("50", initial_end=True)))
    async with reading(client) as reader:
        _, _, lost, live = await reader.next(4)
    assert isinstance(lost, Condition)
    assert lost.state == "reconnecting"
    assert live == LIVE


async def test_a_name_used_again_by_another_object_is_gone_first(server: ApiServer, client: Client) -> None:
    again = event("MODIFIED", pod("a", version="12", uid="other"))
    server.on("GET", PATH, Stream(*SYNC, again))
    async with reading(client) as reader:
        _, _, gone, new = await reader.next(4)
    assert isinstance(gone, Gone)
    assert gone.meta.uid == "uid-a"
    assert isinstance(new, Upsert)
    assert new.meta.uid == "other"


async def test_a_pager_that_is_too_slow_for_the_server_reads_one_page(server: ApiServer, client: Client) -> None:
    server.on(
        "GET",
        PATH,
        NOT_ENABLED,
        Answer(pod_list(pod("a"), token="t")),
        status(410, "Expired", "The provided continue parameter is too old"),
        Answer(pod_list(pod("a"), pod("b"))),
        Stream(),
    )
    async with reading(client) as reader:
        changes = await reader.until(Synced)
    assert names(changes[-1]) == ["a", "b"]
    assert server.requests[3].query["limit"] == "0"


@pytest.mark.parametrize(
    ("code", "reason", "state"),
    [(403, "Forbidden", "forbidden"), (401, "Unauthorized", "unauthorized"), (404, "NotFound", "gone")],
)
async def test_a_refusal_is_a_condition_and_tried_again(
    server: ApiServer, client: Client, clock: ManualClock, code: int, reason: str, state: str
) -> None:
    server.on("GET", PATH, *[status(code, reason, "no")] * 8, Stream(*SYNC))
    async with reading(client) as reader:
        changes = await reader.until(Synced)
    assert {change.state for change in changes if isinstance(change, Condition)} == {state}
    assert len(changes) == 9
    assert 30 < clock.monotonic() - 1000 < 150


async def test_a_kind_that_disappears_takes_its_objects_along(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, then="end"), status(404, "NotFound", "the server could not find it"))
    async with reading(client) as reader:
        changes = await reader.next(6)
    assert isinstance(changes[2], Condition)
    assert changes[2].state == "reconnecting"  # a 404 may be a proxy's: it is believed when it is repeated
    assert [change.meta.name for change in changes if isinstance(change, Gone)] == ["a", "b"]
    assert isinstance(changes[5], Condition)
    assert changes[5].state == "gone"


async def test_no_server_is_unreachable_and_waits_stay_short(clock: ManualClock) -> None:
    async with ApiServer() as server:
        context = server.context()
    async with Client(context, clock=clock) as client, reading(client) as reader:
        conditions = await reader.next(10)
    assert {change.state for change in conditions if isinstance(change, Condition)} == {"unreachable"}
    assert clock.monotonic() - 1000 <= 0.5 + 1 + 2 + 4 * 6


async def test_closing_the_reflector_hangs_up(server: ApiServer, client: Client) -> None:
    stream = Stream(*SYNC)
    server.on("GET", PATH, stream)
    async with reading(client) as reader:
        await reader.next(2)
    async with asyncio.timeout(5):
        await stream.left.wait()


async def test_cancelling_the_reader_hangs_up(server: ApiServer, client: Client) -> None:
    stream = Stream(*SYNC)
    server.on("GET", PATH, stream)

    async def read() -> None:
        async with reading(client) as reader:
            await reader.next(100)

    task = asyncio.create_task(read(), name="reader")
    async with asyncio.timeout(5):
        await stream.opened.wait()
        task.cancel()
        await stream.left.wait()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_busy_server_is_given_the_time_it_asks_for(
    server: ApiServer, client: Client, clock: ManualClock
) -> None:
    server.on("GET", PATH, status(429, "TooManyRequests", "busy", headers={"Retry-After": "7"}), Stream(*SYNC))
    async with reading(client) as reader:
        busy = (await reader.until(Synced))[0]
    assert isinstance(busy, Condition)
    assert isinstance(busy.error, errors.TooManyRequests)
    assert clock.monotonic() - 1000 == pytest.approx(7.5)  # and a little of chance, for a dozen watches wait alike


async def test_a_truncated_event_is_a_cut_not_a_crash(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, b'{"type":"MODIFIED","obj\n', then="end"), Stream(bookmark("11")))
    async with reading(client) as reader:
        changes = await reader.next(5)
    assert isinstance(changes[2], Condition)
    assert isinstance(changes[2].error, errors.Disconnected)


async def test_selectors_and_namespace_are_asked_for_every_time(server: ApiServer, client: Client) -> None:
    path = "/api/v1/namespaces/team-a/pods"
    server.on("GET", path, Stream(*SYNC, then="end"), Stream(bookmark("11")))
    async with reading(client, namespace="team-a", label_selector="app=x") as reader:
        await reader.next(3)
    assert [seen.query["labelSelector"] for seen in server.requests] == ["app=x", "app=x"]


async def test_after_hanging_up_a_watch_goes_on_over_a_new_connection(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC), Stream(event("DELETED", pod("a", version="11"))))
    async with reading(client) as reader:
        await reader.next(2)
        await client.hang_up()
        cut, live, gone = await reader.next(3)
    assert isinstance(cut, Condition)
    assert cut.state == "reconnecting"
    assert live == LIVE
    assert isinstance(gone, Gone)


async def test_what_was_deleted_while_the_beginning_was_told_is_not_in_it(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC[:2], event("DELETED", pod("a", version="9")), SYNC[2]))
    async with reading(client) as reader:
        assert names((await reader.next())[0]) == ["b"]


async def test_a_beginning_without_an_end_on_a_busy_kind_is_given_up(server: ApiServer, client: Client) -> None:
    endless = Stream(*SYNC[:2])
    server.on("GET", PATH, endless, Answer(pod_list(pod("a"))), Stream())
    clock = client.clock

    async def chatter() -> None:
        await endless.opened.wait()
        for _ in range(50):
            endless.send(event("MODIFIED", pod("a", version="2")))
            await clock.sleep(1)
            await asyncio.sleep(0.002)

    async with reading(client) as reader, asyncio.TaskGroup() as group:
        group.create_task(chatter())
        assert names((await reader.next())[0]) == ["a"]


async def test_blank_lines_of_a_proxy_are_no_sign_of_life(server: ApiServer, client: Client) -> None:
    stream = Stream(*SYNC)
    server.on("GET", PATH, stream, Stream())

    async def drip() -> None:
        while True:
            stream.send(b"\n")
            await asyncio.sleep(0.005)

    async with reading(client, patience=Patience(silence=0.05)) as reader, asyncio.TaskGroup() as group:
        await reader.next(2)
        dripping = group.create_task(drip())
        (silent,) = await reader.next()
        dripping.cancel()
    assert isinstance(silent, Condition)
    assert isinstance(silent.error, errors.TimedOut)


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_one_refusal_after_it_was_live_takes_nothing_away(server: ApiServer, client: Client, code: int) -> None:
    server.on("GET", PATH, Stream(*SYNC, then="cut"), status(code, "", "no"), Stream(bookmark("11")))
    async with reading(client) as reader:
        seen = (await reader.next(6))[2:]
    assert [change.state for change in seen if isinstance(change, Condition)] == [
        "reconnecting",
        "reconnecting",
        "live",
        "live",
    ]


async def test_a_refusal_inside_a_watch_is_asked_about_again_before_it_is_believed(
    server: ApiServer, client: Client
) -> None:
    refused = event("ERROR", {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "token expired"})
    server.on("GET", PATH, Stream(*SYNC, refused, then="end"), Stream(bookmark("11")))
    async with reading(client) as reader:
        _, _, lost, live = await reader.next(4)
    assert isinstance(lost, Condition)
    assert lost.state == "reconnecting"
    assert "token expired" in str(lost.error)
    assert live == LIVE


async def test_one_object_that_nobody_can_read_is_counted_and_costs_no_other(server: ApiServer, client: Client) -> None:
    nameless = event("MODIFIED", {"metadata": {"resourceVersion": "11"}})
    server.on("GET", PATH, Stream(*SYNC, nameless, event("DELETED", pod("a", version="12")), bookmark("13")))
    async with reading(client) as reader:
        _, _, counted, gone, live = await reader.next(5)
    assert counted == live == Condition("live", skipped=1)
    assert isinstance(gone, Gone)


async def test_bytes_that_are_no_json_are_the_connections_fault_once(server: ApiServer, client: Client) -> None:
    broken = b'{"type":"MODIFIED","object":{"metadata":{"name":"a"}' + b"}\n"
    server.on("GET", PATH, Stream(*SYNC, broken), Stream(broken, event("DELETED", pod("b", version="12"))))
    async with reading(client) as reader:
        _, _, first, live, counted, gone = await reader.next(6)
    assert isinstance(first, Condition)
    assert first.state == "reconnecting"
    assert live == LIVE
    assert counted == Condition("live", skipped=1)
    assert isinstance(gone, Gone)


async def test_a_server_whose_history_went_back_is_read_anew(server: ApiServer, client: Client) -> None:
    again = (event("ADDED", pod("a", version="4")), bookmark("5", initial_end=True))
    server.on("GET", PATH, Stream(*SYNC, bookmark("4")), Stream(*again))
    async with reading(client) as reader:
        _, _, lost, gone, changed, live = await reader.next(6)
    assert isinstance(lost, Condition)
    assert isinstance(lost.error, errors.Expired)
    assert isinstance(gone, Gone)
    assert gone.meta.name == "b"
    assert isinstance(changed, Upsert)
    assert live == LIVE
    assert "resourceVersion" not in server.requests[1].query


async def test_a_server_that_is_behind_is_read_anew(server: ApiServer, client: Client) -> None:
    behind = status(504, "Timeout", "Timeout: Too large resource version: 10, current: 4")
    server.on("GET", PATH, Stream(*SYNC, then="end"), behind, Stream(SYNC[0], bookmark("5", initial_end=True)))
    async with reading(client) as reader:
        seen = await reader.until(Gone)
    assert seen[-1].meta.name == "b"  # type: ignore[union-attr]


async def test_a_server_that_ends_every_watch_at_once_is_not_called_live(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, then="end"), *[Stream(then="end") for _ in range(9)], Stream())
    async with reading(client) as reader:
        seen = await reader.next(9)
    assert any(isinstance(change, Condition) and change.state == "reconnecting" for change in seen)


async def test_versions_that_are_no_numbers_are_tolerated(server: ApiServer, client: Client) -> None:
    odd = (event("ADDED", pod("a", version="xyz")), bookmark("v-1", initial_end=True))
    server.on("GET", PATH, Stream(*odd, event("MODIFIED", pod("a", version="abc")), then="end"), Stream(bookmark("x")))
    async with reading(client) as reader:
        changed = (await reader.next(3))[2]
        await reader.next()
    assert isinstance(changed, Upsert)
    assert server.requests[1].query["resourceVersion"] == "abc"


async def test_a_bookmark_without_a_version_changes_nothing(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, bookmark(""), then="end"), Stream(bookmark("11")))
    async with reading(client) as reader:
        await reader.next(5)
    assert server.requests[1].query["resourceVersion"] == "10"


async def test_kinds_of_events_that_nobody_knows_are_passed_over(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(*SYNC, event("SURPRISE", pod("z")), event("DELETED", pod("a", version="12"))))
    async with reading(client) as reader:
        assert isinstance((await reader.next(3))[2], Gone)
