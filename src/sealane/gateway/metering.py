"""Usage by key, from the engine's own numbers: added up in memory, written in batches, never on a request's path.

A batch that cannot be written is kept and merged into the next one; what the database has plus what is pending is
always the exact sum. One row an hour for each key, model, cluster and endpoint (see `state.schema`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from sealane.gateway.framing import Usage
from sealane.lib.clock import SYSTEM, Clock
from sealane.state.database import Database
from sealane.state.errors import StateError

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

log = logging.getLogger(__name__)

_HOUR = 3600
Cell = tuple[int, str, str, str, str]  # hour, key id, model, cluster, endpoint


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """One sum. `key_id` and `model` are "" where all of them are meant; tokens are the engine's."""

    key_id: str = ""
    model: str = ""
    requests: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class UsageStore:
    """Adds up and remembers usage. `add` is for the event loop's thread alone."""

    def __init__(self, database: Database, *, clock: Clock = SYSTEM) -> None:
        self._database = database
        self._clock = clock
        self._pending: dict[Cell, list[int]] = {}
        self._lock = asyncio.Lock()
        self.write_failures = 0

    def add(self, *, key_id: str, model: str, cluster: str, endpoint: str, usage: Usage, failed: bool = False) -> None:
        """Count one request. Costs about two microseconds and does no I/O."""
        hour = int(self._clock.now().timestamp()) // _HOUR * _HOUR
        cell = (hour, key_id, model, cluster, endpoint)
        sums = self._pending.get(cell)
        if sums is None:
            sums = self._pending[cell] = [0, 0, 0, 0]
        sums[0] += 1
        sums[1] += failed
        sums[2] += usage.prompt
        sums[3] += usage.completion

    async def flush(self) -> None:
        """Write what is pending. Raises StateError; nothing is lost then."""
        async with self._lock:
            batch, self._pending = self._pending, {}
            if not batch:
                return
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, batch))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # The thread goes on whatever we do: only its outcome tells whether the batch is in the database.
                await asyncio.wait({writing})
                raise
            finally:
                if writing.done() and writing.exception() is not None:
                    self.write_failures += 1
                    self._put_back(batch)

    def _put_back(self, batch: dict[Cell, list[int]]) -> None:
        for cell, sums in batch.items():
            into = self._pending.setdefault(cell, [0, 0, 0, 0])
            for index, value in enumerate(sums):
                into[index] += value

    def _write(self, batch: dict[Cell, list[int]]) -> None:
        from sealane.state import schema

        table = schema.USAGE
        rows = [dict(zip(table.columns.keys(), (*cell, *sums), strict=True)) for cell, sums in batch.items()]
        with self._database.write() as connection:
            connection.execute(_upsert(self._database.dialect), rows)

    async def run(self, *, every: float) -> None:
        """Flush every `every` seconds until cancelled; a database that cannot be written is logged and tried again."""
        while True:
            await self._clock.sleep(every)
            try:
                await self.flush()
            except StateError as error:
                log.warning("Usage is kept in memory for now. %s", error.sentence)

    async def totals(self, *, since: int = 0) -> list[Total]:
        """Sums by key and model from the hour of `since` (Unix time) on, pending ones included; most tokens first."""
        async with self._lock:
            rows = await asyncio.to_thread(self._read, since)
            pending = [(cell, list(sums)) for cell, sums in self._pending.items() if cell[0] + _HOUR > since]
        sums: dict[tuple[str, str], list[int]] = {(row[0], row[1]): list(row[2:]) for row in rows}
        for (_, key_id, model, _, _), more in pending:
            into = sums.setdefault((key_id, model), [0, 0, 0, 0])
            for index, value in enumerate(more):
                into[index] += value
        found = [
            Total(key_id=key, model=model, requests=r, failures=f, prompt_tokens=p, completion_tokens=c)
            for (key, model), (r, f, p, c) in sums.items()
        ]
        return sorted(found, key=lambda t: (-(t.prompt_tokens + t.completion_tokens), t.key_id, t.model))

    def _read(self, since: int) -> list[tuple[str, str, int, int, int, int]]:
        import sqlalchemy
        from sqlalchemy import func

        from sealane.state import schema

        c = schema.USAGE.c
        columns = [func.sum(column) for column in (c.requests, c.failures, c.prompt_tokens, c.completion_tokens)]
        query = sqlalchemy.select(c.key_id, c.model, *columns).where(c.hour + _HOUR > since).group_by(c.key_id, c.model)
        with self._database.read() as connection:
            return [(r[0], r[1], int(r[2]), int(r[3]), int(r[4]), int(r[5])) for r in connection.execute(query)]


def _upsert(dialect: str) -> SqliteInsert | PostgresqlInsert:
    from sqlalchemy.dialects import postgresql, sqlite

    from sealane.state import schema

    table = schema.USAGE
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    counts = ("requests", "failures", "prompt_tokens", "completion_tokens")
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + insert.excluded[name] for name in counts},
    )
