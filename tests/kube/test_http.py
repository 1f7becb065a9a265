"""What every exchange has: limits, waiting when told to, causes told apart, proxies; nothing before the first call."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from pathlib import Path

import aiohttp
import pytest
from kube_certificates import Authority
from kube_server import Answer, ApiServer, Stream, status

from sealane.kube import errors, tls
from sealane.kube.client import Client
from sealane.kube.config import Context
from sealane.kube.errors import ConfigError
from sealane.kube.http import Call, Http, Limits
from sealane.kube.identity import Identity
from sealane.kube.resources import PODS
from sealane.lib.clock import SYSTEM, ManualClock

VERSION = Answer({"gitVersion": "v1.34.2"})
PATIENT = aiohttp.ClientTimeout(total=5)


def busy(seconds: str = "") -> Answer:
    return status(429, "TooManyRequests", "too many requests", headers={"Retry-After": seconds} if seconds else {})


async def test_answers_are_asked_for_uncompressed_and_signed(server: ApiServer, client: Client) -> None:
    server.on("GET", "/version", VERSION)
    await client.version()
    headers = server.requests[0].headers
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("sealane/")


async def test_a_proxy_that_compresses_all_the_same_is_understood(server: ApiServer, client: Client) -> None:
    body = gzip.compress(b'{"gitVersion":"v1"}')
    server.on("GET", "/version", Answer(body, headers={"Content-Encoding": "gzip"}))
    assert await client.version() == "v1"


async def test_a_busy_server_is_asked_again_after_the_time_it_names(
    server: ApiServer, client: Client, clock: ManualClock
) -> None:
    server.on("GET", "/version", busy("3"), busy(), VERSION)
    assert await client.version() == "v1.34.2"
    assert clock.monotonic() == 1000 + 3 + 1


async def test_waiting_has_a_limit(server: ApiServer, client: Client, clock: ManualClock) -> None:
    server.on("GET", "/version", busy("12"))
    with pytest.raises(errors.TooManyRequests) as caught:
        await client.version()
    assert caught.value.retry_after == 12
    assert clock.monotonic() == 1000 + 24
    assert len(server.requests) == 3


async def test_an_unavailable_server_that_names_a_time_is_asked_again(server: ApiServer, client: Client) -> None:
    again = status(503, "ServiceUnavailable", "starting", headers={"Retry-After": "1"})
    server.on("GET", "/version", again, VERSION)
    assert await client.version() == "v1.34.2"


async def test_an_eviction_that_a_budget_forbids_is_told_at_once(server: ApiServer, client: Client) -> None:
    path = PODS.path("a", namespace="n", subresource="eviction")
    server.on("POST", path, status(429, "TooManyRequests", "would violate the disruption budget"))
    with pytest.raises(errors.TooManyRequests):
        await client.http.request("POST", path, body=b"{}")
    assert len(server.requests) == 1


async def test_a_closed_port_is_refused() -> None:
    async with ApiServer() as server:
        context = server.context()
    async with Client(context) as client:
        with pytest.raises(errors.Refused, match="does not accept the connection \\(connection refused\\)") as caught:
            await client.version()
    assert caught.value.evidence[0].value == context.server


async def test_an_unknown_name_is_a_matter_of_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[object]:
        raise OSError("unknown")

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
    async with Client(Context(name="c", server="https://nowhere.invalid:6443")) as client:
        with pytest.raises(errors.NameNotFound, match=r"nowhere\.invalid:6443 is not known to DNS"):
            await client.version()


async def test_a_server_that_never_answers_runs_into_the_limit(server: ApiServer) -> None:
    server.on("GET", "/version", Stream())
    async with Client(server.context(), limits=Limits(request=0.02)) as client:
        with pytest.raises(errors.TimedOut, match=r"did not answer within 0\.0 s"):
            await client.version()


async def test_an_answer_that_trickles_runs_into_the_limit_for_all_of_it(server: ApiServer) -> None:
    trickle = Stream(b"{")
    server.on("GET", "/version", trickle)
    async with Client(server.context(), limits=Limits(total=0.02)) as client:
        with pytest.raises(errors.TimedOut):
            await client.version()


async def test_a_connection_that_breaks_mid_answer_is_disconnected(server: ApiServer, client: Client) -> None:
    server.on("GET", "/version", Stream(b'{"gitVer', then="cut"))
    with pytest.raises(errors.Disconnected, match="before the answer was complete"):
        await client.version()


async def test_an_answer_larger_than_allowed_is_not_read(server: ApiServer) -> None:
    server.on("GET", "/version", Answer(b"x" * 5000))
    async with Client(server.context(), limits=Limits(answer=1000)) as client:
        with pytest.raises(errors.TooLarge, match="GET /version is larger than 1,000 bytes"):
            await client.version()


async def test_a_redirect_is_not_followed_with_our_credentials(server: ApiServer, client: Client) -> None:
    server.on("GET", "/version", Answer(status=302, headers={"Location": "/elsewhere"}))
    with pytest.raises(errors.ApiError, match="answered 302"):
        await client.version()
    assert [seen.path for seen in server.requests] == ["/version"]


async def test_a_problem_of_the_context_is_raised_at_the_first_call() -> None:
    context = Context(name="c", server="", problem=ConfigError("names no cluster."))
    async with Client(context) as client:
        with pytest.raises(ConfigError, match="names no cluster"):
            await client.version()


async def test_a_closed_client_says_so(server: ApiServer) -> None:
    client = Client(server.context())
    await client.close()
    with pytest.raises(errors.Disconnected, match="this client is closed"):
        await client.version()


def test_making_a_client_opens_nothing() -> None:
    client = Client(Context(name="c", server="https://nowhere.invalid"))
    assert client.http._session is None


async def test_cancelling_a_call_hangs_up(server: ApiServer, client: Client) -> None:
    stream = Stream()
    server.on("GET", "/version", stream)
    task = asyncio.create_task(client.version(), name="call")
    async with asyncio.timeout(5):
        await stream.opened.wait()
        task.cancel()
        await stream.left.wait()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_answer_read_to_its_end_leaves_the_connection_for_the_next(server: ApiServer, client: Client) -> None:
    ports = set()

    async def remember(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return await VERSION(request)

    server.on("GET", "/version", remember)
    for _ in range(3):
        await client.version()
    assert len(ports) == 1


async def test_a_passed_through_failure_is_an_answer(server: ApiServer, client: Client) -> None:
    server.on("GET", "/x", Answer(b"no", status=500))
    call = Call(method="GET", path="/x", timeout=PATIENT, passthrough=True)
    async with client.http.open(call) as response:
        assert response.status == 500


async def test_a_query_is_quoted_once(server: ApiServer, client: Client) -> None:
    server.on("GET", "/x%2Fy", VERSION)
    await client.http.request("GET", "/x%2Fy", query=[("labelSelector", "a in (b,c),d!=e")])
    assert server.requests[0].query["labelSelector"] == "a in (b,c),d!=e"


async def test_the_contexts_proxy_is_asked_for_the_server(server: ApiServer) -> None:
    context = Context(name="c", server="http://far.invalid:80", proxy_url=server.url)
    server.on("GET", "http://far.invalid:80/version", VERSION)
    server.on("GET", "http://far.invalid/version", VERSION)
    async with Client(context) as client:
        assert await client.version() == "v1.34.2"


async def test_a_proxy_that_is_down_is_told_apart_from_the_server() -> None:
    async with ApiServer() as server:
        proxy = server.url
    async with Client(Context(name="c", server="http://far.invalid", proxy_url=proxy)) as client:
        with pytest.raises(errors.Refused, match=r"the proxy for http://far\.invalid cannot be reached"):
            await client.version()


async def test_limits_are_those_given() -> None:
    opened = Http(Context(name="c", server="https://c"), clock=SYSTEM, limits=Limits(request=3))
    assert opened.limits.request == 3
    await opened.close()


async def test_calls_that_start_together_share_one_trust_and_so_one_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    built: list[ssl.SSLContext] = []
    build = tls.build

    def counted(context: Context, identity: Identity, *, authority: bytes) -> ssl.SSLContext:
        built.append(build(context, identity, authority=authority))
        return built[-1]

    monkeypatch.setattr("sealane.kube.tls.build", counted)
    async with ApiServer(tls=authority.server(tmp_path, hosts=("127.0.0.1",))) as server:
        server.on("GET", "/version", VERSION)
        async with Client(server.context(ca_data=authority.pem)) as client:
            assert await asyncio.gather(*(client.version() for _ in range(5))) == ["v1.34.2"] * 5
    assert len(built) == 1


@pytest.mark.parametrize("seconds", ["²", "-1", "soon", "1.5"])
async def test_a_time_to_wait_that_is_no_number_is_none(server: ApiServer, client: Client, seconds: str) -> None:
    headers = {"Retry-After": seconds}
    server.on("GET", "/api/v1/pods/x", status(503, "ServiceUnavailable", "starting", headers=headers))
    with pytest.raises(errors.ServerError) as caught:
        await client.http.request("GET", "/api/v1/pods/x")
    assert caught.value.retry_after == 0
