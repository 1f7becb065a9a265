"""Both forms of discovery give the same list."""

from __future__ import annotations

from typing import Any

import pytest
from kube_server import Answer, ApiServer, status

from sealane.kube import errors
from sealane.kube.client import Client
from sealane.kube.resources import DEPLOYMENTS, PODS, QUEUES, Resource


def group(name: str, *versions: tuple[str, list[tuple[str, str, str]]]) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "versions": [
            {
                "version": version,
                "resources": [
                    {"resource": plural, "scope": scope, "responseKind": {"kind": kind}, "subresources": []}
                    for plural, kind, scope in resources
                ],
            }
            for version, resources in versions
        ],
    }


def aggregated(*groups: dict[str, Any]) -> Answer:
    return Answer({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": list(groups)})


async def test_aggregated_discovery_takes_two_requests(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api", aggregated(group("", ("v1", [("pods", "Pod", "Namespaced")]))))
    queues = ("v2", [("queues", "Queue", "Cluster")]), ("v1", [("queues", "Queue", "Cluster")])
    apps = group("apps", ("v1", [("deployments", "Deployment", "Namespaced")]))
    server.on("GET", "/apis", aggregated(apps, group("scheduling.run.ai", *queues)))
    assert await client.discover() == [
        PODS,
        DEPLOYMENTS,
        QUEUES,
        Resource("scheduling.run.ai", "v1", "queues", "Queue", namespaced=False),
    ]
    assert len(server.requests) == 2
    assert "apidiscovery.k8s.io;v=v2;" in server.requests[0].headers["Accept"]


async def test_an_older_server_is_walked_with_the_preferred_version_first(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api", Answer({"kind": "APIVersions", "versions": ["v1"]}))
    pods = [
        {"name": "pods", "kind": "Pod", "namespaced": True},
        {"name": "pods/log", "kind": "Pod", "namespaced": True},
    ]
    server.on("GET", "/api/v1", Answer({"kind": "APIResourceList", "resources": pods}))
    queue = {
        "name": "scheduling.run.ai",
        "versions": [{"version": "v1", "groupVersion": "x"}, {"version": "v2", "groupVersion": "y"}],
        "preferredVersion": {"version": "v2"},
    }
    server.on("GET", "/apis", Answer({"kind": "APIGroupList", "groups": [queue]}))
    listed = Answer({"resources": [{"name": "queues", "kind": "Queue", "namespaced": False}]})
    server.on("GET", "/apis/scheduling.run.ai/v1", listed)
    server.on("GET", "/apis/scheduling.run.ai/v2", listed)
    assert [(found.plural, found.version) for found in await client.discover()] == [
        ("pods", "v1"),
        ("queues", "v2"),
        ("queues", "v1"),
    ]


async def test_a_group_whose_server_is_down_takes_nothing_else_away(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api", Answer({"kind": "APIVersions", "versions": ["v1"]}))
    server.on("GET", "/api/v1", Answer({"resources": [{"name": "pods", "kind": "Pod", "namespaced": True}]}))
    metrics = {"name": "metrics.k8s.io", "versions": [{"version": "v1beta1"}]}
    server.on("GET", "/apis", Answer({"kind": "APIGroupList", "groups": [metrics]}))
    down = status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
    server.on("GET", "/apis/metrics.k8s.io/v1beta1", down)
    assert await client.discover() == [PODS]


async def test_something_that_is_no_api_server_is_said(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api", Answer(b"<html>welcome"))
    with pytest.raises(errors.Disconnected, match="does not answer like a Kubernetes API server"):
        await client.discover()
