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

from sealane.kube import certificates, oidc, plugin
from sealane.kube.config import Context
from sealane.kube.credentials import Credentials, ExecSpec
from sealane.kube.errors import ConfigError
from sealane.kube.identity import Identity
from sealane.kube.renewed import Grant, Renewed
from sealane.lib.clock import Clock

__all__ = ["Fixed", "Identity", "Provider", "TokenFile", "provider"]

FILE_AGE = 60.0
UNFIT_AGE = 5.0  # a certificate without its new key, or the other way round, is looked at again this soon


class Provider(Protocol):
    """A source of identities."""

    async def current(self) -> Identity:
        """What to send now. `ConfigError` and its kin when it cannot be had."""

    async def renew(self, refused: Identity) -> bool:
        """After a 401 for `refused`: True when a different identity is worth one more try."""

    def accepted(self, identity: Identity) -> None:
        """The server knows `identity`: what was refused before counts no more."""

    @property
    def trouble(self) -> str:
        """Half a sentence on why a refusal lasts, for the error about it; "" when there is nothing to say."""


def provider(context: Context, *, clock: Clock) -> Provider:
    """The provider for a context's credentials, by kubectl's order: token file, token, plugin, issuer, password."""
    credentials = context.credentials
    rest = Fixed(credentials, clock=clock)
    if credentials.token_file:
        return TokenFile(credentials, clock=clock)
    if credentials.token:
        return rest
    if credentials.exec is not None:
        return Renewed(PluginSource(credentials.exec, context, rest), clock=clock)
    if credentials.oidc is not None:
        return oidc.provider(credentials.oidc, clock=clock)
    return rest


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

    def accepted(self, identity: Identity) -> None:
        """Nothing is counted."""

    trouble = ""

    async def _read(self) -> Identity:
        """Certificate and key as they stand in the files now. Two files are never replaced in one moment: while they do
        not fit, the former pair is kept."""
        given, former = self._credentials, self._identity
        age = FILE_AGE if given.cert_file or given.key_file else float("inf")
        try:
            certificate = given.cert_data or await _content(given.cert_file)
            key = given.key_data or await _content(given.key_file)
        except ConfigError:
            if former is None:
                raise
            return self._keep(former, UNFIT_AGE)
        found = Identity(authorization=_authorization(given), certificate=certificate, key=key)
        if former is not None and found != former and not await asyncio.to_thread(certificates.fit, certificate, key):
            return self._keep(former, UNFIT_AGE)
        return self._keep(found, age)

    def _keep(self, identity: Identity, age: float) -> Identity:
        self._identity = identity
        self._good_until = self._clock.monotonic() + age
        return identity


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
        await self._rest.renew(refused)
        return await self.current() != refused

    def accepted(self, identity: Identity) -> None:
        """Nothing is counted."""

    @property
    def trouble(self) -> str:
        return f"{self._credentials.token_file} still holds the token that is refused"

    async def _read(self) -> None:
        """The file's token; what was read before, while the file is away or empty because it is being replaced."""
        path = self._credentials.token_file
        try:
            content = (await _content(path)).decode("utf-8", "replace").strip()
        except ConfigError:
            if not self._token:
                raise
            return
        if not content:
            if self._token:
                return
            raise ConfigError("the token file is empty.", file=Path(path))
        self._token, self._read_at = content, self._clock.monotonic()


class PluginSource:
    """A credential plugin as a source of grants; what it does not give is the kubeconfig's."""

    def __init__(self, spec: ExecSpec, context: Context, rest: Fixed) -> None:
        self._spec = spec
        self._context = context
        self._rest = rest

    @property
    def name(self) -> str:
        return f"the credential plugin {self._spec.command}"

    async def fetch(self) -> Grant:
        granted = await plugin.run(self._spec, self._context)
        rest = await self._rest.current()
        identity = Identity(
            authorization=f"Bearer {granted.token}" if granted.token else "",
            certificate=granted.client_certificate_data.encode() or rest.certificate,
            key=granted.client_key_data.encode() or rest.key,
        )
        ends = [_aware(granted.expiration_timestamp), certificates.expiry(granted.client_certificate_data.encode())]
        return Grant(identity=identity, until=min((end for end in ends if end is not None), default=None))


def _aware(moment: datetime.datetime | None) -> datetime.datetime | None:
    return moment.replace(tzinfo=datetime.UTC) if moment is not None and not moment.tzinfo else moment


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
