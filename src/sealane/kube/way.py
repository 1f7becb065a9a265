"""The way to one server as one person: a context's identity, TLS and proxy, as the arguments that aiohttp takes.

A value of this class belongs to one reading of a kubeconfig entry. When the entry is renewed, `Http.adopt` puts another
in its place between two requests; what is under way goes on as it began. Why a refusal lasts (a plugin that helps no
more, a certificate that has ended) is known here, and is told as a note for the error's sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from sealane import __version__
from sealane.kube import auth, certificates, egress, errors, tls
from sealane.kube.config import Context
from sealane.kube.identity import Identity, impersonation
from sealane.lib.clock import Clock

_UNFIT = re.compile(r"[\x00-\x1f\x7f]")


class Way:
    """Made from a context; opens nothing."""

    def __init__(self, context: Context, *, clock: Clock) -> None:
        self.context = context
        self._clock = clock
        self._provider = auth.provider(context, clock=clock)
        self._tls = tls.Keeper(context, clock=clock)
        self._acting = impersonation(context.credentials)

    async def identity(self) -> Identity:
        """What to send now. `ConfigError` and its kin."""
        return await self._provider.current()

    async def renew(self, refused: Identity) -> bool:
        """After a 401: True when another identity is worth a try."""
        return await self._provider.renew(refused)

    def accepted(self, identity: Identity) -> None:
        """The server knows who we are."""
        self._provider.accepted(identity)

    async def arguments(self, given: Mapping[str, str], identity: Identity) -> dict[str, Any]:
        """`headers`, `ssl`, `server_hostname` and `proxy` for one exchange. `ConfigError` for what cannot be used."""
        settings = await self._tls.settings(identity)
        return {
            "headers": self._headers(given, identity),
            "ssl": settings if settings is not None else True,
            "server_hostname": self.context.tls_server_name or None,
            "proxy": egress.proxy_for(self.context.server, proxy_url=self.context.proxy_url),
        }

    async def mended(self, error: errors.Unreachable, identity: Identity) -> bool:
        """After a connection that failed: True when the authority or our certificate was replaced meanwhile, so that it
        is worth another one."""
        tls_failed = isinstance(error, errors.TlsFailed)
        other = tls_failed and await self._tls.reread()
        # With TLS 1.3 a certificate that is refused may look like a connection that breaks off.
        replaceable = self.context.credentials.cert_file or self._own_end(identity)
        if identity.certificate and (tls_failed or replaceable):
            return await self._provider.renew(identity) or other
        return other

    async def note(self, error: errors.Unreachable, identity: Identity) -> str:
        """What can be said about a certificate when TLS failed; "" for other failures."""
        if not isinstance(error, errors.TlsFailed | errors.Disconnected):
            return ""
        own = self._own_end(identity)
        if own or "certificate has expired" not in error.sentence or self.context.proxy_url:
            return own
        ends = await tls.server_ends(self.context, self.context.tls_server_name)
        ended = certificates.ended(ends, now=self._clock.now()) if ends is not None else ""
        return f"the server's certificate {ended}" if ended else ""

    def refusal(self, identity: Identity) -> str:
        """Why a 401 lasts, as far as it is known here."""
        return self._own_end(identity) or self._provider.trouble

    def _own_end(self, identity: Identity) -> str:
        ends = certificates.expiry(identity.certificate) if identity.certificate else None
        ended = certificates.ended(ends, now=self._clock.now()) if ends is not None else ""
        if not ended:
            return ""
        file = self.context.credentials.cert_file
        return f"the client certificate{' ' + file if file else ''} {ended}"

    def _headers(self, given: Mapping[str, str], identity: Identity) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = CIMultiDict(given)
        headers.setdefault("Accept-Encoding", "identity")
        headers.setdefault("Accept", "application/json")
        headers["User-Agent"] = f"sealane/{__version__}"
        if identity.authorization:
            if _UNFIT.search(identity.authorization):  # the HTTP library would call it an attack
                raise errors.ConfigError(
                    f"{self.context.name}: the token or password has a line break or another control character in it."
                )
            headers["Authorization"] = identity.authorization
        for name, value in self._acting:
            headers.add(name, value)
        return headers
