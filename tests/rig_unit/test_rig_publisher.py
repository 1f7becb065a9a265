"""A pod's news: sent when something changed, again after an outage, and never after the pod is gone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rig.api import JsonObject, Refused
from rig.kubelet import publisher as module
from rig.kubelet.publisher import Publisher


class Server:
    """Takes patches; `failures` are raised first, one a patch."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.got: list[JsonObject] = []
        self.arrived = threading.Semaphore(0)

    def patch(self, path: str, body: JsonObject, *, kind: str) -> Any:
        assert path == "/pod/status"
        assert kind.endswith("strategic-merge-patch+json")
        try:
            if self.failures:
                raise self.failures.pop(0)
            self.got.append(body["status"])
        finally:
            self.arrived.release()


def publish(server: Server, *states: str) -> Publisher:
    remaining = list(states)
    publisher = Publisher(server, "/pod", lambda: {"phase": remaining.pop(0) if len(remaining) > 1 else remaining[0]})  # type: ignore[arg-type]
    publisher.start()
    return publisher


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY", 0)


def test_the_first_status_is_sent_at_once_and_the_next_after_a_change() -> None:
    server = Server()
    publisher = publish(server, "Pending", "Running")
    assert server.arrived.acquire(timeout=10)
    publisher.notice()
    assert server.arrived.acquire(timeout=10)
    publisher.stop()
    assert server.got == [{"phase": "Pending"}, {"phase": "Running"}]


@pytest.mark.parametrize("failure", [ConnectionRefusedError("down"), Refused(500, "etcd"), Refused(409, "conflict")])
def test_what_could_not_be_sent_is_sent_again(failure: Exception) -> None:
    server = Server(failure)
    publisher = publish(server, "Running")
    for _ in range(2):
        assert server.arrived.acquire(timeout=10)
    publisher.stop()
    assert server.got == [{"phase": "Running"}]


def test_a_pod_that_is_gone_is_news_to_nobody() -> None:
    server = Server(Refused(404, "gone"))
    publisher = publish(server, "Running")
    assert server.arrived.acquire(timeout=10)
    publisher.notice()
    assert not server.arrived.acquire(timeout=0.05)
    assert server.got == []


def test_nothing_is_sent_after_stop() -> None:
    server = Server()
    publisher = publish(server, "Running")
    assert server.arrived.acquire(timeout=10)
    publisher.stop()
    publisher.notice()
    assert not server.arrived.acquire(timeout=0.05)
