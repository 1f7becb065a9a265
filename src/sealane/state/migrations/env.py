"""Alembic's entry: runs on the connection that `state.migrate` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from sealane.state import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.METADATA)
context.run_migrations()
