"""Rights on the real control plane: known before they are used, noticed when they come and go, and never leaking.

A person of this test's own (`rita`, impersonated by the rig's admin, so that nobody else's roles change) is given and
denied roles while Sealane runs as her.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from rig.cluster import Cluster
from sealane.fleet import Cluster as Seen
from sealane.fleet import Fleet
from sealane.kube import config, errors
from sealane.kube.client import Client
from sealane.kube.config import Context
from sealane.kube.resources import DEPLOYMENTS, NAMESPACES, NODES, PODS
from sealane.models import action_errors, rights

_log = logging.getLogger(__name__)
pytestmark = pytest.mark.rig

RBAC = "/apis/rbac.authorization.k8s.io/v1"
LIMIT = 60.0
VIEW = [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments", "events"], "verbs": ["get", "list", "watch"]}]


class Roles:
    """Roles of one user, given and taken by the admin; `close` takes all."""

    def __init__(self, cluster: Cluster, user: str) -> None:
        self.api = cluster.api
        self.user = user
        self.made: list[str] = []

    def give(self, namespace: str, rules: list[dict[str, object]] | None = None, *, name: str = "") -> str:
        name = name or f"r-{secrets.token_hex(3)}"
        base = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
        role, bindings, kind = ("roles", "rolebindings", "Role") if namespace else _WIDE
        self.api.post(f"{base}/{role}", {"metadata": {"name": name}, "rules": rules or VIEW})
        subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": self.user}
        reference = {"kind": kind, "apiGroup": "rbac.authorization.k8s.io", "name": name}
        self.api.post(f"{base}/{bindings}", {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]})
        self.made += [f"{base}/{role}/{name}", f"{base}/{bindings}/{name}"]
        return f"{base}/{bindings}/{name}"

    def take(self, binding: str) -> None:
        self.api.delete(binding)
        self.made.remove(binding)

    def close(self) -> None:
        for path in self.made:
            with contextlib.suppress(Exception):
                self.api.delete(path)


_WIDE = ("clusterroles", "clusterrolebindings", "ClusterRole")


@pytest.fixture
def user() -> str:
    return f"rita-{secrets.token_hex(2)}"


@pytest.fixture
def roles(cluster: Cluster, user: str) -> Iterator[Roles]:
    made = Roles(cluster, user)
    yield made
    made.close()


def as_user(cluster: Cluster, user: str, *, namespace: str = "team-a") -> Context:
    context = config.load([cluster.plane.kubeconfig("admin")]).context(cluster.name)
    credentials = msgspec.structs.replace(
        context.credentials,
        impersonate_user=user,
        impersonate_groups=("system:authenticated",),
    )
    return msgspec.structs.replace(context, namespace=namespace, credentials=credentials)


@pytest.fixture
async def seen(cluster: Cluster, user: str) -> AsyncIterator[Seen]:
    async with Fleet([as_user(cluster, user)]) as fleet:
        yield fleet.cluster(cluster.name)


async def until(true: Callable[[], bool], *, seconds: float = LIMIT) -> float:
    """Wait until it is true; gives back the seconds that it took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, "it did not come true in time"
        await asyncio.sleep(0.1)
    return time.monotonic() - start


def namespaces(seen: Seen) -> set[str]:
    return {obj["metadata"]["namespace"] for obj in seen.list(DEPLOYMENTS)}


@pytest.fixture
def there(cluster: Cluster) -> Iterator[None]:
    """An empty Deployment in each team's namespace."""
    made = []
    for namespace in ("team-a", "team-b"):
        name = f"still-{secrets.token_hex(2)}"
        labels = {"app": name}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "still"}]}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        cluster.api.post(path, {"metadata": {"name": name}, "spec": spec})
        made.append(f"{path}/{name}")
    yield
    for path in made:
        cluster.api.delete(path)


async def test_the_servers_own_review_agrees_with_what_it_then_does(cluster: Cluster, roles: Roles, user: str) -> None:
    roles.give("team-a", [*VIEW, {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}])
    async with Client(as_user(cluster, user)) as client:
        await until_allowed(client)
        rules = await client.rules("team-a")
        assert rules.allow("list", "", "pods")
        assert rules.allow("get", "", "pods/log")
        assert not rules.allow("delete", "apps", "deployments")
        assert rules.allow_path("get", "/version")
        assert not (await client.rules("team-b")).allow("list", "", "pods")
        assert not rules.incomplete
        await client.list(PODS, namespace="team-a")
        with pytest.raises(errors.Forbidden):
            await client.list(PODS, namespace="team-b")
        with pytest.raises(errors.Forbidden):
            await client.list(NAMESPACES)


async def until_allowed(client: Client) -> None:
    for _ in range(100):
        if (await client.rules("team-a")).allow("list", "", "pods"):
            return
        await asyncio.sleep(0.1)


async def test_a_role_that_is_given_shows_a_namespace_and_one_that_is_taken_hides_it(
    seen: Seen, roles: Roles, there: None
) -> None:
    first = roles.give("team-a")
    seen.hint("team-b")
    await seen.synced(DEPLOYMENTS, timeout=20)
    await until(lambda: namespaces(seen) == {"team-a"})
    second = roles.give("team-b")
    gained = await until(lambda: namespaces(seen) == {"team-a", "team-b"})
    assert seen.freshness(DEPLOYMENTS).state == "live"
    roles.take(second)
    lost = await until(lambda: namespaces(seen) == {"team-a"})
    roles.take(first)
    await until(lambda: seen.freshness(DEPLOYMENTS).state == "forbidden")
    assert seen.list(DEPLOYMENTS) == []
    _log.info("gained after %.1f s, lost after %.1f s", gained, lost)


async def test_the_whole_cluster_is_read_as_long_as_it_may_be(seen: Seen, roles: Roles, there: None) -> None:
    roles.give("team-a")
    wide = roles.give("", [*VIEW, {"apiGroups": [""], "resources": ["nodes"], "verbs": ["*"]}])
    await until(lambda: namespaces(seen) >= {"team-a", "team-b"} and bool(seen.list(NODES)))
    assert seen.reads(DEPLOYMENTS) is None
    roles.take(wide)
    await until(lambda: namespaces(seen) == {"team-a"} and seen.list(NODES) == [])
    assert seen.reads(DEPLOYMENTS) == ("team-a",)
    assert "Your role may not watch nodes" in seen.freshness(NODES).sentence


async def test_a_namespace_that_a_role_names_is_found_without_being_listed(
    seen: Seen, roles: Roles, there: None
) -> None:
    roles.give("team-a")
    roles.give("team-b")
    named = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"], "resourceNames": ["team-b"]}
    roles.give("", [named])
    await until(lambda: namespaces(seen) == {"team-a", "team-b"})
    await until(lambda: "team-b" in seen.namespaces())
    assert "team-b" not in seen.hints


async def test_each_action_is_known_to_be_refused_before_it_is_tried(seen: Seen, roles: Roles) -> None:
    roles.give("team-a")
    await until(lambda: rights.may(seen, "see", "team-a").answer == "yes")
    for action in rights.NEEDS:
        if action != "see":
            assert rights.may(seen, action, "team-a").denied, action
    with pytest.raises(action_errors.NamespaceForbidden, match="Your role in team-a may not delete deployments"):
        rights.demand(seen, "remove", "team-a", name="any")


async def test_a_token_that_is_swapped_while_running_takes_the_other_persons_view_away(
    cluster: Cluster, tmp_path: Path, there: None
) -> None:
    token = tmp_path / "token"
    token.write_text(cluster.plane.token("alice"))
    context = config.load([cluster.plane.kubeconfig("alice")]).context(cluster.name)
    credentials = config.Credentials(token_file=token)
    context = msgspec.structs.replace(context, namespace="team-a", credentials=credentials)
    async with Fleet([context]) as fleet:
        seen = fleet.cluster(cluster.name)
        seen.hint("team-b")
        await until(lambda: namespaces(seen) == {"team-a"})
        token.write_text(cluster.plane.token("bob"))
        took = await until(lambda: namespaces(seen) == {"team-b"}, seconds=150)
        _log.info("another token was noticed after %.1f s", took)
        assert seen.may("list", PODS, "team-a").denied
