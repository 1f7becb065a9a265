"""Ollama's own API: shapes, streams, management, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world.ollama.app import VERSION

Make = Callable[..., Any]
SEVEN, EMBED = "qwen2.5-coder:7b", "nomic-embed-text:latest"
HELLO = [{"role": "user", "content": "hello"}]


async def test_the_server_greets_and_says_that_it_is_simulated(serve: Make) -> None:
    server = serve()
    assert await server.raw("GET", "/") == (200, b"Ollama is running")
    assert await server.get("/api/version") == {"version": VERSION}
    assert "simulated" in VERSION


async def test_tags_and_show_describe_what_is_on_disk(serve: Make) -> None:
    server = serve(SEVEN, EMBED)
    tags = {item["name"]: item for item in (await server.get("/api/tags"))["models"]}
    assert set(tags) == {SEVEN, EMBED}
    assert tags[SEVEN]["details"] == {
        "parent_model": "",
        "format": "gguf",
        "family": "qwen2",
        "families": ["qwen2"],
        "parameter_size": "7.6B",
        "quantization_level": "Q4_K_M",
    }
    _, shown = await server.post("/api/show", model=SEVEN)
    assert shown["capabilities"] == ["completion", "tools", "insert"]
    assert shown["model_info"]["qwen2.context_length"] == 32768
    _, embedding = await server.post("/api/show", model="nomic-embed-text")
    assert embedding["capabilities"] == ["embedding"]


async def test_a_chat_streams_lines_and_ends_with_the_counts(serve: Make) -> None:
    lines = await serve(SEVEN).lines("/api/chat", model=SEVEN, messages=HELLO)
    assert all(line["done"] is False for line in lines[:-1])
    assert all(line["message"]["role"] == "assistant" for line in lines)
    said = "".join(line["message"]["content"] for line in lines)
    assert said.startswith("This is a simulated answer from the Sealane sandbox")
    last = lines[-1]
    assert (last["done"], last["done_reason"]) == (True, "stop")
    assert last["eval_count"] == len(lines) - 1
    assert last["total_duration"] > last["eval_duration"] > 0
    assert last["prompt_eval_count"] > 1


async def test_stream_and_whole_answer_say_the_same(serve: Make) -> None:
    server = serve(SEVEN)
    lines = await server.lines("/api/generate", model=SEVEN, prompt="hello")
    _, whole = await server.post("/api/generate", model=SEVEN, prompt="hello", stream=False)
    assert "".join(line["response"] for line in lines) == whole["response"]
    assert whole["eval_count"] == lines[-1]["eval_count"]
    assert isinstance(whole["context"], list)


async def test_limits_and_stop_words_end_an_answer(serve: Make) -> None:
    server = serve(SEVEN)
    _, cut = await server.post("/api/chat", model=SEVEN, messages=HELLO, stream=False, options={"num_predict": 3})
    assert (cut["eval_count"], cut["done_reason"]) == (3, "length")
    _, stopped = await server.post(
        "/api/generate", model=SEVEN, prompt="x", stream=False, options={"stop": ["simulated"]}
    )
    assert stopped["response"] == "This is a "
    assert stopped["done_reason"] == "stop"


async def test_fill_in_the_middle_gives_code_and_nothing_else(serve: Make) -> None:
    _, answer = await serve(SEVEN).post(
        "/api/generate", model=SEVEN, prompt="def add(a, b):\n", suffix="\nprint(add(1, 2))", stream=False
    )
    assert answer["response"] == "    # simulated by the Sealane sandbox\n    return a + b\n"


async def test_embeddings_come_in_both_forms(serve: Make) -> None:
    server = serve(EMBED)
    _, one = await server.post("/api/embed", model=EMBED, input="hello")
    _, two = await server.post("/api/embed", model=EMBED, input=["hello", "world"])
    assert [len(vector) for vector in two["embeddings"]] == [768, 768]
    assert one["embeddings"][0] == two["embeddings"][0]
    assert two["prompt_eval_count"] >= 2
    _, old = await server.post("/api/embeddings", model=EMBED, prompt="hello")
    assert old["embedding"] == one["embeddings"][0]
    _, short = await server.post("/api/embed", model=EMBED, input="hello", dimensions=8)
    assert len(short["embeddings"][0]) == 8


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/chat", {"model": "nope", "messages": HELLO}, 404, "model 'nope' not found"),
        ("/api/show", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/chat", {"model": EMBED, "messages": HELLO}, 400, f'"{EMBED}" does not support chat'),
        ("/api/generate", {"model": EMBED, "prompt": "x"}, 400, f'"{EMBED}" does not support generate'),
        ("/api/chat", {"messages": HELLO}, 400, "model is required"),
        ("/api/chat", {"model": "gemma3:4b", "messages": HELLO, "tools": [{}]}, 400, "does not support tools"),
        ("/api/chat", {"model": SEVEN, "messages": HELLO, "think": True}, 400, "does not support thinking"),
        ("/api/generate", {"model": "gemma3:4b", "prompt": "a", "suffix": "b"}, 400, "does not support insert"),
        ("/api/generate", {"model": SEVEN, "prompt": "a", "keep_alive": "soon"}, 400, "invalid duration"),
        ("/api/copy", {"source": "nope", "destination": "x"}, 404, 'model "nope" not found'),
        ("/api/create", {"model": "x"}, 400, "neither 'from' or 'files' was specified"),
    ],
)
async def test_refusals_use_ollamas_words(
    serve: Make, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    found, answer = await serve(SEVEN, EMBED, "gemma3:4b").post(path, **body)
    assert found == status
    assert error in answer["error"]


async def test_broken_bodies_are_refused(serve: Make) -> None:
    server = serve(SEVEN)
    assert (await server.raw("POST", "/api/chat", b"{nonsense"))[0] == 400
    assert (await server.raw("POST", "/api/chat", b"[]"))[0] == 400
    assert await server.raw("POST", "/api/chat", b"") == (400, b'{"error":"missing request body"}')
    assert (await server.raw("GET", "/api/nothing"))[0] == 404
    assert (await server.raw("GET", "/api/chat"))[0] == 405


async def test_tools_images_thinking_and_formats_are_accepted(serve: Make) -> None:
    server = serve(SEVEN, "qwen3:8b", "gemma3:4b")
    tool = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
    ask = [{"role": "user", "content": "call clock"}]
    _, called = await server.post("/api/chat", model=SEVEN, messages=ask, tools=[tool], stream=False)
    assert called["message"]["tool_calls"][0]["function"]["name"] == "clock"
    again = [*ask, {"role": "tool", "content": "12:00"}]
    _, answered = await server.post("/api/chat", model=SEVEN, messages=again, tools=[tool], stream=False)
    assert "12:00" in answered["message"]["content"]
    _, seen = await server.post(
        "/api/chat",
        model="gemma3:4b",
        messages=[{"role": "user", "content": "what?", "images": ["aGk="]}],
        stream=False,
    )
    assert seen["prompt_eval_count"] > 256
    _, thought = await server.post("/api/chat", model="qwen3:8b", messages=HELLO, think=True, stream=False)
    assert "simulated" in thought["message"]["thinking"]
    _, shaped = await server.post("/api/generate", model=SEVEN, prompt="x", format="json", stream=False)
    assert '"simulated": true' in shaped["response"]


async def test_a_pull_streams_its_bytes_and_ends_in_success_or_an_error_line(serve: Make) -> None:
    server = serve()
    lines = await server.lines("/api/pull", model="qwen2.5-coder:0.5b")
    assert lines[0] == {"status": "pulling manifest"}
    assert lines[-1] == {"status": "success"}
    layers = [line for line in lines if line.get("total", 0) > 1e8]
    assert layers[-1]["completed"] == layers[-1]["total"] == 398_000_000
    assert (await server.get("/api/tags"))["models"][0]["name"] == "qwen2.5-coder:0.5b"
    lines = await server.lines("/api/pull", model="nosuch:1b")
    assert lines[-1] == {"error": "pull model manifest: file does not exist"}
    status, answer = await server.post("/api/pull", model="nosuch:1b", stream=False)
    assert (status, answer) == (500, {"error": "pull model manifest: file does not exist"})


async def test_models_are_copied_created_and_deleted(serve: Make) -> None:
    server = serve(SEVEN)
    assert (await server.raw("POST", "/api/copy", {"source": SEVEN, "destination": "mine"}))[0] == 200
    _, made = await server.post("/api/create", model="custom", **{"from": SEVEN}, stream=False)
    assert made == {"status": "success"}
    names = {item["name"] for item in (await server.get("/api/tags"))["models"]}
    assert names == {SEVEN, "mine:latest", "custom:latest"}
    assert (await server.raw("DELETE", "/api/delete", {"model": "mine"}))[0] == 200
    assert (await server.raw("DELETE", "/api/delete", {"model": "mine"}))[0] == 404


async def test_blobs_are_checked_by_their_digest(serve: Make) -> None:
    server = serve()
    digest = f"sha256:{hashlib.sha256(b'data').hexdigest()}"
    assert (await server.raw("HEAD", f"/api/blobs/{digest}"))[0] == 404
    assert (await server.raw("POST", f"/api/blobs/{digest}", b"other"))[0] == 400
    assert (await server.raw("POST", f"/api/blobs/{digest}", b"data"))[0] == 201
    assert (await server.raw("HEAD", f"/api/blobs/{digest}"))[0] == 200
    _, made = await server.post("/api/create", model="tiny", files={"x.gguf": digest}, stream=False)
    assert made == {"status": "success"}


async def test_requests_that_do_something_leave_a_line_in_the_log(serve: Make) -> None:
    server = serve(SEVEN)
    await server.post("/api/chat", model=SEVEN, messages=HELLO, stream=False)
    await server.get("/api/ps")
    assert len(server.log) == 1
    assert "| 200 |" in server.log[0]
    assert server.log[0].endswith('POST     "/api/chat"')
