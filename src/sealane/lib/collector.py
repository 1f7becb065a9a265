"""The garbage collector, told what this process is like.

By its own measure the collector walks everything again and again: modules and what was loaded at the start, which
never go, are most of it, and each walk stops the event loop. Freezing takes them out of its sight; raised thresholds
suit a process that makes many short-lived objects at each answer of a server. What a cache holds (bytes, and structs
that are invisible to the collector) costs nothing here in the first place. For a process, not for a library: call it
once, when everything is loaded.
"""

from __future__ import annotations

import gc

THRESHOLDS = (10_000, 20, 50)
"""Allocations until the youngest are walked, and how many such walks until the next generation is."""


def settle() -> None:
    """Freeze what is there and let the collector run less often from now on."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
