"""Paths, keys and the gateway's own tasks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from sealane.gateway import app as gateway_app
from sealane.gateway.keys import KeyStore
from sealane.gateway.metering import UsageStore
from sealane.gateway.settings import Settings
from sealane.state import errors
from sealane.state.database import Database

CHAT = {"model": "tiny", "messages": []}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat", "/v1/messages"])
@pytest.mark.parametrize(
    ("given", "code"), [("", "key-missing"), ("Bearer ", "key-missing"), ("Bearer sk-sealane-wrong", "key-unknown")]
)
async def test_without_a_good_key_nothing_is_read_or_asked(lane: Any, path: str, given: str, code: str) -> None:
    status, headers, body = await lane.post(path, b"not even json", Authorization=given)
    assert status == 401
    assert code.encode() in body
    assert headers["WWW-Authenticate"] == "Bearer"
    assert lane.engines[0].seen == []


async def test_a_revoked_key_is_told_so_at_once(lane: Any) -> None:
    assert (await lane.post("/v1/chat/completions", CHAT))[0] == 200
    lane.keys.revoke(lane.key.id)
    status, _, body = await lane.post("/v1/chat/completions", CHAT)
    assert status == 401
    assert json.loads(body)["error"]["code"] == "key-revoked"
    assert "`test`" in json.loads(body)["error"]["message"]


async def test_anthropics_header_works_too(lane: Any) -> None:
    status, _, _ = await lane.post("/v1/messages", CHAT, Authorization="", **{"x-api-key": lane.secret})
    assert status == 200


async def test_a_key_made_by_another_process_works_after_the_refresh(lane: Any, database: Database) -> None:
    _, secret = KeyStore(database).create("other")
    assert (await lane.get("/v1/models", Authorization=f"Bearer {secret}"))[0] == 401
    async with asyncio.timeout(5):
        while (await lane.get("/v1/models", Authorization=f"Bearer {secret}"))[0] != 200:
            await lane.clock.tick(5.0)


async def test_keys_can_be_switched_off_for_a_private_address(make_lane: Any) -> None:
    async with make_lane(engines=1, require_key=False) as lane:
        assert (await lane.post("/v1/chat/completions", CHAT, Authorization=""))[0] == 200
        assert [t.key_id for t in await lane.usage.totals()] == [""]


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics"])
async def test_operations_need_no_key(lane: Any, path: str) -> None:
    assert (await lane.get(path, Authorization=""))[0] == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/tiny", "/api/tags", "/api/ps", "/api/version"])
async def test_lists_need_a_key(lane: Any, path: str) -> None:
    assert (await lane.get(path, Authorization=""))[0] == 401
    assert (await lane.get(path))[0] == 200


async def test_readyz_says_no_until_the_clusters_were_seen(lane: Any) -> None:
    lane.source.ready = False
    status, headers, _ = await lane.get("/readyz")
    assert status == 503
    assert headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "part"),
    [
        ("GET", "/v1/chat/completion", "did you mean /v1/chat/completions"),
        ("GET", "/v1/chat/completions", "does not take GET"),
        ("POST", "/v1/models", "does not take POST"),
        ("POST", "/zzz", "has no /zzz"),
    ],
)
async def test_a_wrong_path_or_method_is_one_sentence(lane: Any, method: str, path: str, part: str) -> None:
    status, _, body = await (lane.get(path) if method == "GET" else lane.post(path, {}))
    assert status == 404
    assert part in json.loads(body)["error"]["message"]


async def test_an_anthropic_client_gets_its_shape_on_any_path(lane: Any) -> None:
    _, _, body = await lane.get("/v1/nope", **{"anthropic-version": "2023-06-01"})
    assert json.loads(body)["type"] == "error"


async def test_a_hosted_model_without_a_ready_copy_is_a_503_with_its_reason(lane: Any) -> None:
    from sealane.gateway.routes import routes_of

    place = ("harbor-eu", "team-a", "tiny", "tiny:latest")
    lane.source.routes = routes_of([], waiting={place: "team-a/tiny in harbor-eu is scaled to 0 copies."})
    status, headers, body = await lane.post("/v1/chat/completions", CHAT)
    assert status == 503
    assert headers["Retry-After"] == "5"
    assert "scaled to 0 copies" in json.loads(body)["error"]["message"]


async def test_usage_is_written_while_it_runs_and_when_it_ends(make_lane: Any, database: Database) -> None:
    async with make_lane(engines=1) as lane:
        await lane.post("/v1/chat/completions", CHAT)
        async with asyncio.timeout(5):
            while not await UsageStore(database).totals():
                await lane.clock.tick(2.0)
        await lane.post("/v1/chat/completions", CHAT)
    assert [t.requests for t in await UsageStore(database).totals()] == [2]


async def test_a_disk_that_is_full_at_the_end_is_one_line_in_the_log(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: Any, make_lane: Any
) -> None:
    def full(_batch: object) -> None:
        raise errors.StateDiskFull("No space is left.")

    async with make_lane(engines=1) as lane:
        await lane.post("/v1/chat/completions", CHAT)
        monkeypatch.setattr(lane.usage, "_write", full)
    assert "No space is left." in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_task_that_fails_is_logged_and_begins_again(lane: Any, caplog: Any, monkeypatch: Any) -> None:
    swept = 0

    def sweep() -> None:
        nonlocal swept
        swept += 1
        if swept == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(lane.gateway.flights, "sweep", sweep)
    await lane.until(lambda: swept >= 3, tick=1.0)
    assert "begins again" in caplog.text


async def test_running_twice_does_not_start_its_tasks_twice(database: Database) -> None:
    from sealane.gateway.routes import StaticReplicas
    from sealane.lib.clock import ManualClock

    class Source(StaticReplicas):
        runs = 0

        async def run(self) -> None:
            Source.runs += 1

    gateway = gateway_app.build(
        replicas=Source({}),
        keys=KeyStore(database),
        usage=UsageStore(database),
        clock=ManualClock(),
        settings=Settings(),
    )
    async with gateway.running(), gateway.running():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert Source.runs == 1


async def test_the_page_of_metrics_has_what_happened(lane: Any) -> None:
    await lane.post("/v1/chat/completions", CHAT)
    await lane.post("/v1/chat/completions", {"model": "who-knows-" + "x" * 50})
    _, headers, page = await lane.get("/metrics")
    text = page.decode()
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'requests_total{endpoint="/v1/chat/completions",model="tiny:latest",code="200"} 1' in text
    assert 'requests_total{endpoint="/v1/chat/completions",model="",code="404"} 1' in text
    assert 'tokens_total{model="tiny:latest",kind="completion"} 4' in text
    assert 'in_flight{cluster="harbor-eu",namespace="team-a",pod="tiny-0"} 0' in text
    assert 'replicas{model="tiny:latest"} 1' in text
    assert "who-knows" not in text


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics"])
async def test_a_name_that_was_bent_to_us_learns_nothing_without_a_key(make_lane: Any, path: str) -> None:
    """DNS rebinding: a page of evil.example that its browser takes for this gateway's."""
    async with make_lane(engines=1, hosts=frozenset({"127.0.0.1", "[::1]"})) as lane:
        for name in ("evil.example", "evil.example:8701", "127.0.0.1.evil.example", "[::2]:8701", ""):
            status, _, body = await lane.get(path, Host=name)
            assert (status, b"foreign-host" in body, b"tiny" in body) == (403, True, False), name
        for name in ("127.0.0.1:9", "[::1]:9", "[::1]"):
            assert (await lane.get(path, Host=name))[0] == 200, name
