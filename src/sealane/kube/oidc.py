"""`auth-provider: oidc`: a new id-token from the issuer when the old one ends, by the refresh token of the kubeconfig.

What is renewed stays in memory; the kubeconfig is never written. An issuer may give each refresh token for one use, and
one that is used twice ends the whole sign-in, so all contexts of one user entry share one `Renewed` with its latest
token. An id-token that has ended is never sent. Protocol: RFC 6749 section 6, OpenID Connect Core 1.0 section 12 and
Discovery 1.0 section 4.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import shlex
import ssl
from pathlib import Path
from urllib.parse import quote_plus
from weakref import WeakValueDictionary

import aiohttp
import msgspec

from sealane.kube import credentials, egress, failures
from sealane.kube.credentials import OidcSpec
from sealane.kube.errors import UNREADABLE, ConfigError, IssuerFailed, SignInEnded, Target, Unreachable
from sealane.kube.identity import Identity
from sealane.kube.renewed import Grant, Renewed
from sealane.lib.clock import Clock
from sealane.lib.errors import NextStep

LIMIT = 15.0
MOST = 1024 * 1024  # bytes of an answer

_shared: WeakValueDictionary[OidcSpec, Renewed] = WeakValueDictionary()


class Discovered(msgspec.Struct, frozen=True):
    """The part of an issuer's description that is needed."""

    issuer: str
    token_endpoint: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Answer(msgspec.Struct, frozen=True):
    """A token endpoint's answer, good or bad."""

    id_token: str = ""
    refresh_token: str = ""
    error: str = ""
    error_description: str = ""

    def __repr__(self) -> str:
        return f"Answer(error={self.error!r})"


def provider(spec: OidcSpec, *, clock: Clock) -> Renewed:
    """The one provider for this user entry, as long as anybody uses it."""
    found = _shared.get(spec)
    if found is None:
        issuer = Issuer(spec)
        found = _shared[spec] = Renewed(issuer, clock=clock, first=issuer.given())
    return found


class Issuer:
    """A source of grants: asks the issuer, and remembers the refresh token that it gave last."""

    def __init__(self, spec: OidcSpec) -> None:
        self._spec = spec
        self._refresh_token = spec.refresh_token
        self._subject = credentials.claims(spec.id_token).get("sub")
        self.name = f"the issuer {spec.issuer}"

    def given(self) -> Grant | None:
        """What the kubeconfig holds; None when it holds no id-token."""
        return _grant(self._spec.id_token) if self._spec.id_token else None

    async def fetch(self) -> Grant:
        """A new id-token. `SignInEnded` when there is no way to one without the person, `IssuerFailed` when the issuer
        could not be asked, `ConfigError` for an unusable authority."""
        if not self._refresh_token or not self._spec.issuer:
            what = "refresh-token" if self._spec.issuer else "idp-issuer-url"
            raise self._ended(f"the kubeconfig has no {what} to renew it with")
        try:
            async with aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=LIMIT), cookie_jar=aiohttp.DummyCookieJar()
            ) as session:
                return await self._renewed(session, self._trust())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            target = Target(context="", server=self._spec.issuer)
            why = failures.network_error(error, target=target, limit=LIMIT)
            raise self._failed(_words(why)) from error

    async def _renewed(self, session: aiohttp.ClientSession, trust: ssl.SSLContext | bool) -> Grant:
        described = await self._discover(session, trust)
        status, body = await self._send(session, trust, described)
        try:
            answer = msgspec.json.decode(body, type=Answer)
        except UNREADABLE as error:
            raise self._failed(f"its token endpoint answers {status} with something that is no JSON") from error
        if answer.error or status != 200:
            raise self._refused(status, answer)
        if not answer.id_token:
            raise self._failed("it gave no id-token; ask it for the scope openid when you sign in")
        subject = credentials.claims(answer.id_token).get("sub")
        if self._subject is not None and subject != self._subject:
            raise self._failed("it gave an id-token for somebody else")
        self._refresh_token = answer.refresh_token or self._refresh_token
        self._subject = subject
        return _grant(answer.id_token)

    async def _discover(self, session: aiohttp.ClientSession, trust: ssl.SSLContext | bool) -> Discovered:
        url = f"{self._spec.issuer.rstrip('/')}/.well-known/openid-configuration"
        async with session.get(url, ssl=trust, proxy=egress.proxy_for(url), allow_redirects=False) as response:
            body = await self._body(response)
            if response.status != 200:
                raise self._failed(f"it answers {response.status} to {url}")
        try:
            found = msgspec.json.decode(body, type=Discovered)
        except UNREADABLE as error:
            raise self._failed(f"what stands at {url} is no description of an issuer") from error
        if found.issuer.rstrip("/") != self._spec.issuer.rstrip("/"):
            raise self._failed(f"it calls itself {found.issuer[:200]}")
        plain = self._spec.issuer.startswith("http://")  # which only one of this computer may be
        if not credentials.is_private(found.token_endpoint) or (
            found.token_endpoint.startswith("http://") and not plain
        ):
            raise self._failed("its token endpoint is not encrypted")
        return found

    async def _send(
        self, session: aiohttp.ClientSession, trust: ssl.SSLContext | bool, described: Discovered
    ) -> tuple[int, bytes]:
        spec, url = self._spec, described.token_endpoint
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        headers = {"Accept": "application/json"}
        if spec.client_secret and "client_secret_basic" in described.token_endpoint_auth_methods_supported:
            pair = f"{quote_plus(spec.client_id)}:{quote_plus(spec.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = spec.client_id
            if spec.client_secret:
                form["client_secret"] = spec.client_secret
        async with session.post(
            url, data=form, headers=headers, ssl=trust, proxy=egress.proxy_for(url), allow_redirects=False
        ) as response:
            return response.status, await self._body(response)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = b""
        while part := await response.content.readany():
            body += part
            if len(body) > MOST:
                raise self._failed(f"its answer is larger than {MOST:,} bytes")
        return body

    def _trust(self) -> ssl.SSLContext | bool:
        spec = self._spec
        if not (spec.ca_data or spec.ca_file):
            return True
        try:
            if spec.ca_data:
                return ssl.create_default_context(cadata=spec.ca_data.decode("ascii", "ignore"))
            return ssl.create_default_context(cafile=spec.ca_file)
        except FileNotFoundError as error:
            raise ConfigError("the issuer's certificate authority does not exist.", file=Path(spec.ca_file)) from error
        except (ssl.SSLError, ValueError, OSError) as error:
            what = spec.ca_file or "idp-certificate-authority-data"
            raise ConfigError(f"{what} of user {spec.user} holds no usable certificate.") from error

    def _refused(self, status: int, answer: Answer) -> ConfigError:
        said = " ".join(f"{answer.error or status}: {answer.error_description}".split())[:200].rstrip(": ")
        if answer.error == "invalid_grant":
            return self._ended(f"{self._spec.issuer} refuses the refresh token ({said})")
        return self._failed(f"it refuses the client {self._spec.client_id} ({said})")

    def _ended(self, why: str) -> SignInEnded:
        arguments = f"{shlex.quote(self._spec.user)} --auth-provider=oidc --auth-provider-arg=refresh-token=TOKEN"
        step = NextStep(
            title="Sign in again as you did the first time, or set a new refresh token; it is picked up at once",
            command=f"kubectl config set-credentials {arguments}",
        )
        return SignInEnded(
            f"the sign-in of user {self._spec.user} is over: {why}.",
            file=self._spec.file,
            line=self._spec.line,
            step=step,
        )

    def _failed(self, why: str) -> IssuerFailed:
        url = f"{self._spec.issuer.rstrip('/')}/.well-known/openid-configuration"
        step = NextStep(title="Ask the issuer by hand", command=f"curl -sS {shlex.quote(url)}")
        return IssuerFailed(
            f"the sign-in of user {self._spec.user} cannot be renewed at {self._spec.issuer}: {why}.",
            file=self._spec.file,
            line=self._spec.line,
            step=step,
        )


def _grant(id_token: str) -> Grant:
    ends = credentials.claims(id_token).get("exp")
    until = None
    if isinstance(ends, int | float):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            until = datetime.datetime.fromtimestamp(ends, datetime.UTC)
    return Grant(identity=Identity(authorization=f"Bearer {id_token}"), until=until)


def _words(error: Unreachable) -> str:
    return error.sentence.removeprefix(": ").rstrip(".")
