"""Pulls: bytes in time, joined by whoever asks, failing in Ollama's words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sealane.sandbox.world.clock import SteppedClock, settle
from sealane.sandbox.world.ollama.pulls import NOT_FOUND, Progress, PullFailed, Pulls, failure
from sealane.sandbox.world.ollama.storage import ModelStore


async def read(job: Any, into: list[Progress]) -> None:
    async for progress in job.follow():
        into.append(progress)


@pytest.mark.parametrize(("name", "least", "most"), [("qwen2.5-coder:7b", 15, 25), ("nomic-embed-text", 1, 4)])
async def test_a_pull_takes_believable_time_and_its_bytes_only_grow(
    clock: SteppedClock, name: str, least: float, most: float
) -> None:
    store = ModelStore()
    seen: list[Progress] = []
    task = asyncio.create_task(read(Pulls(clock=clock, store=store, instant=False).of(name), seen))
    while not task.done():
        await clock.advance(0.1)
    assert least < clock.monotonic() < most
    assert [seen[0].status, seen[-1].status] == ["pulling manifest", "success"]
    largest = [item for item in seen if item.total == max(other.total for other in seen)]
    counts = [item.completed for item in largest]
    assert counts == sorted(counts)
    assert counts[-1] == largest[-1].total
    assert store.get(name) is not None


async def test_a_second_asker_joins_the_pull_and_sees_the_same_bytes(clock: SteppedClock) -> None:
    pulls = Pulls(clock=clock, store=ModelStore(), instant=False)
    first: list[Progress] = []
    second: list[Progress] = []
    task = asyncio.create_task(read(pulls.of("qwen2.5-coder:7b"), first))
    await clock.advance(10)
    joined = asyncio.create_task(read(pulls.of("qwen2.5-coder:7b"), second))
    await clock.advance(2)
    begin = next(item for item in second if item.completed)
    assert begin.completed > 1e9
    while not (task.done() and joined.done()):
        await clock.advance(0.2)
    assert clock.monotonic() < 25


async def test_what_is_there_already_is_pulled_in_a_moment(clock: SteppedClock) -> None:
    store = ModelStore()
    pulls = Pulls(clock=clock, store=store, instant=False)
    for _ in range(2):
        begun = clock.monotonic()
        task = asyncio.create_task(read(pulls.of("all-minilm"), []))
        while not task.done():
            await clock.advance(0.1)
    assert clock.monotonic() - begun < 1.1


async def test_an_unknown_model_fails_as_ollama_does(clock: SteppedClock) -> None:
    task = asyncio.create_task(read(Pulls(clock=clock, store=ModelStore(), instant=False).of("nosuch:7b"), []))
    await clock.advance(1)
    with pytest.raises(PullFailed, match="pull model manifest: file does not exist"):
        await task


async def test_while_the_sandbox_warms_up_a_pull_takes_no_time(clock: SteppedClock) -> None:
    store = ModelStore()
    task = asyncio.create_task(read(Pulls(clock=clock, store=store, instant=True).of("llama3.1:70b"), []))
    await settle()
    assert task.done()
    assert store.get("llama3.1:70b") is not None


def test_a_private_registry_cannot_be_found_from_here() -> None:
    assert failure("registry.example:5000/team/m:1") == (
        'pull model manifest: Get "https://registry.example:5000/v2/team/m/manifests/1": '
        "dial tcp: lookup registry.example: no such host"
    )
    assert failure("someone/model:7b") == NOT_FOUND
    assert failure("hf.co/o/m") == NOT_FOUND


def test_progress_reads_as_the_api_and_as_the_command_write_it() -> None:
    begun = Progress("pulling abc", "abc", 2_000_000_000, 0)
    assert begun.to_json() == {"status": "pulling abc", "digest": "sha256:abc", "total": 2_000_000_000}
    half = Progress("pulling abc", "abc", 2_000_000_000, 1_000_000_000)
    assert half.to_json()["completed"] == 1_000_000_000
    assert half.line() == "pulling abc:  50% 1.0 GB / 2.0 GB"
    assert Progress("success").to_json() == {"status": "success"}
