"""Bodies that are small and mean something endless are refused before anything is made of them."""

from __future__ import annotations

import pytest

from sealane.sandbox.api import wire
from sealane.sandbox.api.errors import StatusError


def bomb(levels: int, width: int) -> bytes:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("body", [bomb(9, 9), bomb(30, 2)])
def test_references_that_multiply_are_refused(body: bytes) -> None:
    with pytest.raises(StatusError, match="excessive aliasing"):
        wire.decode(body)


def test_a_reference_or_two_is_read() -> None:
    assert wire.decode(b"a: &x {b: 1}\nc: *x\nd: *x\n") == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1}}


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"a: " + b"[" * 50_000])
def test_brackets_without_end_are_the_senders_mistake(body: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        wire.decode(body)
    assert caught.value.code == 400
