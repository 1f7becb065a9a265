"""TLS towards API servers: which authority to trust, which name to expect, which certificate to show.

Settings are built once per authority and client certificate and kept, because new ones for each request would cost a
handshake each time. Both may be replaced on disk while we run: other bytes mean other settings, and with them new
connections, since a connection keeps what it was made with. An authority that is half written is not taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from sealane.kube import certificates, egress
from sealane.kube.config import Context
from sealane.kube.errors import ConfigError
from sealane.kube.identity import Identity
from sealane.lib.clock import Clock

FILE_AGE = 60.0
LOOK_LIMIT = 3.0


class Keeper:
    """The TLS settings of one context, made when first needed and again when files were replaced."""

    def __init__(self, context: Context, *, clock: Clock) -> None:
        self._context = context
        self._clock = clock
        self._lock = asyncio.Lock()
        self._authority: bytes | None = None
        self._read_at = float("-inf")
        self._made_for: tuple[bytes, bytes, bytes] | None = None
        self._made: ssl.SSLContext | None = None

    async def settings(self, identity: Identity) -> ssl.SSLContext | None:
        """What to connect with now; None for a server without TLS. `ConfigError` names what cannot be used."""
        if self._context.server.startswith("http://"):
            return None
        async with self._lock:  # a dozen watches start at once; one context means one pool of connections
            if self._clock.monotonic() - self._read_at >= FILE_AGE:
                await self._read()
            wanted = (identity.certificate, identity.key, self._authority or b"")
            if self._made is None or self._made_for != wanted:
                self._made = await asyncio.to_thread(build, self._context, identity, authority=wanted[2])
                self._made_for = wanted
            return self._made

    async def reread(self) -> bool:
        """After TLS failed: True when the authority's file holds another one by now."""
        async with self._lock:
            before = self._authority
            await self._read()
            return self._authority != before

    async def _read(self) -> None:
        if self._context.ca_data or not self._context.ca_file:
            found = self._context.ca_data
        else:
            found = await self._from_file()
        self._authority, self._read_at = found, self._clock.monotonic()

    async def _from_file(self) -> bytes:
        """The file's bytes; what was read before, while the file is away or half written."""
        file = Path(self._context.ca_file)
        try:
            found = await asyncio.to_thread(file.read_bytes)
        except OSError as error:
            if self._authority:
                return self._authority
            why = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise ConfigError(f"{self._context.name}: the certificate authority {why}.", file=file) from error
        if found == self._authority or _usable(found):
            return found
        if self._authority:
            return self._authority
        raise ConfigError(f"{self._context.name}: the certificate authority holds no usable certificate.", file=file)


def build(context: Context, identity: Identity, *, authority: bytes = b"") -> ssl.SSLContext:
    """The TLS settings for a context, a client certificate and an authority (PEM; "" means the system's own store).
    Blocks on files: call it in a thread.

    `ConfigError` names the authority, certificate or key that cannot be used.
    """
    settings = _trust(context, authority)
    # Cluster authorities made by kubeadm and k3s lack the key identifiers that Python 3.13 demands.
    settings.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if context.insecure:
        settings.check_hostname = False
        settings.verify_mode = ssl.CERT_NONE
    if identity.certificate:
        _show(settings, context, identity)
    return settings


async def server_ends(context: Context, server_name: str = "") -> datetime.datetime | None:
    """When the server's certificate ends, asked by a handshake that trusts nobody, sends nothing and shows nothing: to
    say the date of one that was just refused. None when it cannot be had within `LOOK_LIMIT`."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    host = urlsplit(context.server).hostname or ""
    with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
        async with asyncio.timeout(LOOK_LIMIT):
            _reader, writer = await asyncio.open_connection(
                host, egress.port_of(context.server), ssl=settings, server_hostname=server_name or host
            )
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return certificates.expiry_der(shown) if shown else None
    return None


def _trust(context: Context, authority: bytes) -> ssl.SSLContext:
    try:
        if authority:
            return ssl.create_default_context(cadata=authority.decode("ascii", "ignore"))
        return ssl.create_default_context()
    except (ssl.SSLError, ValueError) as error:
        what = context.ca_file or "certificate-authority-data"
        raise ConfigError(f"{context.name}: {what} holds no usable certificate.") from error


def _usable(authority: bytes) -> bool:
    """Whether there is a certificate in it; nothing at all would mean the system's store."""
    if not authority.strip():
        return False
    with contextlib.suppress(ssl.SSLError, ValueError):
        ssl.create_default_context(cadata=authority.decode("ascii", "ignore"))
        return True
    return False


def _show(settings: ssl.SSLContext, context: Context, identity: Identity) -> None:
    try:
        certificates.load(settings, identity.certificate, identity.key)
    except (ssl.SSLError, ValueError) as error:
        what = context.credentials.cert_file or "the client certificate"
        raise ConfigError(
            f"{context.name}: {what} and its key do not fit, are not PEM, or the key has a password."
        ) from error
