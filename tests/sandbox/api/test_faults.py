"""Faults are switched on and off over HTTP, by who may do everything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sealane.sandbox.api.faults import Setting, Withheld

FAULTS = "/sealane-sandbox/faults"
PODS = "/api/v1/pods"


async def test_too_many_requests_are_refused_so_often_as_asked(api: Any) -> None:
    await api.call("POST", FAULTS, {"too_many_requests": 2, "retry_after": 3})
    answers = [await api.call("GET", PODS) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].json["details"] == {"retryAfterSeconds": 3}


async def test_a_fault_may_be_narrowed_to_some_paths(api: Any) -> None:
    await api.call("POST", FAULTS, {"too_many_requests": 9, "match": "/nodes"})
    assert (await api.call("GET", PODS)).status == 200
    assert (await api.call("GET", "/api/v1/nodes")).status == 429


async def test_latency_delays_the_answer(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    await api.call("POST", FAULTS, {"latency": 1.5})
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert (await api.call("GET", PODS)).status == 200
    assert waited == [1.5]


async def test_settings_are_shown_and_set_back(api: Any) -> None:
    await api.call("POST", FAULTS, {"too_many_requests": 1})
    shown = (await api.call("GET", FAULTS)).json
    assert shown == {"latency": 0.0, "too_many_requests": 1, "retry_after": 1, "match": ""} | {
        "unauthorized": False,
        "hangs": False,
    }
    await api.call("POST", FAULTS, {"too_many_requests": 0})
    assert (await api.call("GET", PODS)).status == 200


async def test_compaction_expires_old_versions(api: Any) -> None:
    await api.call("POST", FAULTS, {"compact": True})
    async with api.watch(f"{PODS}?watch=1&resourceVersion=1") as following:
        assert (await following())["object"]["code"] == 410


async def test_a_cut_ends_watches_that_are_open_and_no_later_ones(api: Any) -> None:
    async with api.watch("/api/v1/namespaces?watch=1") as following:
        for _ in range(2):
            assert (await following())["type"] == "ADDED"
        await api.call("POST", FAULTS, {"cut": True})
        assert await following() is None
    async with api.watch("/api/v1/namespaces?watch=1") as following:
        assert (await following())["type"] == "ADDED"


@pytest.mark.parametrize("body", [b"{", b'{"latenzy": 1}', b'{"latency": "long"}', b"[]"])
async def test_faults_that_are_not_understood_are_refused_and_change_nothing(api: Any, body: bytes) -> None:
    answer = await api.call("POST", FAULTS, body)
    assert answer.status == 400
    assert "not understood" in answer.json["message"]
    assert (await api.call("GET", FAULTS)).json["latency"] == 0.0


async def test_others_may_not_touch_them(api: Any) -> None:
    assert (await api.call("GET", FAULTS, user="dana")).status == 403
    assert (await api.call("POST", FAULTS, {"latency": 9}, user="")).status == 403
    assert (await api.call("DELETE", FAULTS)).status == 405
    assert (await api.call("GET", f"{FAULTS}/nowhere")).status == 404


async def test_a_layer_lies_over_the_settings_and_is_lifted_alone(api: Any) -> None:
    layer = Setting(too_many_requests=1)
    api.faults.lay(layer)
    assert [(await api.call("GET", PODS)).status for _ in range(3)] == [429, 429, 429]
    api.faults.lift(layer)
    assert (await api.call("GET", PODS)).status == 200


async def test_no_credentials_do_but_the_faults_can_still_be_taken_away(api: Any) -> None:
    await api.call("POST", FAULTS, {"unauthorized": True})
    refused = await api.call("GET", PODS)
    assert (refused.status, refused.json["message"]) == (401, "Unauthorized")
    await api.call("POST", FAULTS, {"unauthorized": False})
    assert (await api.call("GET", PODS)).status == 200


async def test_a_server_that_hangs_answers_when_it_is_let_go(api: Any) -> None:
    layer = Setting(hangs=True)
    api.faults.lay(layer)
    asking = asyncio.create_task(api.call("GET", PODS))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not asking.done()
    api.faults.lift(layer)
    assert (await asking).status == 200


async def test_withheld_rights_are_refused_and_reviews_say_so(api: Any) -> None:
    covers = api.faults.withhold(Withheld(resources=("pods", "pods/log"), namespace="team"))
    refused = await api.call("GET", "/api/v1/namespaces/team/pods")
    assert refused.status == 403
    assert refused.json["message"] == (
        'pods is forbidden: User "admin" cannot list resource "pods" in API group "" in the namespace "team"'
    )
    assert (await api.call("GET", "/api/v1/namespaces/default/pods")).status == 200
    assert (await api.call("GET", PODS)).status == 403  # who lacks it in one namespace cannot have it for all
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    attributes = {"verb": "list", "resource": "pods", "namespace": "team"}
    asked = await api.call("POST", review, {"spec": {"resourceAttributes": attributes}})
    assert asked.json["status"] == {"allowed": False}
    rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    assert (await api.call("POST", rules, {"spec": {"namespace": "team"}})).json["status"]["incomplete"] is True
    api.store.withheld.remove(covers)
    assert (await api.call("GET", "/api/v1/namespaces/team/pods")).status == 200
