"""Credentials for a model registry: a bearer token fetched by a challenge, or basic authentication.

Follows the Docker registry token flow: a 401 names a realm, a service and a scope; the realm gives a token. Credentials
are only sent to a realm that is at least as protected as the registry itself, so that a registry cannot lure them out.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from sealane.models import redirects

_DIGEST: Final = re.compile(r"sha256[:-][0-9a-f]{64}\Z")
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_MOST: Final = 256 << 10


class Credentials(msgspec.Struct, frozen=True):
    """A name and a secret for one registry; never shown, never logged."""

    username: str
    password: str

    @property
    def basic(self) -> str:
        """The header value of basic authentication."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, password=…)"


def is_digest(digest: str) -> bool:
    """Whether the text is a SHA-256 digest, so that it may become part of a path."""
    return _DIGEST.match(digest) is not None


async def token(session: aiohttp.ClientSession, challenge: str, base: str, credentials: Credentials | None) -> str:
    """The token that a `WWW-Authenticate: Bearer …` challenge offers; "" when it offers none to us."""
    scheme, _, rest = challenge.partition(" ")
    asked = dict(_PARAMETER.findall(rest))
    realm = asked.pop("realm", "")
    if scheme.lower() != "bearer" or not realm.startswith(("https://", "http://")):
        return ""
    try:
        redirects.check(URL(base), URL(realm))
    except (redirects.RedirectRefused, ValueError):
        return ""
    query = {key: value for key, value in asked.items() if key in {"service", "scope"}}
    headers = {"Authorization": credentials.basic} if credentials else {}
    async with session.get(realm, params=query, headers=headers, allow_redirects=False) as answer:
        if answer.status != 200:
            return ""
        body = await answer.content.read(_MOST)
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    return str(found.get("token") or found.get("access_token") or "")
