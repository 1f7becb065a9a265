"""Aggregated ClusterRoles have the rights of all that they select, and take back what was written by hand."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]
RBAC = "rbac.authorization.k8s.io/v1"


def role(name: str, *resources: str, labels: Obj | None = None, **more: Any) -> Obj:
    rules = [{"apiGroups": [""], "resources": [item], "verbs": ["get"]} for item in resources]
    return {
        "apiVersion": RBAC,
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels or {}},
        "rules": rules,
    } | more


def whole() -> Obj:
    return role("whole", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]})


def resources(sim: Any, name: str = "whole") -> list[str]:
    return [item for rule in sim.cluster.get("clusterroles", "", name).get("rules") or () for item in rule["resources"]]


async def test_the_union_follows_roles_that_come_change_and_go(sim: Any) -> None:
    sim.cluster.create("clusterroles", whole())
    sim.cluster.create("clusterroles", role("b", "pods", labels={"part": "yes"}))
    sim.cluster.create("clusterroles", role("a", "nodes", labels={"part": "yes"}))
    sim.cluster.create("clusterroles", role("c", "secrets", labels={"part": "no"}))
    await sim.run(1)
    assert resources(sim) == ["nodes", "pods"]
    sim.cluster.change("clusterroles", "", "c", lambda obj: obj["metadata"]["labels"].update(part="yes"))
    sim.cluster.delete("clusterroles", sim.cluster.get("clusterroles", "", "a"))
    await sim.run(1)
    assert resources(sim) == ["pods", "secrets"]


async def test_what_is_written_by_hand_is_taken_back(sim: Any) -> None:
    sim.cluster.create("clusterroles", whole())
    sim.cluster.create("clusterroles", role("b", "pods", labels={"part": "yes"}))
    await sim.run(1)

    def widen(obj: Obj) -> None:
        obj["rules"] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]

    sim.cluster.change("clusterroles", "", "whole", widen)
    await sim.run(1)
    assert resources(sim) == ["pods"]


async def test_view_edit_and_admin_grow_with_a_labelled_role(sim: Any) -> None:
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    sim.cluster.create("clusterroles", role("widgets-view", "widgets", labels=label))
    await sim.run(2)
    for name in ("view", "edit", "admin"):
        assert "widgets" in resources(sim, name)
    assert "secrets" in resources(sim, "edit")
    assert "secrets" not in resources(sim, "view")
