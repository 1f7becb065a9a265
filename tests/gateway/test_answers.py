"""What an engine or an API server said is found in any of their shapes."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.gateway import answers
from sealane.gateway.errors import Api, BodyTooLarge, KeyMissing, QueueFull


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":"server busy"}', "server busy"),
        (b'{"error":{"message":"server busy"}}', "server busy"),
        (b'{"kind":"Status","message":"no endpoints"}', "no endpoints"),
        (b'{"error":{"message":null}}', ""),
        (b"<html>Bad gateway</html>", ""),
        (b"", ""),
    ],
)
def test_the_sentence_in_a_failure_is_found(body: bytes, said: str) -> None:
    assert answers.sentence_in(body) == said


@pytest.mark.parametrize(
    ("problem", "header"),
    [
        (QueueFull("Full.", retry_after=7), (b"retry-after", b"7")),
        (KeyMissing("No key."), (b"www-authenticate", b"Bearer")),
        (BodyTooLarge("Big."), (b"connection", b"close")),
    ],
)
async def test_errors_carry_the_headers_that_clients_act_on(problem: Any, header: tuple[bytes, bytes]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await answers.error(send, Api.OPENAI, problem)
    assert sent[0]["status"] == problem.http_status
    assert header in sent[0]["headers"]
    assert (b"content-length", b"%d" % len(sent[1]["body"])) in sent[0]["headers"]
