"""Keys and what was used with each: from the store, off the event loop, because the store may wait for its disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sealane.console.services import KeyRow
from sealane.gateway.keys import Key, KeyStore
from sealane.gateway.metering import Total, UsageStore


class RealKeys:
    """Gateway keys."""

    def __init__(self, keys: KeyStore, usage: UsageStore) -> None:
        self._keys = keys
        self._usage = usage

    async def rows(self) -> Sequence[KeyRow]:
        """All keys with their sums over all time."""
        keys = await asyncio.to_thread(self._keys.list)
        sums = await self._usage.totals()
        return [_row(key, [total for total in sums if total.key_id == key.id]) for key in keys]

    async def create(self, name: str) -> tuple[KeyRow, str]:
        """A new key and its secret."""
        key, secret = await asyncio.to_thread(self._keys.create, name)
        return _row(key, []), secret

    async def revoke(self, key_id: str) -> KeyRow:
        """Take a key back; raises the store's error for one that does not exist."""
        return _row(await asyncio.to_thread(self._keys.revoke, key_id), [])


def _row(key: Key, totals: list[Total]) -> KeyRow:
    return KeyRow(
        id=key.id,
        name=key.name,
        created=key.created_at,
        hint=key.hint,
        revoked=key.revoked_at,
        requests=sum(total.requests for total in totals),
        prompt_tokens=sum(total.prompt_tokens for total in totals),
        completion_tokens=sum(total.completion_tokens for total in totals),
    )
