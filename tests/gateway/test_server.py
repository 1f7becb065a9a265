"""How the gateway is served."""

from __future__ import annotations

from typing import Any

from sealane.gateway import server


def test_there_is_no_access_log_and_an_end_that_does_not_wait_for_ever(lane: Any) -> None:
    config = server.config(lane.gateway, port=1)
    assert config.access_log is False
    assert config.timeout_graceful_shutdown == server.GRACE <= 5
    assert (config.http, config.loop) == ("httptools", "uvloop")
    assert config.server_header is False
