"""What Sealane itself remembers: settings, gateway keys and usage. What runs is never kept here: Kubernetes has that.

`open()` is the one door. SQLAlchemy is imported behind it, so that commands which remember nothing do not pay for it;
Alembic is imported only when the schema is not current, because importing it costs as much as the rest of a start.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealane.state.database import Database

__all__ = ["open"]


def open(where: Path | str, *, lock_timeout: float = 5.0) -> Database:  # noqa: A001
    """The database of a data folder (SQLite in `sealane.db`) or of a URL such as `postgresql+psycopg://…`, migrated.

    A folder is made if it is missing. `lock_timeout` is in seconds. Raises a `state.errors.StateError` of one sentence:
    read-only, disk full, locked, damaged, unreachable, driver missing, made by a newer Sealane.
    """
    from sealane.state import database

    return database.open_database(where, lock_timeout=lock_timeout)
