"""Which proxy stands between here and a server: the context's own, else the environment's, by Go's rules.

kubectl reads `NO_PROXY` as Go does, with networks (`10.0.0.0/8`), ports and domains with or without a dot; Python's own
reading knows only the domains. Whoever set it for kubectl means the same here. A proxy is never used for this machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from sealane.kube.errors import ConfigError
from sealane.lib.errors import NextStep

SPOKEN = frozenset({"http", "https"})
STEP = NextStep(
    title="Name an http or https proxy; one in front of a socks5 one is enough",
    command="kubectl config set-cluster CLUSTER --proxy-url=http://127.0.0.1:PORT",
)


def proxy_for(server: str, *, proxy_url: str = "", environ: Mapping[str, str] | None = None) -> str | None:
    """The proxy's address for `server`, or None. `proxy_url` is the context's own and wins. `ConfigError` for a proxy
    that is no HTTP proxy."""
    if proxy_url:
        return proxy_url
    environ = os.environ if environ is None else environ
    parts = urlsplit(server)
    host = parts.hostname or ""
    name = f"{parts.scheme}_proxy"
    found = environ.get(name) or environ.get(name.upper()) or ""
    skip = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not found or is_here(host) or bypassed(host, port_of(server), skip):
        return None
    url = found if "://" in found else f"http://{found}"
    if urlsplit(url).scheme not in SPOKEN:
        raise ConfigError(unspoken(name.upper(), url), step=STEP)
    return url


def unspoken(what: str, url: str) -> str:
    """The sentence about a proxy of another kind, without the password that may be in its address."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return f"{what} {where} is not supported: Sealane speaks to http and https proxies, not to {parts.scheme} ones."


def port_of(server: str) -> int:
    """The port of an address, also where it is not written."""
    parts = urlsplit(server)
    return parts.port or (80 if parts.scheme == "http" else 443)


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def bypassed(host: str, port: int, rules: str) -> bool:
    """Whether `rules` (the value of `NO_PROXY`) says to go to `host:port` directly.

    Rules are parted by commas: `*`; an address or a network; a domain, which stands for itself and what is below it
    (`.domain` and `*.domain`: only what is below it). Each may end in a port. Source: golang.org/x/net/http/httpproxy.
    """
    return any(_matches(host.lower().rstrip("."), port, rule.strip().lower()) for rule in rules.split(","))


def _matches(host: str, port: int, rule: str) -> bool:
    if rule == "*":
        return True
    address = _address(host)
    network = _network(rule)
    if network is not None:
        return address is not None and address in network
    name, wanted = _split(rule)
    if not name or (wanted and wanted != str(port)):
        return False
    exact = _address(name)
    if exact is not None or address is not None:
        return exact == address
    below = name.removeprefix("*")
    if below.startswith("."):
        return host.endswith(below)
    return host == below or host.endswith(f".{below}")


def _network(rule: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in rule:
        return None
    try:
        return ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _split(rule: str) -> tuple[str, str]:
    """`host` and port; IPv6 addresses carry a port only in brackets."""
    if rule.startswith("[") and "]" in rule:
        name, _, rest = rule[1:].partition("]")
        return name, rest.removeprefix(":")
    if rule.count(":") == 1:
        name, _, wanted = rule.partition(":")
        return name, wanted
    return rule, ""
