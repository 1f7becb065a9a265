"""Full answers are kept in the form that the reader wants them in, object by object."""

from __future__ import annotations

import asyncio
import contextlib

from kube_server import Answer, ApiServer, Stream, bookmark, event, expired, pod, pod_list, status

from sealane.kube.client import Client
from sealane.kube.resources import PODS
from sealane.kube.watch import Change, Synced, Upsert, reflect
from sealane.kube.wire import RawObject

PATH = "/api/v1/pods"


async def first_of(client: Client, kind: type[Change], seen: list[tuple[str, int]]) -> Change:
    def admit(item: RawObject, before: int) -> RawObject:
        seen.append((item.meta.name, before))
        return RawObject(item.meta, b"small")

    async with contextlib.aclosing(reflect(client, PODS, clock=client.clock, admit=admit)) as changes:
        async with asyncio.timeout(5):
            async for change in changes:
                if isinstance(change, kind):
                    return change
    raise AssertionError("a reflector never ends")


async def test_initial_events_are_admitted_one_by_one(server: ApiServer, client: Client) -> None:
    server.on("GET", PATH, Stream(event("ADDED", pod("a")), event("ADDED", pod("b")), bookmark("10", initial_end=True)))
    seen: list[tuple[str, int]] = []
    synced = await first_of(client, Synced, seen)
    assert seen == [("a", 0), ("b", 1)]
    assert isinstance(synced, Synced)
    assert [item.raw for item in synced.objects] == [b"small", b"small"]


async def test_pages_of_a_list_are_admitted_too(server: ApiServer, client: Client) -> None:
    refused = status(422, "Invalid", "sendInitialEvents is forbidden")
    pages = Answer(pod_list(pod("a"), token="t", remaining=1)), Answer(pod_list(pod("b")))
    server.on("GET", PATH, refused, *pages, Stream())
    seen: list[tuple[str, int]] = []
    synced = await first_of(client, Synced, seen)
    assert seen == [("a", 0), ("b", 1)]
    assert isinstance(synced, Synced)
    assert len(synced.objects) == 2


async def test_what_a_later_full_answer_changes_is_in_the_small_form_too(server: ApiServer, client: Client) -> None:
    again = Stream(event("ADDED", pod("a")), event("ADDED", pod("b", version="12")), bookmark("20", initial_end=True))
    server.on("GET", PATH, Stream(event("ADDED", pod("a")), bookmark("10", initial_end=True), expired()), again)
    change = await first_of(client, Upsert, [])
    assert isinstance(change, Upsert)
    assert (change.meta.name, change.raw) == ("b", b"small")


async def test_an_object_deleted_while_the_answer_comes_in_is_not_in_it(server: ApiServer, client: Client) -> None:
    gone = event("DELETED", pod("a", version="9"))
    server.on(
        "GET", PATH, Stream(event("ADDED", pod("a")), event("ADDED", pod("b")), gone, bookmark("10", initial_end=True))
    )
    synced = await first_of(client, Synced, [])
    assert isinstance(synced, Synced)
    assert [item.meta.name for item in synced.objects] == ["b"]
