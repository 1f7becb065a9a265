"""The database opens where it can, and says in one sentence why it cannot."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sealane import state
from sealane.lib.errors import SealaneError
from sealane.state import database, errors, migrate, schema


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_new_folder_gets_a_migrated_database_that_only_its_owner_may_read(folder: Path) -> None:
    db = state.open(folder)
    with db.read() as connection:
        tables = set(sqlalchemy.inspect(connection).get_table_names())
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    db.close()
    assert {"settings", "keys", "usage"} <= tables
    assert mode == "wal"
    assert stat.S_IMODE((folder / database.FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_migrations_and_the_tables_in_code_are_equal(folder: Path) -> None:
    db = state.open(folder)
    with db.read() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), schema.METADATA)
    db.close()
    assert difference == []


def test_the_version_in_code_is_the_newest_migration() -> None:
    assert migrate.newest() == schema.HEAD


def test_a_current_database_opens_without_importing_alembic(folder: Path) -> None:
    state.open(folder).close()
    code = (
        f"import sys; from sealane import state; state.open({str(folder)!r}).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_importing_the_package_does_not_import_sqlalchemy() -> None:
    code = "import sys, sealane.state; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_was_written_is_there_after_a_new_start(folder: Path) -> None:
    db = state.open(folder)
    with db.write() as connection:
        connection.execute(sqlalchemy.insert(schema.SETTINGS).values(name="a", value="1", updated_at=5))
    db.close()
    db = state.open(folder)
    with db.read() as connection:
        assert connection.execute(sqlalchemy.select(schema.SETTINGS)).all() == [("a", "1", 5)]
    db.close()


def test_a_failed_write_leaves_nothing_behind(folder: Path) -> None:
    db = state.open(folder)

    def write_and_fail() -> None:
        with db.write() as connection:
            connection.execute(sqlalchemy.insert(schema.SETTINGS).values(name="a", value="1", updated_at=5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with db.read() as connection:
        assert connection.execute(sqlalchemy.select(schema.SETTINGS)).all() == []
    db.close()


def test_two_processes_may_open_one_folder(folder: Path) -> None:
    first, second = state.open(folder), state.open(folder)
    with first.write() as connection:
        connection.execute(sqlalchemy.insert(schema.SETTINGS).values(name="a", value="1", updated_at=5))
    with second.read() as connection:
        assert connection.execute(sqlalchemy.select(schema.SETTINGS.c.value)).scalar() == "1"
    first.close()
    second.close()


def test_a_full_disk_is_one_sentence(folder: Path) -> None:
    db = state.open(folder)

    def fill() -> None:
        with db.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            connection.execute(sqlalchemy.insert(schema.SETTINGS).values(name="a", value="x" * 100_000, updated_at=1))

    with pytest.raises(errors.StateDiskFull) as caught:
        fill()
    db.close()
    _one_sentence(caught.value, "no space is left", folder)


def test_a_read_only_file_is_one_sentence(folder: Path) -> None:
    state.open(folder).close()
    with pytest.raises(errors.StateReadOnly) as caught:
        state.open(f"sqlite:///file:{folder / database.FILE_NAME}?mode=ro&uri=true")
    assert "read-only" in caught.value.sentence
    assert caught.value.code == "state-read-only"


def test_a_read_only_file_system_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_keywords: object) -> None:
        raise OSError(30, "Read-only file system", str(folder))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(errors.StateReadOnly) as caught:
        state.open(folder)
    _one_sentence(caught.value, "read-only", folder)


def test_a_database_that_another_process_holds_is_one_sentence(folder: Path) -> None:
    state.open(folder).close()
    other = sqlite3.connect(folder / database.FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.StateLocked) as caught:
        state.open(folder, lock_timeout=0)
    other.close()
    _one_sentence(caught.value, "locked", folder)


def test_a_damaged_file_is_one_sentence_and_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    path = folder / database.FILE_NAME
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(errors.StateCorrupt) as caught:
        state.open(folder)
    _one_sentence(caught.value, "damaged", folder)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(errors.StateUnreachable) as caught:
        state.open(tmp_path / "data")
    _one_sentence(caught.value, "cannot open", tmp_path)


def test_a_database_of_a_newer_sealane_is_refused(folder: Path) -> None:
    db = state.open(folder)
    with db.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    with pytest.raises(errors.StateTooNew) as caught:
        state.open(folder)
    _one_sentence(caught.value, "9999", folder)


def test_a_url_without_its_driver_says_what_to_install_and_hides_the_password() -> None:
    with pytest.raises(errors.StateDriverMissing) as caught:
        state.open("postgresql+asyncpg_not_there://u:hunter2@db/x")
    assert "hunter2" not in caught.value.sentence


@pytest.mark.parametrize("number", [13, 30, 28, 122, 20])
def test_every_error_of_the_file_system_becomes_a_sentence(number: int) -> None:
    error = errors.of_exception(OSError(number, "some cause"), where="/srv/sealane.db", wait=5)
    assert "/srv/sealane.db" in error.sentence
    assert error.sentence.endswith(".")
    assert error.next_steps


def _one_sentence(error: SealaneError, part: str, folder: Path) -> None:
    assert part in error.sentence
    assert str(folder) in error.sentence
    assert "\n" not in error.sentence
    assert error.sentence.endswith(".")
    assert error.next_steps
