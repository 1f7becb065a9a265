"""One engine, two kinds of transaction, and every driver error turned into one sentence.

Writers begin IMMEDIATE, so that two processes on one file queue up instead of failing half-way; readers never block
(WAL). `synchronous=FULL`: a revoked key must stay revoked after a power cut, and writes here are rare and batched.
All calls block; from async code run them with `asyncio.to_thread`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine, make_url

from sealane.lib.errors import NextStep
from sealane.state import errors, schema

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

FILE_NAME = "sealane.db"


class Database:
    """An opened, migrated database. `where` is how errors name it: the file's path, or the URL without its password."""

    def __init__(self, engine: Engine, *, where: str, lock_timeout: float) -> None:
        self.engine = engine
        self.where = where
        self._lock_timeout = lock_timeout

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection inside a read transaction. Raises StateError."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection inside a write transaction: commits at the end, rolls back on any exception; or StateError."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        try:
            with self.engine.connect() as plain:
                connection = plain.execution_options(sealane_begin=begin)
                with connection.begin():
                    yield connection
        except (exc.DBAPIError, sqlite3.Error) as error:
            raise errors.of_exception(
                getattr(error, "orig", None) or error, where=self.where, wait=self._lock_timeout
            ) from error

    def close(self) -> None:
        """Close every pooled connection; the last one folds the write-ahead log back into the file."""
        self.engine.dispose()


def open_database(where: Path | str, *, lock_timeout: float) -> Database:
    """See `state.open`."""
    text = str(where)
    url = make_url(text) if "://" in text else _file_url(Path(text))
    shown = url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    try:
        engine = _engine(url, lock_timeout=lock_timeout)
    except ModuleNotFoundError as error:
        raise errors.StateDriverMissing(
            f"The Python driver `{error.name}` for {shown} is not installed.",
            next_steps=(NextStep(title="Install it", command=f"pip install {error.name}"),),
        ) from error
    except exc.NoSuchModuleError as error:
        raise errors.StateDriverMissing(f"Sealane knows no database of the kind `{url.drivername}`.") from error
    database = Database(engine, where=shown, lock_timeout=lock_timeout)
    try:
        _bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return database


def _file_url(folder: Path) -> URL:
    path = folder / FILE_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made by us first, so that the file with the key digests is never readable by others, whatever the umask.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise errors.of_exception(error, where=str(path), wait=0.0) from error
    return URL.create("sqlite", database=str(path))


def _engine(url: URL, *, lock_timeout: float) -> Engine:
    if url.get_backend_name() != "sqlite":
        return sqlalchemy.create_engine(url, pool_pre_ping=True)
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": lock_timeout})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sealane_begin", "BEGIN"))


def _bring_up_to_date(database: Database) -> None:
    """Migrate inside one write transaction, which also proves that the file can be written."""
    with database.write() as connection:
        current = _version(connection)
        if current == schema.HEAD:
            connection.exec_driver_sql(
                "UPDATE alembic_version SET version_num = version_num"
            )  # BEGIN alone proves little
            return
        if current is not None and current > schema.HEAD:
            raise errors.StateTooNew(
                f"{database.where} was made by a newer Sealane (schema {current}; this one knows {schema.HEAD}).",
                next_steps=(NextStep(title="Upgrade Sealane", command="pip install --upgrade sealane"),),
            )
        from sealane.state import migrate

        migrate.upgrade(connection)


def _version(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).first()
    return str(row[0]) if row else None
