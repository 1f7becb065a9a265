"""Questions that make no sense are refused in the server's words, and those that do are answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
FORBIDDEN = "Forbidden: resourceVersionMatch is forbidden"


def configmap(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("resourceVersionMatch=Exact", f"{FORBIDDEN} unless resourceVersion is provided"),
        ("resourceVersion=1&resourceVersionMatch=Exact&continue=abc", f"{FORBIDDEN} when continue is provided"),
        (
            "resourceVersion=1&resourceVersionMatch=Perhaps",
            'Unsupported value: "Perhaps": supported values: "Exact", "NotOlderThan", ""',
        ),
        ("resourceVersion=0&resourceVersionMatch=Exact", 'resourceVersionMatch "exact" is forbidden for'),
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
        ("watch=1&resourceVersionMatch=NotOlderThan", "forbidden for watch unless sendInitialEvents is provided"),
        ("watch=1&sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        (
            "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact",
            'Unsupported value: "Exact": supported values: "NotOlderThan"',
        ),
    ],
)
async def test_options_of_lists_and_watches_that_contradict_each_other(api: Any, query: str, said: str) -> None:
    answer = await api.call("GET", f"{MAPS}?{query}")
    assert answer.status == 422
    assert answer.json["message"].startswith('ListOptions.meta.k8s.io "" is invalid')
    assert said in answer.json["message"]


@pytest.mark.parametrize("name", ["limit", "timeoutSeconds"])
async def test_numbers_that_are_none(api: Any, name: str) -> None:
    answer = await api.call("GET", f"{MAPS}?{name}=some")
    assert (answer.status, answer.json["message"]) == (400, 'strconv.ParseInt: parsing "some": invalid syntax')


@pytest.mark.parametrize(
    "query", ["", "resourceVersion=0", "resourceVersion=1&resourceVersionMatch=NotOlderThan", "limit=5", "limit=-1"]
)
async def test_lists_that_make_sense_are_answered(api: Any, query: str) -> None:
    assert (await api.call("GET", f"{MAPS}?{query}")).json["kind"] == "ConfigMapList"


async def test_how_many_remain_is_said_of_whole_lists_only(api: Any) -> None:
    for name in ("a", "b", "c"):
        await api.call("POST", MAPS, {"metadata": {"name": name, "labels": {"x": "y"}}})
    assert (await api.call("GET", f"{MAPS}?limit=2")).json["metadata"]["remainingItemCount"] == 1
    chosen = (await api.call("GET", f"{MAPS}?limit=2&labelSelector=x")).json["metadata"]
    assert chosen["continue"]
    assert "remainingItemCount" not in chosen


async def test_a_watch_without_initial_events_begins_now(api: Any) -> None:
    await api.call("POST", MAPS, configmap("before"))
    query = "watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
    async with api.watch(f"{MAPS}?{query}") as following:
        first = asyncio.ensure_future(following())
        for _ in range(10):  # the watch begins
            await asyncio.sleep(0)
        await api.call("POST", MAPS, configmap("after"))
        assert (await first)["object"]["metadata"]["name"] == "after"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("dryRun=Some", 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        ("fieldValidation=Perhaps", 'fieldValidation: Unsupported value: "Perhaps"'),
    ],
)
async def test_options_of_writes(api: Any, query: str, said: str) -> None:
    answer = await api.call("POST", f"{MAPS}?{query}", configmap("a"))
    assert answer.status == 422
    assert "CreateOptions" in answer.json["message"]
    assert said in answer.json["message"]
    assert (await api.call("GET", f"{MAPS}/a")).status == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"propagationPolicy": "Sideways"}, 'Unsupported value: "Sideways"'),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "cannot be both set"),
    ],
)
async def test_options_of_deletes(api: Any, body: dict[str, Any], said: str) -> None:
    await api.call("POST", MAPS, configmap("a"))
    answer = await api.call("DELETE", f"{MAPS}/a", body)
    assert (answer.status, said in answer.json["message"]) == (422, True)
    assert (await api.call("GET", f"{MAPS}/a")).status == 200
