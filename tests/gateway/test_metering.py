"""Usage adds up exactly, also while batches are written and when they cannot be."""

from __future__ import annotations

import asyncio
import threading

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealane.gateway.framing import Usage
from sealane.gateway.metering import Cell, Total, UsageStore
from sealane.lib.clock import ManualClock
from sealane.state import errors, schema
from sealane.state.database import Database

EVENT = st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 50), st.integers(0, 50), st.booleans())


def add(
    store: UsageStore,
    key: str = "a",
    model: str = "x",
    *,
    prompt: int = 1,
    completion: int = 2,
    failed: bool = False,
) -> None:
    store.add(key_id=key, model=model, cluster="c", endpoint="/v1/x", usage=Usage(prompt, completion), failed=failed)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENT, max_size=30), flush_at=st.sets(st.integers(0, 30)))
async def test_totals_are_the_sums_whenever_batches_are_written(
    database: Database, events: list[tuple[str, str, int, int, bool]], flush_at: set[int]
) -> None:
    with database.write() as connection:
        connection.execute(sqlalchemy.delete(schema.USAGE))
    store = UsageStore(database, clock=ManualClock())
    for index, (key, model, prompt, completion, failed) in enumerate(events):
        add(store, key, model, prompt=prompt, completion=completion, failed=failed)
        if index in flush_at:
            await store.flush()
    for total in await store.totals():
        mine = [e for e in events if (e[0], e[1]) == (total.key_id, total.model)]
        assert total.requests == len(mine)
        assert total.failures == sum(e[4] for e in mine)
        assert total.prompt_tokens == sum(e[2] for e in mine)
        assert total.completion_tokens == sum(e[3] for e in mine)
    assert sum(t.requests for t in await store.totals()) == len(events)


async def test_what_was_flushed_is_there_after_a_restart(database: Database) -> None:
    store = UsageStore(database)
    add(store)
    await store.flush()
    wanted = [Total(key_id="a", model="x", requests=1, prompt_tokens=1, completion_tokens=2)]
    assert await UsageStore(database).totals() == wanted


async def test_two_processes_add_to_the_same_hour(database: Database) -> None:
    clock = ManualClock()
    one, two = UsageStore(database, clock=clock), UsageStore(database, clock=clock)
    add(one)
    add(two)
    await one.flush()
    await two.flush()
    assert [t.requests for t in await one.totals()] == [2]


async def test_each_hour_has_its_own_row_and_since_looks_back_so_far(database: Database) -> None:
    clock = ManualClock()
    store = UsageStore(database, clock=clock)
    add(store)
    clock.advance(3600)
    add(store)
    await store.flush()
    with database.read() as connection:
        assert len(connection.execute(sqlalchemy.select(schema.USAGE)).all()) == 2
    now = int(clock.now().timestamp())
    assert [t.requests for t in await store.totals(since=now)] == [1]
    assert [t.requests for t in await store.totals(since=now - 3600)] == [2]


async def test_a_batch_that_cannot_be_written_is_kept_and_written_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = UsageStore(database, clock=ManualClock())
    add(store)

    def full(_batch: object) -> None:
        raise errors.StateDiskFull("Sealane cannot write here: no space is left.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_write", full)
        with pytest.raises(errors.StateDiskFull):
            await store.flush()
        add(store)
        assert store.write_failures == 1
        assert [t.requests for t in await store.totals()] == [2]
    await store.flush()
    assert [t.requests for t in await UsageStore(database).totals()] == [2]


async def test_most_tokens_come_first(database: Database) -> None:
    store = UsageStore(database, clock=ManualClock())
    add(store, "a", prompt=1)
    add(store, "b", prompt=100)
    assert [t.key_id for t in await store.totals()] == ["b", "a"]


def test_the_statement_for_postgresql_adds_to_what_is_there() -> None:
    from sqlalchemy.dialects import postgresql

    from sealane.gateway import metering

    text = str(metering._upsert("postgresql").compile(dialect=postgresql.dialect()))
    assert "ON CONFLICT" in text
    assert "usage.requests + excluded.requests" in text


async def test_a_write_that_is_under_way_when_everything_stops_counts_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = UsageStore(database, clock=ManualClock())
    begun, may_end, write = threading.Event(), threading.Event(), store._write

    def slowly(batch: dict[Cell, list[int]]) -> None:
        begun.set()
        may_end.wait(5)
        write(batch)

    monkeypatch.setattr(store, "_write", slowly)
    add(store)
    flushing = asyncio.create_task(store.flush())
    await asyncio.to_thread(begun.wait, 5)
    flushing.cancel()
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(flushing, return_exceptions=True)
    await store.flush()
    assert flushing.cancelled()
    assert [(total.requests, total.completion_tokens) for total in await store.totals()] == [(1, 2)]
