"""Logs and proxied requests reach what stands behind a pod, and refusals say why."""

from __future__ import annotations

from typing import Any

import pytest

PODS = "/api/v1/namespaces/team/pods"
SERVICES = "/api/v1/namespaces/team/services"


@pytest.fixture
async def pod(api: Any) -> dict[str, Any]:
    """A ready pod on a node, with two containers, of which the first listens on a named port."""
    ports = [{"name": "http", "containerPort": 80}]
    containers = [{"name": "web", "image": "i", "ports": ports}, {"name": "side", "image": "i"}]
    spec = {"nodeName": "n1", "containers": containers}
    body = {"metadata": {"name": "p", "labels": {"app": "p"}}, "spec": spec}
    await api.call("POST", PODS, body)
    status = {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    made: dict[str, Any] = (await api.call("PUT", f"{PODS}/p/status", body | {"status": status})).json
    return made


async def test_the_log_of_a_container_is_plain_text(api: Any, pod: dict[str, Any]) -> None:
    answer = await api.call("GET", f"{PODS}/p/log?container=side&tailLines=7")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain")
    assert answer.body == b"one\nside 7\n"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "a container name must be specified for pod p, choose one of: [web side]"),
        ("container=other", "container other is not valid for pod p"),
        ("container=web&previous=true", "previous terminated container not found"),
        ("container=web&tailLines=x", "invalid syntax"),
    ],
)
async def test_a_log_that_cannot_be_read_is_a_bad_request(api: Any, pod: dict[str, Any], query: str, said: str) -> None:
    answer = await api.call("GET", f"{PODS}/p/log?{query}")
    assert answer.status == 400
    assert said in answer.json["message"]


async def test_a_pod_without_a_node_has_an_empty_log(api: Any) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    await api.call("POST", PODS, {"metadata": {"name": "waiting"}, "spec": spec})
    answer = await api.call("GET", f"{PODS}/waiting/log")
    assert (answer.status, answer.body) == (204, b"")
    assert (await api.call("GET", f"{PODS}/nobody/log")).status == 404


@pytest.mark.parametrize("name", ["p", "p:80", "p:http", "http:p:80"])
async def test_a_request_is_proxied_to_a_port_with_its_path_and_body(api: Any, pod: dict[str, Any], name: str) -> None:
    answer = await api.call("POST", f"{PODS}/{name}/proxy/v1/chat", b"hello")
    assert (answer.status, answer.headers["x-pod"]) == (200, "yes")
    assert answer.body == b"POST /v1/chat p hello"


async def test_the_proxied_path_keeps_its_last_slash(api: Any, pod: dict[str, Any]) -> None:
    assert (await api.call("GET", f"{PODS}/p:80/proxy/a/")).body == b"GET /a/ p "
    assert (await api.call("GET", f"{PODS}/p:80/proxy")).body == b"GET / p "


async def test_where_nobody_listens_the_service_is_unavailable(api: Any, pod: dict[str, Any]) -> None:
    answer = await api.call("GET", f"{PODS}/p:81/proxy/")
    assert answer.status == 503
    assert answer.json["message"] == (
        "error trying to reach service: dial tcp 10.0.0.1:81: connect: connection refused"
    )
    assert (await api.call("GET", f"{PODS}/nobody:80/proxy/")).status == 404


async def test_a_service_is_proxied_to_a_ready_pod(api: Any, pod: dict[str, Any]) -> None:
    spec = {"selector": {"app": "p"}, "ports": [{"name": "web", "port": 8080, "targetPort": "http"}]}
    await api.call("POST", SERVICES, {"metadata": {"name": "s"}, "spec": spec})
    for name in ("s", "s:8080", "s:web"):
        assert (await api.call("GET", f"{SERVICES}/{name}/proxy/x")).body == b"GET /x p "
    empty = {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}
    await api.call("POST", SERVICES, {"metadata": {"name": "empty"}, "spec": empty})
    answer = await api.call("GET", f"{SERVICES}/empty/proxy/")
    assert (answer.status, answer.json["message"]) == (503, 'no endpoints available for service "empty"')


async def test_the_right_to_proxy_is_its_own(api: Any, pod: dict[str, Any]) -> None:
    answer = await api.call("GET", f"{PODS}/p:80/proxy/", user="dana")
    assert 'cannot get resource "pods/proxy"' in answer.json["message"]


async def test_a_log_ends_at_its_limit_of_bytes(api: Any, pod: dict[str, Any]) -> None:
    assert (await api.call("GET", f"{PODS}/p/log?container=web&limitBytes=5")).body == b"one\nw"
    assert (await api.call("GET", f"{PODS}/p/log?container=web&limitBytes=4")).body == b"one\n"


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("limitBytes=0", 422, 'PodLogOptions "p" is invalid: limitBytes: Invalid value: 0: must be greater than 0'),
        ("sinceSeconds=0", 422, 'PodLogOptions "p" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'),
        ("sinceSeconds=5&sinceTime=2020-01-01T00:00:00Z", 422, "at most one of `sinceTime` or `sinceSeconds`"),
        ("sinceTime=yesterday", 400, 'parsing time "yesterday"'),
    ],
)
async def test_a_log_asked_for_with_nonsense_is_refused(
    api: Any, pod: dict[str, Any], query: str, status: int, said: str
) -> None:
    answer = await api.call("GET", f"{PODS}/p/log?container=web&{query}")
    assert answer.status == status
    assert said in answer.json["message"]
