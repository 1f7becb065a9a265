"""metrics.k8s.io: figures of what runs, in the shape that `kubectl top` reads."""

from __future__ import annotations

import types
from typing import Any

import pytest

from sealane.sandbox.api import kinds
from sealane.sandbox.api.app import ApiServer

GROUP = "/apis/metrics.k8s.io/v1beta1"


class Measure:
    """Every pod but `idle` uses 12.5 millicores and 3 MiB; the node twice that."""

    def pod(self, pod: dict[str, Any]) -> Any:
        if pod["metadata"]["name"] == "idle":
            return None
        return {"main": types.SimpleNamespace(cpu=0.0125, memory=3 * 1024**2)}

    def node(self, node: dict[str, Any]) -> Any:
        return types.SimpleNamespace(cpu=0.025, memory=6 * 1024**2)


@pytest.fixture
async def measured(api: Any) -> Any:
    """An API with a measure, two running pods, an idle one and a node."""
    for name in ("one", "two", "idle"):
        pod = {"metadata": {"name": name, "namespace": "team", "labels": {"app": name}}}
        api.store.create(kinds.PODS, pod | {"spec": {"containers": [{"name": "main", "image": "i"}]}}, manager="test")
    api.store.create(kinds.NODES, {"metadata": {"name": "n1"}}, manager="test")
    api.app = ApiServer(
        "bench", api.store, users=api.users, backend=api.app.backend, admit=lambda _verb, _plural, obj: obj,
        faults=api.faults, measure=Measure(),
    )  # fmt: skip
    return api


async def test_pods_that_run_are_listed_with_their_containers(measured: Any) -> None:
    found = (await measured.call("GET", f"{GROUP}/namespaces/team/pods")).json
    assert (found["kind"], found["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
    assert [item["metadata"]["name"] for item in found["items"]] == ["one", "two"]
    first = found["items"][0]
    assert first["window"] == "15s"
    assert first["containers"] == [{"name": "main", "usage": {"cpu": "12500000n", "memory": "3072Ki"}}]


async def test_selectors_choose_and_names_address(measured: Any) -> None:
    chosen = (await measured.call("GET", f"{GROUP}/pods?labelSelector=app=two")).json["items"]
    assert [item["metadata"]["name"] for item in chosen] == ["two"]
    assert (await measured.call("GET", f"{GROUP}/namespaces/team/pods/one")).json["kind"] == "PodMetrics"
    node = (await measured.call("GET", f"{GROUP}/nodes/n1")).json
    assert node["usage"] == {"cpu": "25000000n", "memory": "6144Ki"}


async def test_what_was_not_measured_is_not_found_in_the_servers_words(measured: Any) -> None:
    answer = await measured.call("GET", f"{GROUP}/namespaces/team/pods/idle")
    assert answer.status == 404
    assert answer.json["message"] == 'podmetrics.metrics.k8s.io "team/idle" not found'


async def test_figures_are_behind_rights_and_cannot_be_written(measured: Any) -> None:
    assert (await measured.call("GET", f"{GROUP}/nodes", user="dana")).status == 403
    assert (await measured.call("POST", f"{GROUP}/namespaces/team/pods", {})).status == 405


async def test_a_cluster_without_a_world_has_no_figures(api: Any) -> None:
    assert (await api.call("GET", f"{GROUP}/nodes")).json["items"] == []
