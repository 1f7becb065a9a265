"""Small things worth remembering between two starts: the last choice of clusters, this laptop's own gateway key.

A value is anything that msgspec writes as JSON. Never for what Kubernetes already knows.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy

from sealane.lib.clock import SYSTEM, Clock
from sealane.state import schema
from sealane.state.database import Database


class SettingsStore:
    """Key-value settings. Calls block; every one raises StateError when the database cannot serve it."""

    def __init__(self, database: Database, *, clock: Clock = SYSTEM) -> None:
        self._database = database
        self._clock = clock

    def get(self, name: str, default: Any = None) -> Any:
        """The value of `name`, or `default` when it was never set."""
        table = schema.SETTINGS
        with self._database.read() as connection:
            row = connection.execute(sqlalchemy.select(table.c.value).where(table.c.name == name)).first()
        return default if row is None else msgspec.json.decode(row[0])

    def set(self, name: str, value: Any) -> None:
        """Remember `value` under `name`."""
        table = schema.SETTINGS
        fields = {"value": msgspec.json.encode(value).decode(), "updated_at": int(self._clock.now().timestamp())}
        with self._database.write() as connection:
            changed = connection.execute(sqlalchemy.update(table).where(table.c.name == name).values(**fields))
            if changed.rowcount == 0:
                connection.execute(sqlalchemy.insert(table).values(name=name, **fields))

    def forget(self, name: str) -> None:
        """Remove `name`; nothing happens when it was never set."""
        table = schema.SETTINGS
        with self._database.write() as connection:
            connection.execute(sqlalchemy.delete(table).where(table.c.name == name))
