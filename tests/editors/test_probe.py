"""The Test button against a loopback gateway that answers, refuses, cuts and hangs."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from sealane.editors import EDITORS, probe
from sealane.editors.types import Connection, ServedModel

CODER = ServedModel(name="qwen2.5-coder:7b", capabilities=("chat", "fim", "tools"), context=4096)
EMBED = ServedModel(name="nomic-embed-text:latest", capabilities=("embedding",), context=2048)
KEY = "sk-sealane-good"
Handler = Callable[[web.Request], object]


class Gateway:
    """Answers as the real one does; `fail` replaces the handler of one path. Remembers what was asked."""

    def __init__(self) -> None:
        self.fail: dict[str, Handler] = {}
        self.asked: list[tuple[str, dict, dict]] = []
        self.served = [CODER.name, EMBED.name]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else {}
        self.asked.append((request.path, body, dict(request.headers)))
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "no such key"}}, status=401)
        if request.path in self.fail:
            answer = self.fail[request.path](request)
            return await answer if hasattr(answer, "__await__") else answer
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": name} for name in self.served]})
        return web.Response(text=ANSWERS[request.path])


ANSWERS = {
    "/v1/chat/completions": 'data: {"choices":[{"delta":{"content":"Ready."}}]}\n\ndata: [DONE]\n\n',
    "/v1/completions": 'data: {"choices":[{"text":"a + b"}]}\n\ndata: [DONE]\n\n',
    "/api/generate": '{"response":"a + b","done":false}\n{"response":"","done":true}\n',
    "/v1/embeddings": '{"data":[{"embedding":[1,2,3]},{"embedding":[4,5,6]}]}',
    "/v1/messages": 'data: {"delta":{"text":"Ready."}}\n\ndata: {"type":"message_stop"}\n\n',
}


@contextlib.asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", gateway.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def connection(root: str, *, key: str = KEY, chat: ServedModel = CODER) -> Connection:
    return Connection(root=root, key=key, chat=chat, autocomplete=CODER, embed=EMBED)


@pytest.mark.parametrize("editor", sorted(EDITORS))
async def test_every_editor_passes_against_a_gateway_that_works(editor):
    async with running(Gateway()) as root:
        checks = await probe.run(editor, connection(root))
    assert [check.name for check in checks[:3]] == ["Address", "Key", "Model"]
    assert len(checks) > 3
    assert all(check.ok for check in checks), checks
    assert all(check.ms is not None for check in checks if check.name != "Model")


async def test_the_sentence_carries_what_the_model_said():
    async with running(Gateway()) as root:
        checks = await probe.run("curl", connection(root))
    assert "“Ready.”" in next(check.sentence for check in checks if check.name == "Chat")
    assert "2 embeddings of 3 numbers" in checks[-1].sentence


async def test_continue_is_proven_with_the_requests_that_continue_sends():
    gateway = Gateway()
    async with running(gateway) as root:
        await probe.run("continue", connection(root))
    sent = {path: body for path, body, _ in gateway.asked}
    assert sent["/api/generate"]["options"]["num_ctx"] == 4096
    assert sent["/api/generate"]["suffix"]
    assert sent["/v1/chat/completions"]["stream"] is True


async def test_claude_code_is_proven_with_anthropics_headers():
    gateway = Gateway()
    async with running(gateway) as root:
        await probe.run("claude-code", connection(root))
    path, body, headers = gateway.asked[-1]
    assert path == "/v1/messages"
    assert headers["anthropic-version"] == "2023-06-01"
    assert body["max_tokens"] > 0


async def failing(**replaced: object) -> list:
    gateway = Gateway()
    gateway.fail = dict(replaced.pop("fail", {}))
    gateway.served = replaced.pop("served", gateway.served)
    async with running(gateway) as root:
        return await probe.run("curl", connection(root, **replaced))


async def test_a_wrong_key_stops_at_the_key():
    checks = await failing(key="sk-sealane-wrong")
    assert [check.ok for check in checks] == [True, False]
    assert "401" in checks[-1].sentence


async def test_a_wrong_tag_is_told_before_any_completion_is_asked_for():
    checks = await failing(chat=ServedModel(name="qwen2.5-coder:14b"))
    assert checks[-1].name == "Model"
    assert "qwen2.5-coder:7b" in checks[-1].sentence


async def test_a_model_that_is_not_hosted_is_told_apart_from_a_wrong_tag():
    checks = await failing(served=[])
    assert "is not hosted; nothing is hosted" in checks[-1].sentence
    assert checks[-1].fix[0].command == "sealane host qwen2.5-coder:7b"


async def test_out_of_memory_is_told_with_its_fix_and_the_other_roles_are_still_tried():
    error = {"error": {"message": "model requires more system memory (9 GiB) than is available (4 GiB)"}}
    checks = await failing(fail={"/v1/chat/completions": lambda _: web.json_response(error, status=500)})
    by_name = {check.name: check for check in checks}
    assert not by_name["Chat"].ok
    assert "does not fit" in by_name["Chat"].sentence
    assert by_name["Embeddings"].ok


async def test_a_stream_without_its_ending_is_a_cut_stream():
    cut = 'data: {"choices":[{"delta":{"content":"Rea"}}]}\n\n'
    checks = await failing(fail={"/v1/chat/completions": lambda _: web.Response(text=cut)})
    chat = next(check for check in checks if check.name == "Chat")
    assert "before the answer was complete" in chat.sentence


async def test_an_error_event_in_the_stream_is_told_in_its_own_words():
    event = 'data: {"error":{"message":"cudaMalloc failed: out of memory"}}\n\n'
    checks = await failing(fail={"/v1/chat/completions": lambda _: web.Response(text=event)})
    assert "does not fit" in next(check for check in checks if check.name == "Chat").sentence


async def test_an_answer_that_takes_too_long_is_a_time_out(monkeypatch):
    monkeypatch.setattr(probe, "MODELS_LIMIT", 0.05)

    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    checks = await failing(fail={"/v1/models": hang})
    assert checks[-1].name == "Key"
    assert "did not answer within" in checks[-1].sentence


async def test_nothing_that_listens_is_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        root = f"http://127.0.0.1:{free.getsockname()[1]}"
        (check,) = await probe.run("curl", connection(root))
    assert "refused" in check.sentence
    assert check.fix[0].command == "sealane up"


async def test_a_name_that_does_not_resolve_is_dns(monkeypatch):
    async def gaierror(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(probe.asyncio, "open_connection", gaierror)
    (check,) = await probe.run("curl", connection("http://gateway.invalid:8701"))
    assert check.sentence == "The name gateway.invalid cannot be resolved: Name or service not known."


async def test_a_plain_port_behind_an_https_address_is_a_tls_failure():
    async with running(Gateway()) as root:
        (check,) = await probe.run("curl", connection(root.replace("http:", "https:")))
    assert "TLS" in check.sentence
    assert any("http://" in step.title for step in check.fix)


def test_causes_are_told_apart_by_the_kind_of_exception():
    assert probe._cause(ssl.SSLError("x")) == "tls"
    assert probe._cause(ConnectionRefusedError()) == "refused"
    assert probe._cause(TimeoutError()) == "timeout"
    assert probe._cause(RuntimeError("x")) == "other"
