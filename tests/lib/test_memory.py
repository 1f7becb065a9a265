"""Giving memory back is harmless, whatever the C library is."""

from __future__ import annotations

import ctypes

import pytest

from sealane.lib import memory


class Odd:
    """A C library without the call."""


def test_a_c_library_without_the_call_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Odd())
    assert memory.trim() is False


def test_a_platform_without_a_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> Odd:
        raise OSError("no library")

    monkeypatch.setattr(ctypes, "CDLL", none)
    assert memory.trim() is False


async def test_the_call_is_made_with_nothing_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Library:
        malloc_trim = staticmethod(asked.append)

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    await memory.give_back()
    assert asked == [0]
