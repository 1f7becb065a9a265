"""What is served is found by old and new discovery and described by OpenAPI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sealane.sandbox.api import schema
from sealane.sandbox.api.kinds import BUILT_IN

AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}


async def test_the_old_documents_list_groups_versions_and_resources(api: Any) -> None:
    assert (await api.call("GET", "/api")).json["versions"] == ["v1"]
    groups = {item["name"]: item for item in (await api.call("GET", "/apis")).json["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    listed = (await api.call("GET", "/apis/apps/v1")).json
    assert listed["groupVersion"] == "apps/v1"
    names = {item["name"]: item for item in listed["resources"]}
    assert names["deployments"]["shortNames"] == ["deploy"]
    assert names["deployments/scale"]["kind"] == "Scale"
    core = (await api.call("GET", "/api/v1")).json
    assert core["groupVersion"] == "v1"
    assert {"pods", "pods/log", "pods/proxy"} <= {item["name"] for item in core["resources"]}
    assert (await api.call("GET", "/apis/nowhere")).status == 404
    assert (await api.call("GET", "/apis/apps/v9")).status == 404


async def test_the_aggregated_documents_say_the_same(api: Any) -> None:
    old = {
        (group["name"], version["version"])
        for group in (await api.call("GET", "/apis")).json["groups"]
        for version in group["versions"]
    }
    answer = await api.call("GET", "/apis", headers=AGGREGATED)
    assert "as=APIGroupDiscoveryList" in answer.headers["content-type"]
    new = {
        (group["metadata"]["name"], version["version"])
        for group in answer.json["items"]
        for version in group["versions"]
    }
    assert new == old
    core = (await api.call("GET", "/api", headers=AGGREGATED)).json["items"][0]["versions"][0]
    pods = next(item for item in core["resources"] if item["resource"] == "pods")
    assert (pods["singularResource"], pods["scope"], pods["shortNames"]) == ("pod", "Namespaced", ["po"])
    assert {item["subresource"] for item in pods["subresources"]} >= {"log", "proxy", "status"}


async def test_every_built_in_kind_is_described(api: Any) -> None:
    missing = [kind.kind for kind in BUILT_IN if (kind.group, kind.version, kind.kind) not in schema.builtin().kinds]
    assert missing == []


async def test_every_reference_of_every_openapi_document_leads_somewhere(api: Any) -> None:
    paths = (await api.call("GET", "/openapi/v3")).json["paths"]
    assert "apis/apps/v1" in paths
    assert "api/v1" in paths
    for place in paths.values():
        url = place["serverRelativeURL"]
        assert "hash=" in url
        document = (await api.call("GET", url)).json
        defined = document["components"]["schemas"]
        assert set(references(document)) <= {f"#/components/schemas/{name}" for name in defined}
        for item in defined.values():
            assert item.get("description"), item


def references(value: Any) -> list[str]:
    """All `$ref`s in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in references(item)]
    return [found for item in value for found in references(item)] if isinstance(value, list) else []


async def test_openapi_says_how_lists_merge_and_what_is_required(api: Any) -> None:
    document = (await api.call("GET", "/openapi/v3/api/v1")).json["components"]["schemas"]
    spec = document["io.k8s.api.core.v1.PodSpec"]
    assert spec["required"] == ["containers"]
    containers = spec["properties"]["containers"]
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    patch = (await api.call("GET", "/openapi/v3/apis/apps/v1")).json["paths"][
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    ]["patch"]
    assert "fieldValidation" in {item["name"] for item in patch["parameters"]}


async def test_the_second_version_of_openapi_is_there_for_old_clients(api: Any) -> None:
    document = (await api.call("GET", "/openapi/v2")).json
    assert set(references(document)) <= {f"#/definitions/{name}" for name in document["definitions"]}


async def test_the_root_lists_paths(api: Any) -> None:
    assert {"/api", "/apis/apps", "/readyz"} <= set((await api.call("GET", "/")).json["paths"])


@pytest.mark.parametrize(
    "text",
    [
        "Type | about\n  field string dance=1 | about\n",
        "no bar here\n",
    ],
)
def test_a_broken_schema_file_is_found_at_once(text: str) -> None:
    schemas = schema.Schemas()
    schemas.types["ObjectMeta"] = schema.Node("object")
    with pytest.raises(ValueError, match=r"not understood|no option"):
        schema._read(text, schemas)


def test_every_type_that_is_named_is_described() -> None:
    empty = [name for name, node in schema.builtin().types.items() if not node.about]
    assert empty == []


async def test_lists_that_merge_agree_between_apply_and_strategic_patches(api: Any) -> None:
    pod = schema.builtin().types["PodSpec"]
    assert pod.fields["volumes"].patch_key == "name"
    assert pod.fields["tolerations"].atomic
    assert pod.fields["topologySpreadConstraints"].patch_key == "topologyKey"
    ports = schema.builtin().types["Container"].fields["ports"]
    assert (ports.keys, ports.patch_key) == (("containerPort", "protocol"), "containerPort")
    assert json.dumps(ports.element.child("protocol").default) == '"TCP"'


async def test_openapi_v2_in_protobuf_is_an_empty_document_that_checks_nothing(api: Any) -> None:
    media = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = await api.call("GET", "/openapi/v2", headers={"accept": media})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == media.replace("@", ".")


async def test_a_scale_has_a_table(api: Any) -> None:
    place = "/apis/apps/v1/namespaces/default/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    await api.call("POST", place, {"metadata": {"name": "web"}, "spec": spec})
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = (await api.call("GET", f"{place}/web/scale", headers=accept)).json
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"][:3] == ["web", 2, 0]
