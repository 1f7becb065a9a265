"""How the gateway is served: uvicorn with uvloop and httptools, no access log, and an end that does not wait for
ever.

In one place, so that `sealane up`, `sealane gateway`, the tests and the benchmark all run the same thing.
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
