"""LimitRanges: what containers are given, and every bound's own sentence."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.sandbox.world import limits

Obj = dict[str, Any]


def a_range(kind: str = "Container", **parts: Obj) -> list[Obj]:
    return [{"spec": {"limits": [{"type": kind} | parts]}}]


def a_pod(*resources: Obj, init: Obj | None = None) -> Obj:
    containers = [{"name": f"c{index}", "resources": item} for index, item in enumerate(resources)]
    spec: Obj = {"containers": containers}
    if init is not None:
        spec["initContainers"] = [{"name": "first", "resources": init}]
    return {"metadata": {"name": "p"}, "spec": spec}


def test_what_a_container_does_not_say_is_filled_in_and_noted() -> None:
    pod = a_pod({}, {"limits": {"cpu": "2"}}, init={})
    limits.fill(pod, a_range(default={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "100m"}))
    first, second = (item["resources"] for item in pod["spec"]["containers"])
    assert first == {"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert second == {"requests": {"cpu": "100m"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    assert pod["metadata"]["annotations"][limits.NOTE] == (
        "LimitRanger plugin set: cpu request for container c0; cpu, memory limit for container c0; "
        "cpu request for container c1; memory limit for container c1; "
        "cpu request for init container first; cpu, memory limit for init container first"
    )


def test_nothing_is_noted_where_nothing_was_set() -> None:
    pod = a_pod({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}})
    limits.fill(pod, a_range(default={"cpu": "2"}, defaultRequest={"cpu": "2"}))
    assert "annotations" not in pod["metadata"]


@pytest.mark.parametrize(
    ("parts", "resources", "said"),
    [
        ({"min": {"cpu": "1"}}, {}, "minimum cpu usage per Container is 1.  No request is specified"),
        (
            {"min": {"cpu": "1"}},
            {"requests": {"cpu": "500m"}},
            "minimum cpu usage per Container is 1, but request is 500m",
        ),
        (
            {"min": {"cpu": "1"}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "500m"}},
            "minimum cpu usage per Container is 1, but limit is 500m",
        ),
        ({"max": {"memory": "1Gi"}}, {}, "maximum memory usage per Container is 1Gi.  No limit is specified"),
        (
            {"max": {"memory": "1Gi"}},
            {"limits": {"memory": "2Gi"}},
            "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        ),
        (
            {"max": {"cpu": "1"}},
            {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
            "maximum cpu usage per Container is 1, but request is 2",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
        ),
    ],
)
def test_a_bound_that_is_left_is_told_in_its_words(parts: Obj, resources: Obj, said: str) -> None:
    assert limits.problems_of_pod(a_pod(resources), a_range(**parts)) == [said]


def test_what_keeps_to_the_bounds_has_no_problem() -> None:
    ranges = a_range(min={"cpu": "1"}, max={"cpu": "2"}, maxLimitRequestRatio={"cpu": "2"})
    assert limits.problems_of_pod(a_pod({"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}), ranges) == []


def test_a_pod_is_the_sum_of_its_containers_or_its_largest_first_one() -> None:
    two = {"limits": {"cpu": "2"}}
    assert limits.problems_of_pod(a_pod(two, two), a_range("Pod", max={"cpu": "3"})) == [
        "maximum cpu usage per Pod is 3, but limit is 4"
    ]
    assert limits.problems_of_pod(a_pod(two, init={"limits": {"cpu": "8"}}), a_range("Pod", max={"cpu": "3"})) == [
        "maximum cpu usage per Pod is 3, but limit is 8"
    ]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("100Mi", ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 100Mi"]),
        ("20Gi", ["maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 20Gi"]),
        ("5Gi", []),
    ],
)
def test_claims_have_bounds_of_their_own(size: str, said: list[str]) -> None:
    claim = {"spec": {"resources": {"requests": {"storage": size}}}}
    ranges = a_range("PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "10Gi"})
    assert limits.problems_of_claim(claim, ranges) == said
