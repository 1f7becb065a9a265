"""Follow a registry's redirects, but not everywhere.

Registries send readers to a store for the bytes of a layer, so redirects must be followed; but a registry is anybody's
server, and this computer reaches places that it does not: itself, the network around it, a cloud's metadata address.
So a redirect may not leave TLS, and may not lead from a public registry to an address of that kind. What a registry of
one's own network says is believed. Credentials go no further than the origin that they were meant for.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import AsyncIterator, Mapping

import aiohttp
from yarl import URL

MOST = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class RedirectRefused(aiohttp.ClientError):
    """The redirect leads where it may not. The text is a clause for a sentence."""


@contextlib.asynccontextmanager
async def get(
    session: aiohttp.ClientSession, address: str, *, headers: Mapping[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    """A GET's answer after at most five redirects. Raises RedirectRefused and aiohttp's own errors."""
    url, given = URL(address), dict(headers)
    for _ in range(MOST + 1):
        async with session.get(url, headers=given, allow_redirects=False) as answer:
            target = answer.headers.get("Location", "") if answer.status in _REDIRECTS else ""
            if not target:
                yield answer
                return
        onward = _joined(url, target)
        check(url, onward)
        if onward.origin() != url.origin():
            given.pop("Authorization", None)
        url = onward
    raise RedirectRefused(f"it redirects more than {MOST} times")


def check(here: URL, onward: URL) -> None:
    """Raises RedirectRefused when what `here` says may not lead to `onward`."""
    if onward.scheme not in {"http", "https"} or not onward.host:
        raise RedirectRefused(f"it redirects to an address of another kind ({onward.scheme})")
    if here.scheme == "https" and onward.scheme == "http":
        raise RedirectRefused("it redirects from TLS to plain HTTP")
    if inner(onward.host) and not inner(here.host or ""):
        raise RedirectRefused(f"it redirects to {onward.host}, which is not on the public network")


def inner(host: str) -> bool:
    """Whether a host is this computer or, by its address, on no public network. Names are not looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host  # a bare name is one of the own network


def _joined(url: URL, target: str) -> URL:
    try:
        return url.join(URL(target))
    except ValueError:
        raise RedirectRefused("it redirects to something that is no address") from None
