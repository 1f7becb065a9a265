"""Who may ask: keys that are shown once, kept as a digest, and can be taken back.

A secret is 32 random bytes, so one SHA-256 is the right way to keep it: slow password hashes defend guessable
secrets, and 256 bits cannot be guessed; they would only cost every request milliseconds. All digests are held in
memory: `verify` is one hash and one look-up, and neither its time nor its outcome tells anything about the digests
that it did not match.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import secrets
import threading
from typing import Any

import msgspec

from sealane.lib import ids
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import NextStep, UsageError
from sealane.state.database import Database

PREFIX = "sk-sealane-"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret. `hint` is the secret's last four characters."""

    id: str
    name: str
    hint: str
    created_at: datetime.datetime
    revoked_at: datetime.datetime | None = None


class _Entry(msgspec.Struct, frozen=True):
    digest: str
    key: Key


class KeyStore:
    """The keys of one database. All calls but `verify` and `look` block on it; they raise StateError."""

    def __init__(self, database: Database, *, clock: Clock = SYSTEM) -> None:
        self._database = database
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._lock = threading.Lock()  # what is read from the database must not replace what was written since
        self.refresh()

    def create(self, name: str) -> tuple[Key, str]:
        """A new key and its secret, which nobody can show again. Raises UsageError for an empty or over-long name."""
        secret = ids.secret(PREFIX, size=32)
        return self._remember(name, secret), secret

    def adopt(self, name: str, secret: str) -> Key:
        """Make a secret that was chosen elsewhere valid (a key file of the user); the existing key if it is known."""
        known = self.look(secret)
        if known is not None:
            return known
        if not secret.startswith(PREFIX) or len(secret) < len(PREFIX) + 32:
            raise UsageError(f"A gateway key begins with `{PREFIX}` and has at least 32 more characters.")
        return self._remember(name, secret)

    def _remember(self, name: str, secret: str) -> Key:
        import sqlalchemy

        from sealane.state import schema

        name = name.strip()
        if not 0 < len(name) <= 120:
            raise UsageError(f"A key's name has 1 to 120 characters; this one has {len(name)}.")
        key = Key(id=f"key-{secrets.token_hex(6)}", name=name, hint=secret[-4:], created_at=self._now())
        digest = _digest(secret)
        row = sqlalchemy.insert(schema.KEYS).values(
            id=key.id,
            name=name,
            digest=digest.hex(),
            hint=key.hint,
            created_at=int(key.created_at.timestamp()),
        )
        with self._lock:
            with self._database.write() as connection:
                connection.execute(row)
            self._entries = self._entries | {digest: _Entry(digest.hex(), key)}
        return key

    def _now(self) -> datetime.datetime:
        return self._clock.now().replace(microsecond=0)

    def verify(self, secret: str) -> Key | None:
        """The key that `secret` belongs to, unless it was revoked. About a microsecond; does not touch the database."""
        key = self.look(secret)
        return key if key is not None and key.revoked_at is None else None

    def look(self, secret: str) -> Key | None:
        """Like `verify`, but also gives a revoked key, so that its owner can be told."""
        digest = _digest(secret)
        entry = self._entries.get(digest)
        if entry is None or not hmac.compare_digest(entry.digest, digest.hex()):
            return None
        return entry.key

    def revoke(self, key_id: str) -> Key:
        """Take a key back; at once here, within `Settings.refresh` in other processes. Raises UsageError if unknown."""
        import sqlalchemy

        from sealane.state import schema

        table = schema.KEYS
        moment = int(self._now().timestamp())
        with self._database.write() as connection:
            connection.execute(
                sqlalchemy.update(table)
                .where(table.c.id == key_id, table.c.revoked_at.is_(None))
                .values(revoked_at=moment)
            )
        self.refresh()
        for key in self.list():
            if key.id == key_id:
                return key
        raise UsageError(f"There is no key `{key_id}`.", next_steps=(NextStep(title="Look at the keys there are"),))

    def list(self) -> list[Key]:
        """All keys, newest first, revoked ones too."""
        return sorted((entry.key for entry in self._entries.values()), key=lambda k: (k.created_at, k.id), reverse=True)

    def refresh(self) -> None:
        """Read the keys anew: other processes may have made or revoked some."""
        import sqlalchemy

        from sealane.state import schema

        with self._lock:
            with self._database.read() as connection:
                rows = connection.execute(sqlalchemy.select(schema.KEYS)).all()
            self._entries = {bytes.fromhex(row.digest): _Entry(row.digest, _key(row)) for row in rows}


def _key(row: Any) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        hint=row.hint,
        created_at=_time(row.created_at),
        revoked_at=None if row.revoked_at is None else _time(row.revoked_at),
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _time(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
