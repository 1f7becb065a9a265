"""Quotas: what counts under which name, which objects a scope chooses, and what is said of too much."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from sealane.sandbox.world import quotas

Obj = dict[str, Any]


def a_pod(resources: Obj | None = None, **spec: Any) -> Obj:
    containers = [{"name": "main", "resources": resources or {}}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers} | spec}


def a_quota(hard: Obj, **spec: Any) -> Obj:
    return {"metadata": {"name": "few"}, "spec": {"hard": hard} | spec}


def test_a_pod_counts_by_number_by_request_and_by_limit() -> None:
    used = quotas.usage_of("pods", a_pod({"requests": {"cpu": "1"}, "limits": {"cpu": "2", "nvidia.com/gpu": "1"}}))
    assert {name: float(value) for name, value in used.items()} == {
        "count/pods": 1, "pods": 1, "cpu": 1, "requests.cpu": 1, "requests.nvidia.com/gpu": 1, "limits.cpu": 2,
        "limits.nvidia.com/gpu": 1,
    }  # fmt: skip
    done = a_pod() | {"status": {"phase": "Succeeded"}}
    assert quotas.usage_of("pods", done) == {}


@pytest.mark.parametrize(
    ("kind", "ports", "nodeports", "balancers"),
    [("ClusterIP", 2, 0, 0), ("NodePort", 2, 2, 0), ("LoadBalancer", 1, 1, 1)],
)
def test_services_count_their_ports_and_balancers(kind: str, ports: int, nodeports: int, balancers: int) -> None:
    service = {"spec": {"type": kind, "ports": [{"port": 80 + index} for index in range(ports)]}}
    used = quotas.usage_of("services", service)
    assert (used["services"], used["services.nodeports"], used["services.loadbalancers"]) == (1, nodeports, balancers)


def test_claims_count_in_sum_and_by_their_class() -> None:
    claim = {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}}
    used = quotas.usage_of("persistentvolumeclaims", claim)
    assert used["requests.storage"] == used["fast.storageclass.storage.k8s.io/requests.storage"] == 2**30
    assert used["fast.storageclass.storage.k8s.io/persistentvolumeclaims"] == 1


def test_any_kind_can_be_counted_by_its_name_and_group() -> None:
    assert quotas.usage_of("cronjobs", {}, group="batch") == {"count/cronjobs.batch": 1}
    hard = ["pods", "count/widgets.talk.example", "services.nodeports", "requests.storage", "secrets"]
    assert quotas.counted_in(hard) == {"pods", "widgets", "services", "persistentvolumeclaims", "secrets"}


@pytest.mark.parametrize(
    ("scopes", "pod", "chosen"),
    [
        ([], a_pod(), True),
        (["BestEffort"], a_pod(), True),
        (["BestEffort"], a_pod({"requests": {"cpu": "1"}}), False),
        (["NotBestEffort"], a_pod({"requests": {"cpu": "1"}}), True),
        (["Terminating"], a_pod(activeDeadlineSeconds=5), True),
        (["Terminating"], a_pod(), False),
        (["NotTerminating"], a_pod(), True),
        (["BestEffort", "Terminating"], a_pod(), False),
        (["PriorityClass"], a_pod(priorityClassName="high"), True),
        (["PriorityClass"], a_pod(), False),
    ],
)
def test_a_scope_chooses_pods(scopes: list[str], pod: Obj, chosen: bool) -> None:
    assert quotas.is_about(a_quota({"pods": "1"}, scopes=scopes), "pods", pod) is chosen


@pytest.mark.parametrize(
    ("operator", "values", "chosen"),
    [("In", ["high"], True), ("In", ["low"], False), ("NotIn", ["low"], True), ("DoesNotExist", None, False)],
)
def test_priorities_are_chosen_by_a_selector(operator: str, values: list[str] | None, chosen: bool) -> None:
    scope = {"scopeName": "PriorityClass", "operator": operator, "values": values}
    quota = a_quota({"pods": "1"}, scopeSelector={"matchExpressions": [scope]})
    assert quotas.is_about(quota, "pods", a_pod(priorityClassName="high")) is chosen


def test_a_quota_with_scopes_is_about_pods_alone() -> None:
    assert not quotas.is_about(a_quota({"pods": "1"}, scopes=["NotTerminating"]), "secrets", {})


def test_too_much_is_told_with_all_three_numbers() -> None:
    quota = a_quota({"pods": "2", "requests.memory": "1Gi"})
    asked = {"pods": Fraction(1), "requests.memory": Fraction(2**29)}
    used = {"pods": Fraction(2), "requests.memory": Fraction(2**30)}
    pod = a_pod({"requests": {"memory": "512Mi"}})
    assert quotas.refusal(quota, asked, used, pod=pod) == (
        "exceeded quota: few, requested: pods=1,requests.memory=512Mi, used: pods=2,requests.memory=1Gi, "
        "limited: pods=2,requests.memory=1Gi"
    )
    assert quotas.refusal(quota, asked, {}, pod=pod) == ""


def test_what_the_quota_counts_must_be_said() -> None:
    quota = a_quota({"requests.cpu": "2", "limits.memory": "1Gi"})
    assert quotas.refusal(quota, {}, {}, pod=a_pod()) == (
        "failed quota: few: must specify limits.memory for: main; requests.cpu for: main"
    )
