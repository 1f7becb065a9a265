"""Asking the engine of a pod: its answers, its refusals, and the ways in which it cannot be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_kube import FakeKube, FakeResponse, answer, context, forbidden
from hypothesis import given
from hypothesis import strategies as st

from sealane.kube import errors as kube_errors
from sealane.models import engine
from sealane.models.engine import Engine, EngineClosed, EngineRefused, EngineUnreachable


def engine_of(handler: Any) -> tuple[FakeKube, Engine]:
    kube = FakeKube()
    kube.pods[("team-a", "qwen-1-a")] = handler
    return kube, Engine(kube.client(context()), "qwen-1-a", namespace="team-a")  # type: ignore[arg-type]


def saying(*lines: bytes, status: int = 200) -> Any:
    async def handler(_method: str, _path: str, _body: dict[str, Any]) -> FakeResponse:
        return FakeResponse(list(lines), status=status)

    return handler


async def test_questions_go_to_the_engines_port_by_the_pod_proxy() -> None:
    kube, asked = engine_of(saying(b'{"version":"0.23.0"}'))
    assert await asked.version() == "0.23.0"
    assert kube.calls == [("proxy", "pods", "qwen-1-a:11434/api/version")]


async def test_tags_and_loaded_models_are_lists_even_when_null() -> None:
    _, asked = engine_of(saying(b'{"models":[{"name":"a:1","size":9,"size_vram":9,"context_length":2048}]}'))
    assert await asked.tags() == ["a:1"]
    assert (await asked.loaded())[0].context_length == 2048
    _, empty = engine_of(saying(b'{"models":null}'))
    assert await empty.loaded() == []


async def test_preloading_keeps_the_model_for_good_and_gives_no_prompt() -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    async def handler(_method: str, path: str, body: dict[str, Any]) -> FakeResponse:
        seen.append((path, body))
        return answer({"done": True, "done_reason": "load"})

    _, asked = engine_of(handler)
    await asked.preload("qwen:7b")
    assert seen == [("/api/generate", {"model": "qwen:7b", "keep_alive": -1, "stream": False})]


async def test_a_model_that_only_embeds_is_loaded_by_an_embedding() -> None:
    paths: list[str] = []

    async def handler(_method: str, path: str, _body: dict[str, Any]) -> FakeResponse:
        paths.append(path)
        if path == "/api/generate":
            return answer({"error": '"nomic-embed-text" does not support generate'}, status=400)
        return answer({"embeddings": [[0.1]]})

    _, asked = engine_of(handler)
    await asked.preload("nomic-embed-text")
    assert paths == ["/api/generate", "/api/embed"]


async def test_a_refusal_carries_the_engines_own_words_and_status() -> None:
    _, asked = engine_of(saying(b'{"error":"model \'nope\' not found"}', status=404))
    with pytest.raises(EngineRefused) as caught:
        await asked.preload("nope")
    assert (caught.value.said, caught.value.status) == ("model 'nope' not found", 404)
    assert caught.value.sentence == "The engine of qwen-1-a refuses: model 'nope' not found."


async def test_an_answer_that_is_not_json_is_a_refusal_not_a_crash() -> None:
    _, asked = engine_of(saying(b"<html>"))
    with pytest.raises(EngineRefused, match="not understood"):
        await asked.tags()
    _, broken = engine_of(saying(b"<html>Bad Gateway", status=502))
    with pytest.raises(EngineRefused, match="Bad Gateway"):
        await broken.tags()


async def test_a_pod_that_does_not_listen_is_unreachable() -> None:
    kube = FakeKube()
    asked = Engine(kube.client(context()), "gone", namespace="team-a")  # type: ignore[arg-type]
    with pytest.raises(EngineUnreachable, match="does not answer yet") as caught:
        await asked.version()
    assert caught.value.next_steps[0].command == "kubectl -n team-a logs gone"


async def test_without_the_right_to_the_proxy_it_says_which_right() -> None:
    kube, asked = engine_of(saying(b"{}"))
    kube.down = forbidden("pods is forbidden")
    with pytest.raises(EngineClosed, match="pods/proxy"):
        await asked.version()


async def test_expired_credentials_stay_what_they_are() -> None:
    kube, asked = engine_of(saying(b"{}"))
    kube.down = kube_errors.Unauthorized(401, "Unauthorized", "expired")
    with pytest.raises(kube_errors.Unauthorized):
        await asked.version()


async def test_a_pull_adds_up_its_layers_whatever_the_chunks() -> None:
    stream = (
        b'{"status":"pulling manifest"}\n'
        b'{"status":"pulling a","digest":"a","total":100,"completed":40}\n{"status":"pulling a","digest":"a","to'
    )
    rest = b'tal":100,"completed":100}\n\n{"status":"pulling b","digest":"b","total":10}\n{"status":"success"}\n'
    _, asked = engine_of(saying(stream, rest))
    found = [(pull.done, pull.total) async for pull in asked.pull("qwen:7b")]
    assert found == [(0, 0), (40, 100), (100, 100), (100, 110), (100, 110)]


async def test_a_pull_that_fails_says_why() -> None:
    _, asked = engine_of(
        saying(b'{"status":"pulling manifest"}\n{"error":"pull model manifest: file does not exist"}\n')
    )
    with pytest.raises(EngineRefused, match="file does not exist"):
        _ = [pull async for pull in asked.pull("qwen:7b")]


async def test_a_pull_stream_that_breaks_off_is_unreachable() -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b'{"status":"pulling a","digest":"a","total":100,"completed":40}\n'
        raise kube_errors.Disconnected("cut", target=kube_errors.Target(context="harbor-eu", server="s"))

    async def handler(_method: str, _path: str, _body: dict[str, Any]) -> FakeResponse:
        return FakeResponse(cut())

    _, asked = engine_of(handler)
    pulling = asked.pull("qwen:7b")
    assert (await anext(pulling)).done == 40
    with pytest.raises(EngineUnreachable):
        await anext(pulling)


@pytest.mark.parametrize(
    ("model", "name"),
    [("tiny", "tiny:latest"), ("qwen:7b", "qwen:7b"), ("reg:5000/team/m", "reg:5000/team/m:latest")],
)
def test_a_tag_is_completed_as_the_engine_does(model: str, name: str) -> None:
    assert engine.full_name(model) == name
    assert engine.same(model, name.upper())


LINES = st.lists(
    st.builds(
        engine._PullLine,
        status=st.just("pulling"),
        digest=st.sampled_from(["", "a", "b"]),
        total=st.sampled_from([0, 100]),
        completed=st.integers(0, 200),
    )
)


@given(LINES)
def test_bytes_never_run_backwards_nor_past_the_total(lines: list[engine._PullLine]) -> None:
    tally, before = engine.Tally(), 0
    for line in lines:
        pull = tally.add(line)
        assert before <= pull.done <= pull.total
        before = pull.done
