"""Evictions honour budgets: refused with the numbers, counted at once, and let through where nothing is disrupted."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.sandbox.api import kinds

PODS = "/api/v1/namespaces/team/pods"
BUDGETS = "/apis/policy/v1/namespaces/team/poddisruptionbudgets"


async def a_pod(api: Any, name: str, *, ready: bool = True, phase: str = "Running") -> None:
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
    await api.call("POST", PODS, {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec})

    def change(obj: Any) -> None:
        state = "True" if ready else "False"
        obj["status"] |= {"phase": phase, "conditions": [{"type": "Ready", "status": state}]}

    api.store.mutate(kinds.PODS, "team", name, change, manager="test", subresource="status")


async def a_budget(api: Any, *, allowed: int, healthy: int = 1, desired: int = 1, **spec: Any) -> None:
    wanted = {"minAvailable": desired, "selector": {"matchLabels": {"app": "web"}}} | spec
    answer = await api.call("POST", BUDGETS, {"metadata": {"name": "few"}, "spec": wanted})
    assert answer.status == 201

    def change(obj: Any) -> None:
        obj["status"] = {
            "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": healthy,
            "desiredHealthy": desired, "expectedPods": healthy,
        }  # fmt: skip

    api.store.mutate(kinds.PDBS, "team", "few", change, manager="test", subresource="status")


async def evict(api: Any, name: str, query: str = "") -> Any:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return await api.call("POST", f"{PODS}/{name}/eviction{query}", body)


async def test_without_a_budget_a_pod_goes(api: Any) -> None:
    await a_pod(api, "web")
    assert (await evict(api, "web")).json["status"] == "Success"
    assert api.store.get(kinds.PODS, "team", "web")["metadata"]["deletionTimestamp"]
    assert (await evict(api, "nobody")).status == 404


async def test_a_used_up_budget_refuses_with_its_numbers(api: Any) -> None:
    await a_pod(api, "web")
    await a_budget(api, allowed=0)
    refused = await evict(api, "web")
    assert refused.status == 429
    assert refused.json["reason"] == "TooManyRequests"
    assert refused.json["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = refused.json["details"]["causes"]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == "The disruption budget few needs 1 healthy pods and has 1 currently"
    assert "deletionTimestamp" not in api.store.get(kinds.PODS, "team", "web")["metadata"]


async def test_a_budget_that_was_not_looked_at_yet_asks_to_come_again(api: Any) -> None:
    await a_pod(api, "web")
    budget = {"metadata": {"name": "new"}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}}}
    await api.call("POST", BUDGETS, budget)
    refused = await evict(api, "web")
    assert (refused.status, refused.headers["retry-after"]) == (429, "10")
    assert "still being processed" in refused.json["message"]


async def test_an_eviction_counts_at_once_so_that_the_next_is_refused(api: Any) -> None:
    for name in ("one", "two"):
        await a_pod(api, name)
    await a_budget(api, allowed=1, healthy=2)
    assert (await evict(api, "one", "?dryRun=All")).status == 201
    assert (await evict(api, "one")).status == 201
    status = api.store.get(kinds.PDBS, "team", "few")["status"]
    assert status["disruptionsAllowed"] == 0
    assert list(status["disruptedPods"]) == ["one"]
    assert (await evict(api, "two")).status == 429


async def test_two_budgets_for_one_pod_are_not_supported(api: Any) -> None:
    await a_pod(api, "web")
    await a_budget(api, allowed=1)
    other = {"metadata": {"name": "other"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    await api.call("POST", BUDGETS, other)
    refused = await evict(api, "web")
    assert refused.status == 500
    assert refused.json["message"].startswith("This pod has more than one PodDisruptionBudget")


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
async def test_what_does_not_run_may_always_go(api: Any, phase: str) -> None:
    await a_pod(api, "web", ready=False, phase=phase)
    await a_budget(api, allowed=0)
    assert (await evict(api, "web")).status == 201


@pytest.mark.parametrize(
    ("healthy", "policy", "status"),
    [(1, None, 201), (0, None, 429), (0, "AlwaysAllow", 201), (1, "IfHealthyBudget", 201)],
)
async def test_a_pod_that_is_not_ready_goes_when_the_rest_is_healthy(
    api: Any, healthy: int, policy: str | None, status: int
) -> None:
    await a_pod(api, "web", ready=False)
    more = {} if policy is None else {"unhealthyPodEvictionPolicy": policy}
    await a_budget(api, allowed=0, healthy=healthy, **more)
    assert (await evict(api, "web")).status == status
