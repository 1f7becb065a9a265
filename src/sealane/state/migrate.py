"""Runs the shipped migrations on a connection that is already inside a write transaction.

Apart from `database`, because Alembic is imported here and a start with a current schema must not pay for that.
"""

from __future__ import annotations

from alembic import command, config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest version; the caller's transaction commits it."""
    settings = _config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def newest() -> str:
    """The version that the shipped migrations end at."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> config.Config:
    settings = config.Config()
    settings.set_main_option("script_location", "sealane.state:migrations")
    return settings
