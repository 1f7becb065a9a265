"""What the tests of kube/ share: the scripted server and a clock that does not wait."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from kube_server import ApiServer

from sealane.kube.client import Client
from sealane.lib.clock import ManualClock


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(server: ApiServer, clock: ManualClock) -> AsyncIterator[Client]:
    async with Client(server.context(), clock=clock) as opened:
        yield opened
