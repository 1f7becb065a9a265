"""Which proxy is on the way, by Go's reading of NO_PROXY, and that the way through it works."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from connect_proxy import ConnectProxy
from hypothesis import given
from hypothesis import strategies as st
from kube_certificates import Authority
from kube_server import Answer, ApiServer

from sealane.kube import egress, errors
from sealane.kube.client import Client
from sealane.kube.config import Context
from sealane.kube.errors import ConfigError

VERSION = Answer({"gitVersion": "v1.34.2"})


@pytest.mark.parametrize(
    ("server", "environ", "expected"),
    [
        ("https://far:6443", {"https_proxy": "http://p:3128"}, "http://p:3128"),
        ("https://far:6443", {"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ("https://far:6443", {"http_proxy": "http://p:3128"}, None),
        ("https://far:6443", {"https_proxy": "http://p:3128", "no_proxy": "far"}, None),
        ("https://127.0.0.1:6443", {"https_proxy": "http://p:3128"}, None),
        ("https://localhost:6443", {"https_proxy": "http://p:3128"}, None),
        ("https://[::1]:6443", {"https_proxy": "http://p:3128"}, None),
        ("https://10.1.2.3:6443", {"https_proxy": "http://p:3128", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://far:6443", {}, None),
    ],
)
def test_the_environments_proxy_is_for_far_servers(server: str, environ: dict[str, str], expected: str | None) -> None:
    assert egress.proxy_for(server, environ=environ) == expected


def test_the_contexts_own_proxy_wins_over_the_environment() -> None:
    environ = {"https_proxy": "http://other:3128", "no_proxy": "*"}
    assert egress.proxy_for("https://far", proxy_url="http://p:1", environ=environ) == "http://p:1"


@pytest.mark.parametrize(
    ("host", "port", "rules", "expected"),
    [
        ("api.corp.example", 443, "corp.example", True),
        ("corp.example", 443, "corp.example", True),
        ("corp.example", 443, ".corp.example", False),
        ("api.corp.example", 443, ".corp.example", True),
        ("api.corp.example", 443, "*.corp.example", True),
        ("notcorp.example", 443, "corp.example", False),
        ("API.Corp.Example.", 443, " corp.EXAMPLE ", True),
        ("far", 6443, "far:6443", True),
        ("far", 443, "far:6443", False),
        ("10.1.2.3", 443, "10.0.0.0/8", True),
        ("11.1.2.3", 443, "10.0.0.0/8", False),
        ("10.1.2.3", 443, "10.1.2.3", True),
        ("10.1.2.30", 443, "10.1.2.3", False),
        ("10.1.2.3", 443, "2.3", False),
        ("fd00::1", 443, "fd00::/8", True),
        ("fd00::1", 6443, "[fd00::1]:6443", True),
        ("far", 443, "", False),
        ("far", 443, ",,", False),
        ("far", 443, "x,*", True),
        ("far", 443, "not-a-network/99", False),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(host: str, port: int, rules: str, expected: bool) -> None:
    assert egress.bypassed(host, port, rules) is expected


@given(address=st.ip_addresses(), bits=st.integers(0, 32))
def test_an_address_is_in_every_network_that_holds_it(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int
) -> None:
    network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    assert egress.bypassed(str(address), 443, f"example.com,{network}")


@given(rules=st.text(max_size=60), host=st.text(min_size=1, max_size=30))
def test_no_rule_can_break_it(rules: str, host: str) -> None:
    assert egress.bypassed(host, 443, rules) in {True, False}


def test_a_socks_proxy_of_the_environment_is_refused_with_a_sentence_and_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"HTTPS_PROXY socks5h://p:1080 is not supported") as caught:
        egress.proxy_for("https://far", environ={"https_proxy": "socks5h://dana:hush@p:1080"})
    assert "hush" not in str(caught.value.to_json())


async def test_a_socks_proxy_of_the_environment_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://p:1080")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with Client(Context(name="c", server="https://far.invalid")) as client:
        with pytest.raises(ConfigError, match="not to socks5 ones"):
            await client.version()


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_server_with_tls_is_reached_through_a_proxy(tmp_path: Path, encrypted: bool) -> None:
    authority = Authority()
    own = authority.server(tmp_path, hosts=("127.0.0.1",)) if encrypted else None
    tls = authority.server(tmp_path, hosts=("harbor.invalid",))
    async with ConnectProxy(tls=own) as proxy, ApiServer(tls=tls) as server:
        server.on("GET", "/version", VERSION)
        address = f"https://harbor.invalid:{server.port}"
        context = server.context(server=address, ca_data=authority.pem, proxy_url=proxy.url)
        async with Client(context) as client:
            assert await client.version() == "v1.34.2"
    assert proxy.asked[0].startswith(f"CONNECT harbor.invalid:{server.port} ")


async def test_a_proxy_gets_its_own_login_and_never_ours(tmp_path: Path) -> None:
    authority = Authority()
    async with ConnectProxy() as proxy, ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        server.on("GET", "/version", VERSION)
        address = proxy.url.replace("http://", "http://dana:hush@")
        async with Client(server.context(ca_data=authority.pem, proxy_url=address)) as client:
            await client.version()
    assert "Proxy-Authorization: Basic ZGFuYTpodXNo" in proxy.asked[0]
    assert "\nAuthorization" not in proxy.asked[0]


async def test_a_proxy_that_refuses_is_said() -> None:
    async with ConnectProxy(status="407 Proxy Authentication Required") as proxy:
        context = Context(name="c", server="https://far.invalid", proxy_url=proxy.url)
        async with Client(context) as client:
            with pytest.raises(errors.Refused, match=r"the proxy refuses to connect to https://far\.invalid"):
                await client.version()
