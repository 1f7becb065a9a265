"""Our gateway as `sealane up` serves it, with a key, two replicas and metering into SQLite, in front of the mock.

`python -m bench._gateway_sealane PORT UPSTREAM KEY FOLDER`
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn
import uvloop

from sealane import state
from sealane.gateway import app, server, upstream
from sealane.gateway.keys import KeyStore
from sealane.gateway.metering import UsageStore
from sealane.gateway.routes import Replica, StaticReplicas


async def main(port: int, base: str, key: str, folder: Path) -> None:
    database = state.open(folder)
    keys = KeyStore(database)
    keys.adopt("bench", key)
    session = upstream.session(connect=3.0)
    pods = [
        Replica(cluster="bench", namespace="default", pod=f"bench-{i}", name="bench", model="bench", parallel=64)
        for i in range(2)
    ]
    source = StaticReplicas({pod: upstream.Direct(session, base) for pod in pods})
    gateway = app.build(replicas=source, keys=keys, usage=UsageStore(database))
    await uvicorn.Server(server.config(gateway, port=port)).serve()
    await session.close()
    database.close()


if __name__ == "__main__":
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])))
