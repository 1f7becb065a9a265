"""The tables, as SQLAlchemy Core sees them. Migrations make them; a test holds the two equal.

Times are whole seconds since 1970 (UTC). Usage is kept as one row an hour for each key, model, cluster and endpoint:
sums stay exact, and a year of ten busy keys stays in the tens of megabytes.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

HEAD = "0001"
METADATA = MetaData()

SETTINGS = Table(
    "settings",
    METADATA,
    Column("name", String(120), primary_key=True),
    Column("value", Text, nullable=False),  # JSON
    Column("updated_at", BigInteger, nullable=False),
)

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the secret, hexadecimal
    Column("hint", String(8), nullable=False),  # the secret's last characters, to recognise it by
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

USAGE = Table(
    "usage",
    METADATA,
    Column("hour", BigInteger, primary_key=True),  # its first second
    Column("key_id", String(32), primary_key=True),
    Column("model", String(255), primary_key=True),
    Column("cluster", String(255), primary_key=True),
    Column("endpoint", String(64), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
)

Index("usage_by_key", USAGE.c.key_id, USAGE.c.hour)
