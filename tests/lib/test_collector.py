"""The collector is told once, and still collects what comes later."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from sealane.lib import collector


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Ring:
    """Something that only the collector can let go."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_there_is_out_of_the_collectors_sight() -> None:
    collector.settle()
    assert gc.get_freeze_count() > 1_000
    assert gc.get_threshold() == collector.THRESHOLDS


def test_what_comes_later_is_still_collected() -> None:
    collector.settle()
    ring = weakref.ref(Ring())
    gc.collect()
    assert ring() is None
