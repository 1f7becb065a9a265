"""Cells of `kubectl get`: ages, pod states, JSON paths of custom columns."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from sealane.sandbox.api import cells, printers, printers_pods, tables
from sealane.sandbox.api.kinds import BUILT_IN

NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11700, "3h15m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (176400, "2d1h"),
        (86400 * 8, "8d"),
        (86400 * 800, "2y70d"),
        (86400 * 3650, "10y"),
        (-5, "<invalid>"),
    ],
)
def test_durations_read_as_in_kubectl(seconds: int, text: str) -> None:
    assert cells.duration(seconds) == text


def test_no_time_is_unknown() -> None:
    assert cells.age(None, NOW) == "<unknown>"
    assert cells.age("2026-06-01T11:59:30Z", NOW) == "30s"


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": False, "restartCount": 0, "state": state}


def pod(*statuses: dict[str, Any], init: list[dict[str, Any]] | None = None, **status: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "c"}]}
    if init is not None:
        spec["initContainers"] = [{"name": item["name"]} for item in init]
        status["initContainerStatuses"] = init
    return {"metadata": {"name": "p"}, "spec": spec, "status": {"containerStatuses": list(statuses)} | status}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (pod(phase="Pending"), "Pending"),
        (pod(container("c", waiting={"reason": "ImagePullBackOff"}), phase="Pending"), "ImagePullBackOff"),
        (pod(container("c", terminated={"exitCode": 1, "reason": "Error"}), phase="Running"), "Error"),
        (pod(container("c", terminated={"exitCode": 137}), phase="Running"), "ExitCode:137"),
        (pod(container("c", terminated={"exitCode": 1, "signal": 9}), phase="Running"), "Signal:9"),
        (pod(container("c", terminated={"exitCode": 0, "reason": "Completed"}), phase="Succeeded"), "Completed"),
        (pod(phase="Failed", reason="Evicted"), "Evicted"),
        (pod(init=[container("i", running={})], phase="Pending"), "Init:0/1"),
        (pod(init=[container("i", waiting={"reason": "ErrImagePull"})], phase="Pending"), "Init:ErrImagePull"),
        (pod(init=[container("i", terminated={"exitCode": 2})], phase="Pending"), "Init:ExitCode:2"),
        (
            pod(container("c", running={}), init=[container("i", terminated={"exitCode": 0})], phase="Running"),
            "Running",
        ),
        (
            pod(phase="Pending", conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}]),
            "SchedulingGated",
        ),
    ],
)
def test_the_status_of_a_pod_is_the_most_telling_word(given: dict[str, Any], word: str) -> None:
    assert printers_pods.state(given) == word
    given["metadata"]["deletionTimestamp"] = "2026-06-01T12:00:00Z"
    assert printers_pods.state(given) == "Terminating"


def test_sidecars_count_as_containers() -> None:
    given = pod({"name": "c", "ready": True}, init=[{"name": "s", "ready": True, "started": True}])
    given["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    assert printers_pods.readiness(given) == (2, 2)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".spec.priority", 5),
        (".spec.none.deeper", None),
        (".metadata.labels['a.b/c']", "x"),
        (".status.items[1]", "two"),
        (".status.items[9]", None),
        ('.status.conditions[?(@.type=="Ready")].status', "True"),
        ('.status.conditions[?(@.type=="Other")].status', None),
    ],
)
def test_custom_columns_follow_simple_json_paths(path: str, value: Any) -> None:
    obj = {
        "metadata": {"labels": {"a.b/c": "x"}},
        "spec": {"priority": 5},
        "status": {"items": ["one", "two"], "conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert tables.value_at(obj, path) == value


def test_every_printer_gives_one_cell_a_column_even_for_an_empty_object() -> None:
    keys = {kind.key for kind in BUILT_IN}
    for key, (columns, fill) in printers.PRINTERS.items():
        assert key in keys
        obj = {"metadata": {"name": "x"}, "spec": {}, "provisioner": "p"}
        assert len(fill(obj, NOW)) == len(columns), key
