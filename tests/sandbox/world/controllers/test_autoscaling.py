"""The arithmetic of autoscaling holds its bounds whatever was wished for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.world.controllers import autoscaling
from sealane.sandbox.world.controllers.autoscaling import History, NoFigure
from sealane.sandbox.world.programs.base import Use

Obj = dict[str, Any]


def a_pod(name: str, *, ready: bool = True, cpu: str = "1") -> Obj:
    container = {"name": "main", "resources": {"requests": {"cpu": cpu}}}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}, "status": status}


def metric(percent: int = 50) -> Obj:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def wanted(uses: list[float | None], *, ready: list[bool] | None = None, percent: int = 50) -> int:
    ready = ready or [True] * len(uses)
    pods = [a_pod(str(index), ready=is_ready) for index, is_ready in enumerate(ready)]

    def measure(pod: Obj) -> dict[str, Use] | None:
        use = uses[int(pod["metadata"]["name"])]
        return None if use is None else {"main": Use(use, 0)}

    return autoscaling.measured(metric(percent), pods, len(pods), measure).replicas


@pytest.mark.parametrize(
    ("uses", "ready", "replicas"),
    [
        ([0.5, 0.5], None, 2),
        ([0.54, 0.54], None, 2),  # within a tenth
        ([1.0, 1.0], None, 4),
        ([0.1, 0.1], None, 1),
        ([0.0, 0.0], None, 0),
        ([1.0, None], None, 2),  # the unseen one counts as idle on the way up
        ([0.1, None], None, 2),  # and as busy on the way down: ceil((0.1 + 0.5) / 0.5)
        ([1.5, 0.0], [True, False], 3),
    ],
)
def test_pods_follow_from_use(uses: list[float | None], ready: list[bool] | None, replicas: int) -> None:
    assert wanted(uses, ready=ready) == replicas


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], "no pods returned by selector while calculating replica count"),
        ([a_pod("0")], "unable to get metrics for resource cpu: no metrics returned from resource metrics API"),
    ],
)
def test_without_figures_there_is_a_reason(pods: list[Obj], said: str) -> None:
    with pytest.raises(NoFigure, match=said):
        autoscaling.measured(metric(), pods, 1, lambda _pod: None)


def test_metrics_from_elsewhere_give_none() -> None:
    with pytest.raises(NoFigure) as caught:
        autoscaling.measured({"type": "External", "external": {}}, [a_pod("0")], 1, lambda _pod: None)
    assert caught.value.reason == "FailedGetExternalMetric"


@given(
    current=st.integers(1, 30),
    wishes=st.lists(st.integers(0, 60), min_size=1, max_size=20),
    least=st.integers(1, 10),
    more=st.integers(0, 20),
)
def test_the_bounds_hold_and_steps_are_limited(current: int, wishes: list[int], least: int, more: int) -> None:
    most, history = least + more, History()
    current = min(max(current, least), most)
    for step, wish in enumerate(wishes):
        now = step * 15.0
        decision = autoscaling.decide(
            {"minReplicas": least, "maxReplicas": most}, history, current=current, wanted=wish, now=now
        )
        assert least <= decision.replicas <= most
        assert decision.replicas <= max(current * 2, current + 4)
        if decision.replicas != current:
            history.changed(now, decision.replicas - current)
        current = decision.replicas
