"""A form that is sent twice does its work once: a double click must not host a model twice.

Each rendered form carries a random mark. The first post with a mark does the work while later ones wait for it and get
its outcome; a post that failed leaves its mark free, so that the reader can correct the form and send it again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")
_KEPT = 200


class Once(Generic[T]):
    """Outcomes by mark; the last few hundred are remembered."""

    def __init__(self) -> None:
        self._done: OrderedDict[str, T] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # kept by those who hold or await

    async def do(self, mark: str, work: Callable[[], Awaitable[T]]) -> T:
        """The outcome of `work`, done at most once for a mark; "" is no mark. Raises what `work` raises."""
        if not mark:
            return await work()
        lock = self._locks.setdefault(mark, asyncio.Lock())
        async with lock:
            if mark not in self._done:
                self._done[mark] = await work()
                while len(self._done) > _KEPT:
                    self._done.popitem(last=False)
            return self._done[mark]
