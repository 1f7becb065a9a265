"""One place turns an error into an answer: a page, a fragment or JSON, always the same sentence.

Whoever asked for `….json`, for `application/json`, or came with a bearer gets `{"error": …}`; an htmx request gets a
notice for the page it stands on; everybody else gets a page. A bug of ours is logged with a mark and shown by that
mark.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sealane.console import problems
from sealane.console.json import JSONResponse
from sealane.lib.errors import SealaneError

__all__ = ["Pages", "SealaneError"]

log = logging.getLogger(__name__)


class Pages:
    """Answers errors. `render` draws a template by name inside the frame."""

    def __init__(self, render: Callable[..., str]) -> None:
        self._render = render

    def answer(self, request: Request, error: SealaneError) -> Response:
        """The response for `error`, in the shape that the request can read."""
        status = error.http_status
        if wants_json(request):
            return JSONResponse({"error": error.to_json()}, status_code=status)
        if request.headers.get("hx-request") == "true":
            return HTMLResponse(self._render(request, "fragments/problem.html", error=error), status_code=status)
        return HTMLResponse(self._render(request, _template_of(error), error=error), status_code=status)

    async def on_sealane_error(self, request: Request, error: Exception) -> Response:
        """Handler for everything that is fit to be shown."""
        assert isinstance(error, SealaneError)  # noqa: S101 -- registered for this class alone
        return self.answer(request, error)

    async def on_http_error(self, request: Request, error: Exception) -> Response:
        """Handler for what the router itself refuses."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        if status == 405:
            return self.answer(request, problems.WrongMethod(request.method, request.url.path))
        return self.answer(request, problems.NoSuchPage(request.url.path))

    async def on_bug(self, request: Request, error: Exception) -> Response:
        """Handler for the rest: log it, never show it."""
        mark = secrets.token_hex(4)
        log.error("bug %s at %s %s", mark, request.method, request.url.path, exc_info=error)
        return self.answer(request, problems.Unexpected(mark))


def _template_of(error: SealaneError) -> str:
    """Strangers get a page without the frame, which tells of clusters and models."""
    if isinstance(error, problems.NoSession):
        return "session.html"
    return "refused.html" if isinstance(error, problems.ForeignHost | problems.ForeignOrigin) else "error.html"


def wants_json(request: Request) -> bool:
    """Whether the answer should be JSON: by the address, by Accept, or because a script asks."""
    if request.url.path.endswith(".json"):
        return True
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return False
    return "application/json" in accept or request.headers.get("authorization", "").lower().startswith("bearer ")


def as_json(value: Any) -> Response:
    """A 200 with `value` (msgspec Structs welcome) as JSON."""
    return JSONResponse(value)
