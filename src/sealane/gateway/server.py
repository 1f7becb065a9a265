"""How a gateway is served by itself: uvicorn with uvloop and httptools, no access log, and an end that does not wait
for ever.

The tests and the benchmark run it so. `sealane up` serves its gateway by `runtime.serving` instead, on a socket that
outlives a change of clusters and on the event loop that it shares with the console.
"""

from __future__ import annotations

import uvicorn

from sealane.gateway.app import Gateway

GRACE = 2  # seconds that open streams get when the server stops


def config(app: Gateway, *, host: str = "127.0.0.1", port: int = 8701) -> uvicorn.Config:
    """uvicorn's configuration; `port` 0 picks a free one."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=True,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
        proxy_headers=False,
        backlog=2048,
    )
