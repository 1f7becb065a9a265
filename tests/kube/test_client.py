"""The calls: which request each one makes, and what it gives back."""

from __future__ import annotations

from typing import Any

import pytest
from kube_server import Answer, ApiServer, compact, pod, pod_list, status

from sealane.kube import errors
from sealane.kube.client import Client
from sealane.kube.resources import DEPLOYMENTS, NODES, PODS, QUEUES
from sealane.lib.errors import UsageError

POD = "/api/v1/namespaces/team-a/pods/web"
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "team-a"}}
WEB = "/apis/apps/v1/namespaces/team-a/deployments/web"


async def test_get_gives_the_object(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, Answer(pod("web")))
    assert (await client.get(PODS, "web", namespace="team-a"))["metadata"]["name"] == "web"


async def test_without_a_namespace_the_contexts_own_is_meant(server: ApiServer) -> None:
    server.on("GET", POD, Answer(pod("web")))
    async with Client(server.context(namespace="team-a")) as client:
        await client.get(PODS, "web")
    assert server.requests[0].path == POD


async def test_get_of_a_subresource(server: ApiServer, client: Client) -> None:
    server.on("GET", f"{WEB}/scale", Answer({"spec": {"replicas": 2}}))
    assert (await client.get(DEPLOYMENTS, "web", namespace="team-a", subresource="scale"))["spec"]["replicas"] == 2


async def test_a_missing_object_is_not_found_in_the_servers_words(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, status(404, "NotFound", 'pods "web" not found', name="web", kind="pods"))
    with pytest.raises(errors.NotFound) as caught:
        await client.get(PODS, "web", namespace="team-a")
    assert caught.value.sentence == 'test: pods "web" not found.'
    assert caught.value.details.name == "web"


async def test_list_reads_all_pages(server: ApiServer, client: Client) -> None:
    pages = [pod_list(pod("a"), token="t1"), pod_list(pod("b"), token="t2"), pod_list(pod("c"), version="12")]
    server.on("GET", "/api/v1/pods", *map(Answer, pages))
    listing = await client.list(PODS, label_selector="app=x", field_selector="status.phase=Running", limit=1)
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b", "c"]
    assert listing.items[0]["kind"] == "Pod"
    assert listing.resource_version == "12"
    assert [seen.query.get("continue") for seen in server.requests] == [None, "t1", "t2"]
    assert {seen.query["labelSelector"] for seen in server.requests} == {"app=x"}
    assert {seen.query["fieldSelector"] for seen in server.requests} == {"status.phase=Running"}


async def test_a_list_without_a_namespace_is_of_all_namespaces(server: ApiServer) -> None:
    server.on("GET", "/api/v1/pods", Answer(pod_list()))
    async with Client(server.context(namespace="team-a")) as client:
        assert (await client.list(PODS)).items == []


async def test_list_raw_gives_pages_of_headers_and_bytes(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api/v1/pods", Answer(pod_list(pod("a"), token="t", remaining=1)), Answer(pod_list(pod("b"))))
    pages = [page async for page in client.list_raw(PODS)]
    assert [[item.meta.name for item in page.objects] for page in pages] == [["a"], ["b"]]
    assert pages[0].remaining == 1
    assert b"managedFields" not in pages[0].objects[0].raw


async def test_a_list_that_expires_between_pages_says_so(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api/v1/pods", Answer(pod_list(pod("a"), token="t")), status(410, "Expired", "too old"))
    with pytest.raises(errors.Expired):
        await client.list(PODS)


async def test_create_posts_to_the_collection(server: ApiServer, client: Client) -> None:
    server.on("POST", "/apis/apps/v1/namespaces/team-a/deployments", Answer(DEPLOYMENT, status=201))
    assert await client.create(DEPLOYMENT) == DEPLOYMENT
    seen = server.requests[0]
    assert seen.json == DEPLOYMENT
    assert seen.query == {"fieldManager": "sealane", "fieldValidation": "Strict"}


async def test_a_dry_run_is_asked_for_in_words(server: ApiServer, client: Client) -> None:
    server.on("POST", "/apis/apps/v1/namespaces/team-a/deployments", Answer(DEPLOYMENT))
    await client.create(DEPLOYMENT, dry_run=True)
    assert server.requests[0].query["dryRun"] == "All"


async def test_a_taken_name_is_told_apart_from_a_conflict(server: ApiServer, client: Client) -> None:
    path = "/apis/apps/v1/namespaces/team-a/deployments"
    server.on("POST", path, status(409, "AlreadyExists", 'deployments.apps "web" already exists'))
    with pytest.raises(errors.AlreadyExists, match="already exists"):
        await client.create(DEPLOYMENT)


async def test_apply_is_server_side_as_our_field_manager(server: ApiServer, client: Client) -> None:
    server.on("PATCH", WEB, Answer(DEPLOYMENT))
    await client.apply(DEPLOYMENT, dry_run=True)
    seen = server.requests[0]
    assert seen.headers["Content-Type"] == "application/apply-patch+yaml"
    assert seen.query == {"fieldManager": "sealane", "force": "false", "dryRun": "All"}
    assert seen.json == DEPLOYMENT


async def test_apply_may_be_forced_and_as_another_manager(server: ApiServer, client: Client) -> None:
    server.on("PATCH", WEB, Answer(DEPLOYMENT))
    await client.apply(DEPLOYMENT, force=True, manager="sealane-pull")
    assert server.requests[0].query == {"fieldManager": "sealane-pull", "force": "true"}


async def test_an_apply_conflict_names_the_other_manager_and_the_field(server: ApiServer, client: Client) -> None:
    message = 'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": ".spec.replicas"}
    server.on("PATCH", WEB, status(409, "Conflict", message, causes=[cause]))
    with pytest.raises(errors.Conflict, match='conflict with "kubectl"') as caught:
        await client.apply(DEPLOYMENT)
    assert caught.value.details.causes[0].field == ".spec.replicas"


@pytest.mark.parametrize(
    ("kind", "patch", "media"),
    [
        ("merge", {"spec": {}}, "application/merge-patch+json"),
        ("strategic", {"spec": {}}, "application/strategic-merge-patch+json"),
        ("json", [{"op": "remove", "path": "/spec"}], "application/json-patch+json"),
    ],
)
async def test_each_patch_has_its_media_type(
    server: ApiServer, client: Client, kind: Any, patch: Any, media: str
) -> None:
    server.on("PATCH", f"{WEB}/status", Answer(DEPLOYMENT))
    await client.patch(DEPLOYMENTS, "web", patch, namespace="team-a", type=kind, subresource="status", dry_run=True)
    seen = server.requests[0]
    assert seen.headers["Content-Type"] == media
    assert seen.json == patch
    assert seen.query["dryRun"] == "All"


async def test_delete_says_how_and_which(server: ApiServer, client: Client) -> None:
    server.on("DELETE", POD, Answer({"kind": "Status", "status": "Success"}))
    await client.delete(PODS, "web", namespace="team-a", propagation="Foreground", uid="u1", dry_run=True)
    assert server.requests[0].json == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u1"},
        "dryRun": ["All"],
    }


async def test_scale_goes_through_its_subresource(server: ApiServer, client: Client) -> None:
    server.on("PATCH", f"{WEB}/scale", Answer({"spec": {"replicas": 3}}))
    assert (await client.scale(DEPLOYMENTS, "web", 3, namespace="team-a"))["spec"]["replicas"] == 3
    assert server.requests[0].json == {"spec": {"replicas": 3}}


async def test_may_i_is_asked_of_the_server(server: ApiServer, client: Client) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    server.on("POST", path, Answer({"status": {"allowed": False, "reason": "no RBAC policy matched"}}, status=201))
    allowed = await client.can_i("create", PODS, namespace="team-a", subresource="proxy")
    assert not allowed.allowed
    assert allowed.reason == "no RBAC policy matched"
    assert server.requests[0].json["spec"]["resourceAttributes"] == {
        "verb": "create",
        "version": "v1",
        "resource": "pods",
        "namespace": "team-a",
        "subresource": "proxy",
    }


async def test_a_kind_that_is_no_constant_is_found_by_discovery_once(server: ApiServer, client: Client) -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "team-a"}}
    server.on("GET", "/api", Answer({"kind": "APIVersions", "versions": []}))
    group = {"name": "example.com", "versions": [{"groupVersion": "example.com/v1", "version": "v1"}]}
    server.on("GET", "/apis", Answer({"kind": "APIGroupList", "groups": [group]}))
    listed = {"resources": [{"name": "widgets", "kind": "Widget", "namespaced": True}]}
    server.on("GET", "/apis/example.com/v1", Answer(listed))
    server.on("PATCH", "/apis/example.com/v1/namespaces/team-a/widgets/w", Answer(widget))
    assert await client.apply(widget) == widget
    await client.apply(widget)
    assert len(server.asked("/apis")) == 1


async def test_a_kind_that_nobody_serves_is_named(server: ApiServer, client: Client) -> None:
    server.on("GET", "/api", Answer({"kind": "APIVersions", "versions": []}))
    server.on("GET", "/apis", Answer({"kind": "APIGroupList", "groups": []}))
    with pytest.raises(UsageError, match=r"kind Widget of example\.com/v1"):
        await client.apply({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}})


async def test_a_cluster_wide_object_has_no_namespace_in_its_path(server: ApiServer, client: Client) -> None:
    queue = {"apiVersion": QUEUES.api_version, "kind": "Queue", "metadata": {"name": "q"}}
    server.on("PATCH", "/apis/scheduling.run.ai/v2/queues/q", Answer(queue))
    await client.apply(queue)
    server.on("GET", "/api/v1/nodes/n", Answer({"metadata": {"name": "n"}}))
    await client.get(NODES, "n", namespace="ignored")
    assert [seen.path for seen in server.requests] == ["/apis/scheduling.run.ai/v2/queues/q", "/api/v1/nodes/n"]


async def test_the_version_is_the_servers_own_word(server: ApiServer, client: Client) -> None:
    server.on("GET", "/version", Answer(compact({"gitVersion": "v1.34.2", "major": "1"})))
    assert await client.version() == "v1.34.2"


async def test_a_login_page_in_the_way_is_not_taken_for_an_object(server: ApiServer, client: Client) -> None:
    server.on("GET", POD, Answer(b"<html>please sign in"))
    with pytest.raises(errors.Disconnected, match="does not answer like an API server"):
        await client.get(PODS, "web", namespace="team-a")
