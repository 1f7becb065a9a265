"""Requests over real sockets, in front of an engine that has moods: well, slow, refusing, dying, dead."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

STREAMS = [
    ("/v1/chat/completions", b"data: [DONE]\n\n"),
    ("/v1/completions", b"data: [DONE]\n\n"),
    ("/v1/responses", b'"response.completed"'),
    ("/v1/messages", b'data: {"type":"message_stop"}\n\n'),
    ("/api/chat", b'"done":true'),
    ("/api/generate", b'"done":true'),
]
WHOLES = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/api/chat", "/api/generate"]


def asked(path: str, **more: Any) -> dict[str, Any]:
    return {"model": "tiny", "prompt": "Hi", "messages": [{"role": "user", "content": "Hi"}], "input": "Hi", **more}


@pytest.mark.parametrize("path", WHOLES)
async def test_a_whole_answer_passes_byte_for_byte_and_is_metered(lane: Any, path: str) -> None:
    status, headers, body = await lane.post(path, asked(path, stream=False))
    assert status == 200
    assert json.loads(body) == lane.engines[0]._whole(path, {"model": "tiny:latest"})
    assert headers["x-sealane-replica"] == "harbor-eu/team-a/tiny-0"
    assert await lane.sums() == (1, 0, 7, 4)


@pytest.mark.parametrize(("path", "end"), STREAMS)
@pytest.mark.parametrize("mood", ["well", "crumbs"])
async def test_a_stream_passes_byte_for_byte_and_is_metered(
    lane: Any, fake_pieces: Any, path: str, end: bytes, mood: str
) -> None:
    lane.engines[0].mood = mood
    body = asked(path, stream=True)
    status, headers, data = await lane.post(path, body)
    assert status == 200
    assert data == b"".join(fake_pieces(path, body, "tiny:latest"))
    assert end in data[-200:]
    assert await lane.sums() == (1, 0, 7, 4)
    assert headers["Cache-Control"] == "no-cache"


async def test_usage_that_the_client_asked_for_is_shown_to_it(lane: Any) -> None:
    body = asked("", stream=True, stream_options={"include_usage": True})
    _, _, data = await lane.post("/v1/chat/completions", body)
    assert b'"usage":{"prompt_tokens":7' in data
    assert await lane.sums() == (1, 0, 7, 4)


@pytest.mark.parametrize("stream", [True, False])
async def test_fill_in_the_middle_has_chats_shape_and_is_metered(lane: Any, stream: bool) -> None:
    _, _, data = await lane.post(
        "/v1/fim/completions", {"model": "tiny", "prompt": "a", "suffix": "b", "stream": stream}
    )
    path, body = lane.engines[0].seen[-1]
    assert path == "/v1/completions"
    assert body["suffix"] == "b"
    if stream:
        events = [json.loads(line[6:]) for line in data.split(b"\n\n") if line.startswith(b"data: {")]
        assert "".join(event["choices"][0]["delta"]["content"] for event in events) == "Hello wörld"
        assert data.endswith(b"data: [DONE]\n\n")
    else:
        assert json.loads(data)["choices"][0]["message"]["content"] == "Hello wörld"
    assert await lane.sums() == (1, 0, 7, 4)


async def test_a_native_generate_with_suffix_passes_through(lane: Any) -> None:
    asks = {"model": "tiny", "prompt": "a", "suffix": "b", "stream": False}
    await lane.post("/api/generate", asks)
    assert lane.engines[0].seen == [("/api/generate", asks | {"model": "tiny:latest"})]


async def test_num_ctx_and_keep_alive_of_an_editor_do_not_reach_the_engine(lane: Any) -> None:
    await lane.post("/api/chat", asked("", options={"num_ctx": 4096, "temperature": 0}, keep_alive=1800))
    sent = lane.engines[0].seen[-1][1]
    assert sent["options"] == {"temperature": 0}
    assert "keep_alive" not in sent


async def test_the_clients_key_does_not_reach_the_engine(lane: Any) -> None:
    await lane.post("/v1/chat/completions", asked(""))
    assert lane.secret not in json.dumps(lane.engines[0].headers)
    assert "Authorization" not in lane.engines[0].headers[-1]


async def test_embeddings_are_metered_by_their_prompt(lane: Any) -> None:
    assert (await lane.post("/v1/embeddings", asked("")))[0] == 200
    assert (await lane.post("/api/embed", asked("")))[0] == 200
    assert await lane.sums() == (2, 0, 6, 0)


async def test_an_engines_refusal_is_the_answer_and_is_not_retried(make_lane: Any) -> None:
    async with make_lane(engines=2) as lane:
        for engine in lane.engines:
            engine.mood = "refuse"
        status, _, body = await lane.post("/v1/chat/completions", asked(""))
        assert status == 400
        assert json.loads(body)["error"]["message"] == "this model does not support tools"
        assert sum(len(engine.seen) for engine in lane.engines) == 1
        assert await lane.sums() == (1, 1, 0, 0)


@pytest.mark.parametrize("mood", ["drop", "busy"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_replica_that_fails_before_the_first_byte_costs_nothing_but_a_try(
    make_lane: Any, mood: str, stream: bool
) -> None:
    async with make_lane(engines=2) as lane:
        lane.engines[0].mood = mood
        answers = [await lane.post("/v1/chat/completions", asked("", stream=stream)) for _ in range(6)]
        assert [status for status, _, _ in answers] == [200] * 6
        assert len(lane.engines[0].seen) <= 1
        assert len(lane.engines[1].seen) == 6
        assert await lane.sums() == (6, 0, 42, 24)


async def test_a_failed_replica_is_tried_again_after_a_while(make_lane: Any) -> None:
    async with make_lane(engines=2, eject=5.0) as lane:
        lane.engines[0].mood = "drop"
        for _ in range(2):
            await lane.post("/v1/chat/completions", asked(""))
        lane.engines[0].mood = "well"
        tried = len(lane.engines[0].seen)
        lane.clock.advance(6)
        for _ in range(4):
            await lane.post("/v1/chat/completions", asked(""))
        assert len(lane.engines[0].seen) > tried


async def test_when_no_replica_answers_the_error_names_them(make_lane: Any) -> None:
    async with make_lane(engines=2) as lane:
        for engine in lane.engines:
            engine.mood = "drop"
        status, headers, body = await lane.post("/v1/chat/completions", asked(""))
        assert status == 502
        error = json.loads(body)["error"]
        assert error["code"] == "upstream-lost"
        assert "harbor-eu/team-a/tiny-0" in error["message"]
        assert "harbor-eu/team-a/tiny-1" in error["message"]
        assert headers["Retry-After"] == "1"


async def test_when_every_engine_is_busy_the_client_is_told_to_come_back(make_lane: Any) -> None:
    async with make_lane(engines=2) as lane:
        for engine in lane.engines:
            engine.mood = "busy"
        status, headers, body = await lane.post("/api/chat", asked(""))
        assert status == 503
        assert headers["Retry-After"] == "2"
        assert json.loads(body)["code"] == "engine-busy"
        assert "server busy" in json.loads(body)["error"]


async def test_a_dead_address_is_skipped(make_lane: Any) -> None:
    async with make_lane(engines=2) as lane:
        await lane.engines[0].stop()
        for _ in range(4):
            assert (await lane.post("/v1/chat/completions", asked("")))[0] == 200


async def test_no_request_after_the_first_error_fails_when_a_replica_dies_under_load(make_lane: Any) -> None:
    async with make_lane(engines=2) as lane:
        lane.use(0, 1, parallel=8)
        lane.engines[0].mood = lane.engines[1].mood = "well"
        results: list[tuple[float, bool]] = []
        clock = asyncio.get_running_loop().time

        async def client(number: int) -> None:
            for turn in range(12):
                if number == 0 and turn == 3:
                    await lane.engines[0].stop()
                begun = clock()
                status, _, data = await lane.post("/v1/chat/completions", asked("", stream=True))
                results.append((begun, status == 200 and data.endswith(b"data: [DONE]\n\n")))

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(client(number))
        first_error = min((begun for begun, fine in results if not fine), default=None)
        if first_error is not None:
            assert all(fine for begun, fine in results if begun > first_error)
        assert sum(fine for _, fine in results) >= 66


CUTS = [
    ("/v1/chat/completions", "cut"),
    ("/v1/chat/completions", "half"),
    ("/v1/chat/completions", "abort"),
    ("/v1/messages", "cut"),
    ("/v1/messages", "half"),
    ("/v1/responses", "abort"),
    ("/api/chat", "cut"),
    ("/api/chat", "half"),
    ("/api/generate", "abort"),
]


@pytest.mark.parametrize(("path", "mood"), CUTS)
async def test_a_stream_that_a_replica_cuts_ends_with_the_apis_own_error(lane: Any, path: str, mood: str) -> None:
    lane.engines[0].mood = mood
    status, _, data = await lane.post(path, asked(path, stream=True))
    assert status == 200
    assert b"[DONE]" not in data
    last = data.rstrip(b"\n").rsplit(b"\n", 1)[-1].removeprefix(b"data: ")
    error = json.loads(last)
    told = error["error"] if isinstance(error.get("error"), dict) else error
    assert told["code"] == "upstream-lost"
    assert "harbor-eu/team-a/tiny-0" in data.decode()
    for line in data.splitlines():
        if line.startswith(b"data: "):
            json.loads(line[6:])
    requests, failures, _, _ = await lane.sums()
    assert (requests, failures) == (1, 1)
    _, _, page = await lane.get("/metrics")
    assert b'sealane_gateway_upstream_lost_total{model="tiny:latest"} 1' in page


@pytest.mark.parametrize(
    ("path", "stream", "mood"),
    [("/v1/chat/completions", False, "hold"), ("/v1/chat/completions", True, "pause"), ("/api/chat", True, "pause")],
)
async def test_a_client_that_leaves_stops_the_engine(lane: Any, path: str, stream: bool, mood: str) -> None:
    engine = lane.engines[0]
    engine.mood = mood
    async with aiohttp.ClientSession() as client:
        request = asyncio.create_task(
            client.post(lane.url + path, json=asked(path, stream=stream), headers=lane.headers)
        )
        await engine.waiting.wait()
        if stream:
            answer = await request
            answer.close()
        else:
            request.cancel()
    await lane.until(engine.gone.is_set, tick=0.3)
    await lane.until(lambda: not len(lane.gateway.flights))
    assert next(lane.gateway.balancer.slots()).in_flight == 0
    _, _, page = await lane.get("/metrics")
    assert b"sealane_gateway_client_disconnects_total 1" in page
    assert b'code="499"} 1' in page


@pytest.mark.parametrize(
    ("mood", "stream", "limit", "code", "status"),
    [
        ("hold", False, {"first_byte": 7.0}, "upstream-timeout", 504),
        ("pause", True, {"idle": 7.0}, "upstream-timeout", 200),
        ("pause", True, {"total": 7.0}, "upstream-timeout", 200),
    ],
)
async def test_a_silent_replica_meets_its_limit(
    make_lane: Any, mood: str, stream: bool, limit: dict[str, float], code: str, status: int
) -> None:
    async with make_lane(engines=1, **limit) as lane:
        lane.engines[0].mood = mood
        request = asyncio.create_task(lane.post("/v1/chat/completions", asked("", stream=stream)))
        await lane.engines[0].waiting.wait()
        await asyncio.sleep(0)
        await lane.until(request.done, tick=1)
        got, _, body = request.result()
        assert got == status
        assert code.encode() in body
        assert b"7.0 s" in body
        assert lane.engines[0].gone.is_set() or stream


async def test_a_line_that_is_too_long_is_refused_and_the_ones_in_it_are_served(make_lane: Any) -> None:
    async with make_lane(engines=1, queue=2) as lane:
        lane.engines[0].mood = "hold"
        waiting = [asyncio.create_task(lane.post("/v1/chat/completions", asked(""))) for _ in range(6)]
        await lane.until(lambda: lane.gateway.balancer.queued() == {"tiny:latest": 2})
        status, headers, body = await lane.post("/v1/chat/completions", asked(""))
        assert status == 429
        assert int(headers["Retry-After"]) >= 1
        assert json.loads(body)["error"]["code"] == "queue-full"
        lane.engines[0].hold.set()
        assert [(await task)[0] for task in waiting] == [200] * 6


async def test_a_request_does_not_wait_in_line_for_ever(make_lane: Any) -> None:
    async with make_lane(engines=1, queue_wait=9.0) as lane:
        lane.engines[0].mood = "hold"
        held = [asyncio.create_task(lane.post("/v1/chat/completions", asked(""))) for _ in range(4)]
        await lane.until(lambda: len(lane.engines[0].seen) == 4)
        late = asyncio.create_task(lane.post("/v1/chat/completions", asked("")))
        await lane.until(late.done, tick=1)
        status, headers, body = late.result()
        assert status == 503
        assert json.loads(body)["error"]["code"] == "queue-timeout"
        assert headers["Retry-After"] == "5"
        lane.engines[0].hold.set()
        assert [(await task)[0] for task in held] == [200] * 4


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(make_lane: Any) -> None:
    async with make_lane(engines=1, max_body=1000) as lane:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(lane.url.rsplit(":", 1)[1]))
        lines = ("POST /api/chat HTTP/1.1", "Host: x", f"Authorization: Bearer {lane.secret}", "Content-Length: 1001")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        async with asyncio.timeout(5):
            answer = await reader.readuntil(b"}")
        writer.close()
        assert b" 413 " in answer
        assert b"body-too-large" in answer
        assert b"1000 B" in answer
        assert lane.engines[0].seen == []


async def test_a_body_of_unknown_length_is_cut_at_the_limit(make_lane: Any) -> None:
    async def endless() -> Any:
        for _ in range(50):
            yield b"x" * 100

    async with (
        make_lane(engines=1, max_body=1000) as lane,
        aiohttp.ClientSession() as client,
        client.post(lane.url + "/v1/messages", data=endless(), headers=lane.headers) as answer,
    ):
        assert answer.status == 413
        assert (await answer.json())["error"]["type"] == "request_too_large"


async def test_a_body_that_never_ends_meets_its_limit(make_lane: Any) -> None:
    async with make_lane(engines=1, body=5.0) as lane:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(lane.url.rsplit(":", 1)[1]))
        lines = (
            "POST /v1/completions HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {lane.secret}",
            "Content-Length: 90",
        )
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n{")
        await lane.until(lambda: len(lane.gateway.flights) == 1)
        answer = asyncio.create_task(reader.readuntil(b"}}"))
        await lane.until(answer.done, tick=1)
        writer.close()
        assert b" 408 " in answer.result()
        assert b"body-timeout" in answer.result()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat", "/v1/messages"])
async def test_broken_json_is_a_400_in_the_shape_of_the_api(lane: Any, path: str) -> None:
    status, _, body = await lane.post(path, b'{"model": "tiny", ')
    assert status == 400
    assert b"broken-json" in body
    assert b"Traceback" not in body


async def test_an_unknown_model_gets_the_nearest_names(lane: Any) -> None:
    status, _, body = await lane.post("/v1/chat/completions", {"model": "tinny"})
    assert status == 404
    error = json.loads(body)["error"]
    assert error["code"] == "unknown-model"
    assert "`tiny:latest`" in error["message"]


async def test_a_bug_is_a_500_without_its_traceback(lane: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(lane.gateway.balancer, "entry", broken)
    status, _, body = await lane.post("/v1/chat/completions", asked(""))
    assert status == 500
    assert json.loads(body)["error"]["code"] == "internal"
    assert b"secret detail" not in body
    assert "ZeroDivisionError" in caplog.text


async def test_no_secret_is_logged(lane: Any, caplog: Any) -> None:
    caplog.set_level(0)
    lane.engines[0].mood = "drop"
    await lane.post("/v1/chat/completions", asked(""))
    await lane.post("/v1/chat/completions", b"{")
    assert lane.secret not in caplog.text


async def test_requests_go_to_both_replicas_at_once(make_lane: Any) -> None:
    async with make_lane(engines=2) as lane:
        for engine in lane.engines:
            engine.mood = "hold"
        tasks = [asyncio.create_task(lane.post("/v1/chat/completions", asked(""))) for _ in range(4)]
        await lane.until(lambda: sum(len(engine.seen) for engine in lane.engines) == 4)
        assert [len(engine.seen) for engine in lane.engines] == [2, 2]
        for engine in lane.engines:
            engine.hold.set()
        await asyncio.gather(*tasks)
