"""A stream renders once, sends only what differs, and a reader who cannot keep up starts anew."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sealane.console import live
from sealane.lib.clock import ManualClock
from sealane.models.hosted import NotHosted
from tests.console import fakes


class Page:
    """What a view would render; counts how often it was asked."""

    def __init__(self, **regions: str) -> None:
        self.regions = regions
        self.renders = 0
        self.error: Exception | None = None

    async def __call__(self) -> dict[str, str]:
        self.renders += 1
        if self.error:
            raise self.error
        return dict(self.regions)


async def taken(reader: live.Reader) -> str:
    """Everything that waits for a reader."""
    messages = []
    while not reader.idle:
        messages.append((await reader.next() or b"").decode())
    return "".join(messages)


async def test_a_new_reader_gets_the_whole_page() -> None:
    stream = live.Stream(Page(a="1", b="2"), ManualClock())
    reader = stream.join()
    await stream.step()
    sent = await taken(reader)
    assert 'hx-target="#a"' in sent
    assert 'hx-target="#b"' in sent


async def test_only_what_differs_is_sent() -> None:
    page = Page(a="1", b="2")
    stream = live.Stream(page, ManualClock())
    reader = stream.join()
    await stream.step()
    await taken(reader)
    page.regions["b"] = "3"
    await stream.step()
    sent = await taken(reader)
    assert 'hx-target="#b"' in sent
    assert 'hx-target="#a"' not in sent


async def test_nothing_new_sends_a_beat_alone() -> None:
    stream = live.Stream(Page(a="1"), ManualClock())
    reader = stream.join()
    await stream.step()
    await taken(reader)
    await stream.step()
    sent = await taken(reader)
    assert sent.startswith("event: beat\n")
    assert "hx-partial" not in sent


async def test_a_view_is_rendered_once_for_all_its_readers() -> None:
    page = Page(a="1")
    stream = live.Stream(page, ManualClock())
    readers = [stream.join() for _ in range(50)]
    await stream.step()
    assert page.renders == 1
    assert len({await taken(reader) for reader in readers}) == 1


async def test_a_reader_who_cannot_keep_up_starts_anew_and_costs_no_memory() -> None:
    page = Page(a="0", b="still")
    stream = live.Stream(page, ManualClock())
    slow, quick = stream.join(), stream.join()
    for number in range(live.QUEUE * 3):
        page.regions["a"] = str(number)
        await stream.step()
        await taken(quick)
    late = await taken(slow)
    assert "event: resync" in late
    assert "hx-partial" not in late.replace("resync", "", 1).split("event: resync")[-1]
    await stream.step()
    whole = await taken(slow)
    assert f">{live.QUEUE * 3 - 1}</hx-partial>" in whole
    assert ">still</hx-partial>" in whole


async def test_what_is_gone_is_said_in_one_sentence() -> None:
    page = Page(a="1")
    stream = live.Stream(page, ManualClock())
    reader = stream.join()
    await stream.step()
    await taken(reader)
    page.error = NotHosted("No model <x> is hosted.")
    await stream.step()
    sent = await taken(reader)
    assert "No model &lt;x&gt; is hosted" in sent


async def test_a_page_that_fails_keeps_what_it_showed_and_ends_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    page = Page(a="1")
    stream = live.Stream(page, ManualClock())
    reader = stream.join()
    await stream.step()
    await taken(reader)
    page.error = ZeroDivisionError()
    await stream.step()
    assert "hx-partial" not in await taken(reader)
    assert "could not be rendered" in caplog.text


async def test_streams_end_with_the_hub_so_that_pages_connect_anew() -> None:
    hub = live.Hub(fakes.build())
    running = asyncio.create_task(hub.run())
    await hub.ready.wait()
    messages = hub.read("key", Page(a="1"))
    await anext(messages)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(5):
        assert [message async for message in messages if b"hx-partial" in message] == []
        assert [message async for message in hub.read("key", Page(a="1"))] == []
    assert hub.open == 0


async def test_renders_keep_their_distance() -> None:
    class Counting(ManualClock):
        def __init__(self) -> None:
            super().__init__()
            self.slept: list[float] = []

        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            await super().sleep(seconds)

    clock, page = Counting(), Page(a="1")
    stream = live.Stream(page, clock)
    running = asyncio.create_task(stream.run())
    for _ in range(20):
        stream.touch()
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert clock.slept.count(live.INTERVAL) >= page.renders - 1


async def test_the_last_reader_ends_the_stream() -> None:
    services = fakes.build()
    hub = live.Hub(services)
    running = asyncio.create_task(hub.run())
    await asyncio.sleep(0)
    one, two = hub.read("key", Page(a="1")), hub.read("key", Page(a="1"))
    await anext(one)
    await anext(two)
    assert hub.open == 1
    await one.aclose()  # type: ignore[attr-defined]
    assert hub.open == 1
    await two.aclose()  # type: ignore[attr-defined]
    assert hub.open == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_change_below_reaches_the_reader() -> None:
    services = fakes.build()
    hub = live.Hub(services)
    running = asyncio.create_task(hub.run())
    await asyncio.sleep(0)
    page = Page(a="1")
    messages = hub.read("key", page)
    await anext(messages)
    page.regions["a"] = "2"
    assert isinstance(services.models, fakes.FakeModels)
    services.models.changed.set()
    async with asyncio.timeout(5):
        async for message in messages:
            if b">2</hx-partial>" in message:
                break
    await messages.aclose()  # type: ignore[attr-defined]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@given(st.dictionaries(st.from_regex(r"r-[a-z]{1,8}", fullmatch=True), st.text(max_size=200), min_size=1))
def test_any_html_survives_the_way_as_one_message(regions: dict[str, str]) -> None:
    message = live.partials(regions).decode()
    assert message.endswith("\n\n")
    lines = message[:-2].split("\n")
    assert all(line.startswith("data: ") for line in lines)
    joined = "\n".join(line.removeprefix("data: ") for line in lines)
    for name in regions:
        assert f'hx-target="#{name}"' in joined


@pytest.mark.parametrize("path", ["/live/models/a/b/c", "/live/nothing"])
def test_what_cannot_be_shown_is_refused_before_a_stream_opens(script: TestClient, path: str) -> None:
    assert script.get(path).status_code == 404
