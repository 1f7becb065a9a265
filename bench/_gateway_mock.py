"""The engine that both gateways stand in front of: fixed OpenAI answers from a bare asyncio protocol, so that it
costs little.

`python -m bench._gateway_mock PORT`: a chat completion at once, or 64 chunks, one every two milliseconds, each
written by itself so that the gateway gets it by itself. GET answers `/api/ps` and `/v1/models` alike.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

CHUNKS = 64
PACE = 0.002
TEXT = "The lane is open and the water is calm. " * 4
USAGE = {"prompt_tokens": 120, "completion_tokens": 64, "total_tokens": 184}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": "bench"}
WHOLE = json.dumps(
    HEAD
    | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
).encode()
LISTED = json.dumps({"object": "list", "data": [], "models": [{"name": "bench", "model": "bench"}]}).encode()


def _chunk(choices: list[dict[str, object]], **more: object) -> bytes:
    body = json.dumps(HEAD | {"object": "chat.completion.chunk", "choices": choices} | more, separators=(",", ":"))
    data = f"data: {body}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


PIECE = _chunk([{"index": 0, "delta": {"role": "assistant", "content": " lane"}, "finish_reason": None}])
LAST = _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
COUNTS = _chunk([], usage=USAGE)
DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Engine(asyncio.Protocol):
    """One keep-alive connection; requests come one after another."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""
        self.task: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (at := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:at].lower()
            mark = head.find(b"content-length:")
            length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
            if len(self.buffer) < at + 4 + length:
                return
            body, self.buffer = self.buffer[at + 4 : at + 4 + length], self.buffer[at + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if b'"stream":true' in body or b'"stream": true' in body:
            self.task = asyncio.get_running_loop().create_task(self._stream(b"include_usage" in body))
            return
        answer = LISTED if head.startswith(b"get") else WHOLE
        self._write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )

    async def _stream(self, counts: bool) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(CHUNKS - 1):
            self._write(PIECE)
            await asyncio.sleep(PACE)
        self._write(LAST + (COUNTS if counts else b"") + DONE)

    def _write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Engine, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
