"""Memory that was freed, given back to the machine.

The C library keeps what was freed for the next allocation, which is right for a steady process. After a first answer of
a hundred thousand objects, or when a large kind is let go, it would keep tens of megabytes for nothing.
"""

from __future__ import annotations

import asyncio
import ctypes


def trim() -> bool:
    """Give freed pages back now; False where the C library has no such call (anything but glibc)."""
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return False
    found(0)
    return True


async def give_back() -> None:
    """`trim` in a thread: it takes some tens of milliseconds."""
    await asyncio.to_thread(trim)
