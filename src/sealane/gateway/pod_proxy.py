"""The way to a pod through its cluster's API server: what makes a gateway on a laptop possible without any tunnel.

The API server's refusals (no right, no such pod, nothing listens) are told from the pod's own answers by
`kube.proxy`; here they become `Unreached`, so that another replica is tried.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import cast

from sealane.gateway.routes import Replica
from sealane.gateway.upstream import Lost, Response, Unreached
from sealane.kube import errors as kube_errors
from sealane.kube.client import Client
from sealane.kube.proxy import ProxyResponse
from sealane.lib.errors import SealaneError

_SILENCE = 3600.0  # `flights` is the one that decides how long a replica may be silent
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "Accept": "*/*"}


class PodProxy:
    """See Upstream. `client` is asked for with each request: another cluster may have taken the name meanwhile."""

    def __init__(self, client: Callable[[], Client], replica: Replica, *, port: int) -> None:
        self._client = client
        self._replica = replica
        self._port = port

    async def open(self, method: str, path: str, body: bytes) -> Response:
        """See Upstream."""
        try:
            opening = self._client().proxy(
                self._replica.pod,
                namespace=self._replica.namespace,
                port=self._port,
                method=method,
                path=path,
                headers=_HEADERS,
                body=body or None,
                timeout=_SILENCE,
            )
            answer = await opening.__aenter__()
        except kube_errors.ApiError as error:
            denied = isinstance(error, kube_errors.Forbidden | kube_errors.Unauthorized)
            raise Unreached(error.sentence, denied=denied) from error
        except SealaneError as error:
            raise Unreached(error.sentence) from error
        return _ProxiedResponse(opening, answer)


class _ProxiedResponse:
    """See Response."""

    def __init__(self, opening: contextlib.AbstractAsyncContextManager[ProxyResponse], answer: ProxyResponse) -> None:
        self._opening = opening
        self._answer = answer
        self._chunks: AsyncGenerator[bytes, None] | None = None
        self.status = answer.status
        self.content_type = answer.headers.get("Content-Type", "application/json")

    async def chunk(self) -> bytes:
        """See Response."""
        if self._chunks is None:
            self._chunks = cast("AsyncGenerator[bytes, None]", self._answer.chunks())
        try:
            return await anext(self._chunks, b"")
        except SealaneError as error:
            raise Lost(error.sentence) from error

    async def read(self) -> bytes:
        """See Response."""
        try:
            return await self._answer.read()
        except SealaneError as error:
            raise Lost(error.sentence) from error

    async def close(self) -> None:
        """See Response."""
        if self._chunks is not None:
            await self._chunks.aclose()
        await self._opening.__aexit__(None, None, None)
