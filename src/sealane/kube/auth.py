"""Who we are, kept fresh: turns a context's credentials into headers and a client certificate for each request.

Tokens expire while a watch runs, token files are replaced by the kubelet, plugins give tokens for minutes. A `Provider`
hides that: `current()` gives what to send now, `renew()` is asked once after a 401 and says whether there is anything
new to try. Concurrent requests share one renewal. Passwords and tokens are never logged and never in a `repr`.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from sealane.kube import plugin
from sealane.kube.config import Context, Credentials, ExecSpec
from sealane.kube.errors import ConfigError
from sealane.lib.clock import Clock

FILE_AGE = 60.0
PAUSE = 5.0  # a dozen watches ask at once: one that fails, or gives tokens that have ended already, is not run for each
EARLY = datetime.timedelta(seconds=5)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What one request sends. `certificate` and `key` are PEM; empty means none."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        return "Identity(…)"


class Provider(Protocol):
    """A source of identities."""

    async def current(self) -> Identity:
        """What to send now. `ConfigError` and its kin when it cannot be had."""

    async def renew(self, refused: Identity) -> bool:
        """After a 401 for `refused`: True when a different identity is worth one more try."""


def provider(context: Context, *, clock: Clock) -> Provider:
    """The provider for a context's credentials, by kubectl's order: token file, token, plugin, password."""
    credentials = context.credentials
    if credentials.token_file:
        return TokenFile(credentials, clock=clock)
    if credentials.exec is not None and not credentials.token:
        return Plugin(credentials.exec, context, clock=clock)
    return Fixed(credentials, clock=clock)


class Fixed:
    """A token, a password or a certificate of the kubeconfig; files are re-read every minute, as they get replaced."""

    def __init__(self, credentials: Credentials, *, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._identity: Identity | None = None
        self._good_until = float("-inf")

    async def current(self) -> Identity:
        if self._identity is None or self._clock.monotonic() >= self._good_until:
            return await self._read()
        return self._identity

    async def renew(self, refused: Identity) -> bool:
        return await self._read() != refused

    async def _read(self) -> Identity:
        given = self._credentials
        certificate = given.cert_data or await _content(given.cert_file)
        key = given.key_data or await _content(given.key_file)
        self._identity = Identity(authorization=_authorization(given), certificate=certificate, key=key)
        self._good_until = self._clock.monotonic() + FILE_AGE if given.cert_file or given.key_file else float("inf")
        return self._identity


class TokenFile:
    """A token that something else keeps fresh in a file (the kubelet, a login tool); re-read every minute."""

    def __init__(self, credentials: Credentials, *, clock: Clock) -> None:
        self._credentials = credentials
        self._rest = Fixed(credentials, clock=clock)
        self._clock = clock
        self._token = ""
        self._read_at = float("-inf")

    async def current(self) -> Identity:
        if self._clock.monotonic() - self._read_at >= FILE_AGE:
            await self._read()
        rest = await self._rest.current()
        return msgspec.structs.replace(rest, authorization=f"Bearer {self._token}")

    async def renew(self, refused: Identity) -> bool:
        await self._read()
        return f"Bearer {self._token}" != refused.authorization

    async def _read(self) -> None:
        path = self._credentials.token_file
        content = (await _content(path)).decode("utf-8", "replace").strip()
        if not content:
            raise ConfigError("the token file is empty.", file=Path(path))
        self._token, self._read_at = content, self._clock.monotonic()


class Plugin:
    """A credential plugin, run when its last answer has expired or was refused."""

    def __init__(self, spec: ExecSpec, context: Context, *, clock: Clock) -> None:
        self._spec = spec
        self._context = context
        self._clock = clock
        self._lock = asyncio.Lock()
        self._rest = Fixed(context.credentials, clock=clock)
        self._identity: Identity | None = None
        self._expires: datetime.datetime | None = None
        self._failure: ConfigError | None = None
        self._ran_at = float("-inf")

    async def current(self) -> Identity:
        async with self._lock:
            just_ran = self._clock.monotonic() - self._ran_at < PAUSE
            if self._failure is not None and just_ran:
                raise self._failure
            expired = self._expires is not None and self._clock.now() >= self._expires - EARLY
            if self._identity is not None and (just_ran or not expired):
                return self._identity
            return await self._run()

    async def renew(self, refused: Identity) -> bool:
        async with self._lock:
            if self._identity == refused:
                await self._run()
            return self._identity != refused

    async def _run(self) -> Identity:
        self._identity = self._failure = None
        try:
            granted = await plugin.run(self._spec, self._context)
        except ConfigError as error:
            self._failure = error
            raise
        finally:
            self._ran_at = self._clock.monotonic()
        expires = granted.expiration_timestamp
        self._expires = expires.replace(tzinfo=datetime.UTC) if expires is not None and not expires.tzinfo else expires
        rest = await self._rest.current()
        self._identity = Identity(
            authorization=f"Bearer {granted.token}" if granted.token else "",
            certificate=granted.client_certificate_data.encode() or rest.certificate,
            key=granted.client_key_data.encode() or rest.key,
        )
        return self._identity


def _authorization(given: Credentials) -> str:
    if given.token:
        return f"Bearer {given.token}"
    if given.username:
        pair = base64.b64encode(f"{given.username}:{given.password}".encode()).decode()
        return f"Basic {pair}"
    return ""


async def _content(path: str) -> bytes:
    """The file's bytes; nothing for no path. `ConfigError` names the file that cannot be read."""
    if not path:
        return b""
    try:
        return await asyncio.to_thread(Path(path).read_bytes)
    except OSError as error:
        raise ConfigError(f"this file of the context cannot be read ({error.strerror}).", file=Path(path)) from error
