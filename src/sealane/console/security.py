"""Who may speak to the console, and what a page of it may do.

The console acts with the user's own cluster rights, so its address on this computer is worth protecting: a one-time
token in the opened link becomes a cookie (HttpOnly, SameSite=Strict, named per port); scripts send the same token as a
bearer. Requests for another host's name are refused (DNS rebinding), and so is everything but a followed link that a
foreign page could have sent. Pages carry a strict Content-Security-Policy with a fresh nonce; bodies are small or
refused. Only static files are open.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sealane.console import errors, problems
from sealane.console.services import Settings
from sealane.lib.clock import SYSTEM, Clock

BODY_LIMIT = 64 * 1024  # bytes; the largest form is some hundred
BODY_SECONDS = 30.0  # until all of it must be there
TICKET_SECONDS = 300.0  # how long a browser may take to start
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = ("/static/",)


class Sessions:
    """Signed cookies: nothing is stored, so sessions outlive a change of clusters and end with the process's secret."""

    def __init__(self, token: str, *, secret: str = "", clock: Clock = SYSTEM) -> None:
        self._token = token
        self._clock = clock
        self._tickets: dict[str, float] = {}
        self._key = hashlib.sha256(b"sealane session\0" + (secret or token).encode()).digest()
        self._used = False

    def open_with_link(self, token: str) -> str | None:
        """The cookie's value for a link's token or ticket, the first time only; None for a wrong or used one."""
        until = self._tickets.pop(token, None)
        if until is not None:
            return self.open() if self._clock.monotonic() <= until else None
        if self._used or not self.is_token(token):
            return None
        self._used = True
        return self.open()

    def ticket(self) -> str:
        """What opens one session soon and is good for nothing else: for addresses that other users may see.

        A browser that we start has its address in its command line, which everybody on the computer can read.
        """
        made = secrets.token_urlsafe(24)
        self._tickets[made] = self._clock.monotonic() + TICKET_SECONDS
        return made

    def open(self) -> str:
        """A new session's cookie value."""
        name = secrets.token_urlsafe(16)
        return f"{name}.{self._sign(name)}"

    def is_token(self, token: str) -> bool:
        """Whether it is the process's token, compared in constant time."""
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token.encode())

    def is_open(self, value: str) -> bool:
        """Whether a cookie's value was made here."""
        name, _, signature = value.partition(".")
        return bool(name) and hmac.compare_digest(signature.encode(), self._sign(name).encode())

    def _sign(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()


def cookie_name(scope: Scope) -> str:
    """Cookies ignore ports, so two consoles on one computer need two names."""
    server = scope.get("server") or ("", 0)
    return f"sealane_session_{server[1]}"


def set_session(response: Response, scope: Scope, value: str) -> None:
    """Give the browser its session."""
    response.set_cookie(cookie_name(scope), value, httponly=True, samesite="strict", path="/")


class Guard:
    """The outermost layer: host, session, origin, body, headers, in this order."""

    def __init__(self, app: ASGIApp, *, settings: Settings, sessions: Sessions, pages: errors.Pages) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in settings.hosts)
        self._sessions = sessions
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["nonce"] = secrets.token_urlsafe(16)
        request = Request(scope, receive)
        answer = self._refuse_or_open(request)
        limited = _LimitedBody(receive)
        guarded = _with_headers(send, state["nonce"])
        if answer is not None:
            await answer(scope, receive, guarded)
            return
        await self._app(scope, limited, guarded)

    def _refuse_or_open(self, request: Request) -> Response | None:
        problem: errors.SealaneError | None = None
        if _host_of(request) not in self._hosts:
            problem = problems.ForeignHost(request.headers.get("host", ""))
        elif not request.scope["path"].startswith(_OPEN):
            link = request.query_params.get("token")
            if link is not None and request.method == "GET":
                return self._open_session(request, link)
            problem = self._problem_of(request)
        return self._pages.answer(request, problem) if problem else None

    def _problem_of(self, request: Request) -> errors.SealaneError | None:
        bearer = _bearer_of(request.headers)
        if bearer is not None:
            return None if self._sessions.is_token(bearer) else problems.NoSession(reason="token")
        opening = request.scope["path"] == "/session" and request.method == "POST"
        if not opening and not self._sessions.is_open(request.cookies.get(cookie_name(request.scope), "")):
            return problems.NoSession(reason="missing")
        trusted = _may_read(request) if request.method in _SAFE else _same_origin(request)
        if not trusted:
            return problems.ForeignOrigin(request.headers.get("origin", ""))
        if int(request.headers.get("content-length") or 0) > BODY_LIMIT:
            return problems.BodyTooLarge(BODY_LIMIT)
        return None

    def _open_session(self, request: Request, link: str) -> Response:
        """Swap the link's token for a cookie and take it out of the address."""
        already = self._sessions.is_open(request.cookies.get(cookie_name(request.scope), ""))
        session = self._sessions.open_with_link(link)
        if session is None and not already:
            return self._pages.answer(
                request, problems.NoSession(reason="used" if self._sessions.is_token(link) else "token")
            )
        rest = [(name, value) for name, value in parse_qsl(request.url.query) if name != "token"]
        response = RedirectResponse(_own_path(request) + (f"?{urlencode(rest)}" if rest else ""), status_code=303)
        if session is not None:
            set_session(response, request.scope, session)
        return response


class _LimitedBody:
    """Counts what comes in, for bodies that do not say how long they are, and waits for it no longer than it may."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0
        self._whole = False
        self._until = 0.0

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        self._until = self._until or asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise problems.BodyTooSlow(BODY_SECONDS) from None
        self._whole = not message.get("more_body", False)
        self._seen += len(message.get("body", b""))
        if self._seen > BODY_LIMIT:
            raise problems.BodyTooLarge(BODY_LIMIT)
        return message


def _host_of(request: Request) -> str:
    host = request.headers.get("host", "").lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _bearer_of(headers: Headers) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _same_origin(request: Request) -> bool:
    """Browsers say it themselves (Fetch Metadata); older ones at least name the origin. Silence is not trusted."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host", "")


def _may_read(request: Request) -> bool:
    """Foreign pages may link to us, and no more: not fetch, not embed, not hold a stream open.

    A page on another port of this computer counts as the same site, so our cookie comes with its requests.
    """
    if request.headers.get("sec-fetch-site") not in {"cross-site", "same-site"}:
        return True
    linked = request.headers.get("sec-fetch-mode") == "navigate"
    return linked and request.headers.get("sec-fetch-dest", "document") == "document"


def _own_path(request: Request) -> str:
    """The path that was asked for, as it was written; `//name` would be another computer's address."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return "/" + raw.partition(b"?")[0].decode("latin-1").lstrip("/\\")


def _policy(nonce: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types htmx",
        )
    )


def _with_headers(send: Send, nonce: str) -> Send:
    fixed = {
        "Content-Security-Policy": _policy(nonce),
        "X-Content-Type-Options": "nosniff",
        # `same-origin` rather than `no-referrer`: with the latter browsers send `Origin: null` on our own forms.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in fixed.items():
                headers[name] = value
            if "cache-control" not in headers:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return guarded
