"""What the forms do: only through a plan, only when nothing refuses it, with what was typed kept when it fails."""

from __future__ import annotations

import asyncio

import pytest
from starlette.testclient import TestClient

from sealane.console.once import Once
from sealane.console.services import Ref, Services
from sealane.lib.errors import SealaneError
from sealane.models.types import Share
from tests.console import fakes

REF = "harbor-eu/team-code/qwen2-5-coder-7b"
QWEN = Ref("harbor-eu", "team-code", "qwen2-5-coder-7b")


def models_of(services: Services) -> fakes.FakeModels:
    assert isinstance(services.models, fakes.FakeModels)
    return services.models


def test_a_bare_deploy_hosts_the_first_model_at_the_recommended_place(visitor: TestClient, services: Services) -> None:
    answer = visitor.post("/host", data={"model": "qwen2.5-coder:7b"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/models/harbor-eu/default/qwen2-5-coder-7b?done=1"
    spec = models_of(services).submitted[0].spec
    assert (spec.cluster, spec.queue, spec.copies) == ("harbor-eu", "research", 1)
    assert spec.share.fraction
    assert spec.keep_weights


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        ({"mode": "part", "part": "0.5"}, Share(fraction=0.5)),
        ({"mode": "part", "part": "0,5"}, Share(fraction=0.5)),
        ({"mode": "whole", "cards": "2"}, Share(devices=2)),
        ({"mode": "memory", "mib": "4096"}, Share(memory_mib=4096)),
        ({"mode": "none"}, Share(devices=0)),
    ],
)
def test_a_share_is_what_was_chosen(
    visitor: TestClient, services: Services, fields: dict[str, str], share: Share
) -> None:
    assert visitor.post("/host", data={"model": "llama3.1:8b", **fields}).status_code == 303
    assert models_of(services).submitted[0].spec.share == share


@pytest.mark.parametrize(
    "fields",
    [
        {"copies": "many"},
        {"copies": "-1"},
        {"copies": "1e9"},
        {"context": "10"},
        {"mode": "part", "part": "1.5"},
        {"mode": "part", "part": "nan"},
        {"mode": "half"},
        {"cards": "0"},
        {"mib": "1"},
        {"name": "x" * 3000},
    ],
)
def test_a_number_that_does_not_do_is_said_and_nothing_is_created(
    visitor: TestClient, services: Services, fields: dict[str, str]
) -> None:
    answer = visitor.post("/host", data={"model": "llama3.1:8b", **fields})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert not models_of(services).submitted


def test_one_bad_number_costs_nothing_else_that_was_written(visitor: TestClient) -> None:
    sent = {"model": "llama3.1:8b", "copies": "many", "context": "4096", "name": "mine"}
    answer = visitor.post("/host", data=sent)
    assert answer.status_code == 422
    for written in ('value="4096"', 'value="mine"', "“many” does not do for copies"):
        assert written in fakes.shown(answer)
    linked = visitor.get("/host", params=sent)
    assert linked.status_code == 200
    assert "“many” does not do for copies" in linked.text


def test_a_refused_plan_keeps_what_was_written(visitor: TestClient, services: Services) -> None:
    sent = {"model": "llama3.1:8b", "where": "harbor-eu~research", "copies": "30", "context": "4096", "name": "mine"}
    answer = visitor.post("/host", data=sent)
    assert answer.status_code == 422
    assert "Queue research may use 6 GPUs" in answer.text
    for written in ('value="30"', 'value="4096"', 'value="mine"'):
        assert written in answer.text
    assert not models_of(services).submitted


def test_a_part_where_nothing_can_be_shared_is_refused_with_the_way_out(visitor: TestClient) -> None:
    answer = visitor.post("/host", data={"model": "llama3.1:8b", "where": "bench~", "mode": "part", "part": "0.5"})
    assert answer.status_code == 400
    assert "no KAI Scheduler" in answer.text
    assert "--gpu 1" in answer.text


def test_a_refusal_of_the_server_keeps_what_was_written(visitor: TestClient, services: Services) -> None:
    class NameTaken(SealaneError):
        code = "name-taken"
        http_status = 409

    models_of(services).refuse = NameTaken("A Deployment named mine exists in team-code already.")
    answer = visitor.post("/host", data={"model": "llama3.1:8b", "name": "mine", "namespace": "team-code"})
    assert answer.status_code == 409
    assert "exists in team-code already" in answer.text
    assert 'value="mine"' in answer.text


def test_an_unknown_model_names_the_nearest(visitor: TestClient) -> None:
    answer = visitor.post("/host", data={"model": "qwen2.5-coder:8b"})
    assert answer.status_code == 404
    assert "qwen2.5-coder:7b" in answer.text


def test_a_form_that_is_sent_twice_hosts_once(visitor: TestClient, services: Services) -> None:
    sent = {"model": "llama3.1:8b", "once": "mark"}
    first, second = visitor.post("/host", data=sent), visitor.post("/host", data=sent)
    assert first.headers["location"] == second.headers["location"]
    assert len(models_of(services).submitted) == 1
    assert visitor.post("/host", data={**sent, "once": "other"}).status_code == 303
    assert len(models_of(services).submitted) == 2


async def test_who_comes_while_the_work_is_done_gets_its_outcome() -> None:
    once: Once[int] = Once()
    begun, go, done = asyncio.Event(), asyncio.Event(), []

    async def work() -> int:
        begun.set()
        await go.wait()
        done.append(1)
        return len(done)

    first = asyncio.create_task(once.do("mark", work))
    await begun.wait()
    second = asyncio.create_task(once.do("mark", work))
    go.set()
    assert [await first, await second] == [1, 1]


async def test_after_a_failure_those_who_wait_still_go_one_by_one() -> None:
    once: Once[int] = Once()
    go, calls = asyncio.Event(), []

    async def work() -> int:
        calls.append(len(calls))
        if len(calls) == 1:
            await asyncio.sleep(0)
            raise ValueError("failed")
        await go.wait()
        return 7

    first = asyncio.create_task(once.do("mark", work))
    second = asyncio.create_task(once.do("mark", work))
    await asyncio.wait({first})
    third = asyncio.create_task(once.do("mark", work))
    for _ in range(5):
        await asyncio.sleep(0)
    go.set()
    assert [await second, await third] == [7, 7]
    assert isinstance(first.exception(), ValueError)
    assert len(calls) == 2


async def test_what_failed_may_be_sent_again() -> None:
    once: Once[int] = Once()

    async def fails() -> int:
        raise ValueError("failed")

    async def works() -> int:
        return 7

    with pytest.raises(ValueError, match="failed"):
        await once.do("mark", fails)
    assert await once.do("mark", works) == 7


def test_a_script_may_host_with_json(script: TestClient, services: Services) -> None:
    answer = script.post("/host", json={"model": "llama3.1:8b", "copies": 2, "name": "mine"})
    assert answer.status_code == 201
    assert answer.json() == {"cluster": "harbor-eu", "namespace": "default", "name": "mine"}
    refused = script.post("/host", json={"model": "llama3.1:8b", "copies": 99})
    assert refused.json()["error"]["code"] == "copies-over-quota"


def test_json_that_is_broken_is_one_sentence(script: TestClient) -> None:
    answer = script.post("/host", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "cannot be read" in answer.json()["error"]["sentence"]


def test_the_preview_brings_every_part_that_follows(visitor: TestClient) -> None:
    address = "/host/preview?sent=1&model=llama3.3:70b&where=harbor-eu~research&mode=auto"
    html = visitor.get(address, headers={"HX-Request": "true"}).text
    for part in ("r-where", "r-bar", "r-summary", "r-created", "r-namespace"):
        assert f'hx-target="#{part}"' in html
    assert "pick--barred" in html
    assert "the largest card of bench has 24.0 GiB" in html


def test_without_a_script_the_preview_is_the_form(visitor: TestClient) -> None:
    answer = visitor.get("/host/preview?model=llama3.1:8b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/host?model=llama3.1:8b"


def test_a_reference_can_be_pasted(visitor: TestClient) -> None:
    html = fakes.shown(visitor.get("/host?q=hf.co/owner/model"))
    assert 'value="hf.co/owner/model"' in html
    assert "From a registry" in html
    assert visitor.post("/host", data={"model": "hf.co/owner/model:Q4", "mode": "none"}).status_code == 303


def test_a_place_that_is_not_there_is_refused_and_nothing_is_hosted_elsewhere(
    visitor: TestClient, services: Services
) -> None:
    answer = visitor.post("/host", data={"model": "llama3.1:8b", "where": "nowhere~x"})
    assert answer.status_code == 404
    assert "There is no place nowhere / x now" in fakes.shown(answer)
    assert not models_of(services).submitted


def test_without_a_place_the_recommended_one_is_taken(visitor: TestClient, services: Services) -> None:
    assert visitor.post("/host", data={"model": "llama3.1:8b"}).status_code == 303
    assert models_of(services).submitted[0].spec.cluster == "harbor-eu"


def test_the_model_page_shows_the_change_before_it_is_made(visitor: TestClient, services: Services) -> None:
    html = visitor.get(f"/change/{REF}?copies=3", headers={"HX-Request": "true"}).text
    assert "Will change, 1 line" in html
    assert "replicas: 3" in html
    assert not models_of(services).scaled


def test_copies_alone_are_scaled_and_can_be_put_back(visitor: TestClient, services: Services) -> None:
    answer = visitor.post(f"/change/{REF}", data={"copies": "3"})
    assert answer.headers["location"] == f"/models/{REF}?done=1"
    page = fakes.shown(visitor.get(answer.headers["location"]))
    assert "Changed copies from 2 to 3" in page
    assert f'action="/undo/{REF}"' in page
    assert visitor.post(f"/undo/{REF}").status_code == 303
    assert models_of(services).scaled == [(QWEN, 3), (QWEN, 2)]
    assert visitor.post(f"/undo/{REF}").status_code == 422


def test_an_undo_is_not_offered_after_ten_minutes(visitor: TestClient, services: Services) -> None:
    visitor.post(f"/change/{REF}", data={"copies": "3"})
    services.clock.advance(601)  # type: ignore[attr-defined]
    assert f'action="/undo/{REF}"' not in fakes.shown(visitor.get(f"/models/{REF}"))


def test_other_knobs_are_applied_as_a_plan(visitor: TestClient, services: Services) -> None:
    fields = {"copies": "2", "context": "16384", "mode": "part", "part": "0.5"}
    assert visitor.post(f"/change/{REF}", data=fields).status_code == 303
    spec = models_of(services).submitted[0].spec
    assert (spec.context, spec.share, spec.copies) == (16384, Share(fraction=0.5), 2)


def test_a_refused_change_comes_back_with_what_was_turned(visitor: TestClient, services: Services) -> None:
    answer = visitor.post(f"/change/{REF}", data={"copies": "30", "context": "4096"})
    assert answer.status_code == 422
    assert 'value="30"' in answer.text
    assert "Queue research may use 6 GPUs" in answer.text
    assert not models_of(services).submitted


def test_nothing_turned_is_said(visitor: TestClient) -> None:
    answer = visitor.post(f"/change/{REF}", data={"copies": "2"})
    assert answer.status_code == 422
    assert "nothing was changed" in answer.text


def test_restart_restarts(visitor: TestClient, services: Services) -> None:
    assert visitor.post(f"/restart/{REF}").status_code == 303
    assert models_of(services).restarted == [QWEN]


def test_a_removal_lists_what_goes_and_what_stays_before_and_after(visitor: TestClient, services: Services) -> None:
    before = visitor.get(f"/remove/{REF}").text
    assert "Deployment qwen2-5-coder-7b" in before
    assert "4.7 GB of weights" in before
    after = visitor.post(f"/remove/{REF}").text
    assert "was removed" in after
    assert "stayed" in after
    assert QWEN not in models_of(services).details


def test_weights_go_only_when_ticked(script: TestClient) -> None:
    answer = script.post(f"/remove/{REF}", data={"weights": "1"}).json()
    assert answer["stayed"] == []
    assert len(answer["went"]) == 3


def test_a_test_says_what_was_tried(visitor: TestClient) -> None:
    html = visitor.post(f"/test/{REF}", data={"editor": "continue"}, headers={"HX-Request": "true"}).text
    assert "Works." in html
    assert "212 ms" in html
    whole = visitor.post(f"/test/{REF}", data={"editor": "zed"}).text
    assert "Works." in whole
    assert "<h1" in whole


def test_a_failed_test_gives_the_fix_and_not_the_key(script: TestClient, services: Services) -> None:
    assert isinstance(services.editors, fakes.FakeEditors)
    services.editors.works = False
    proof = script.post(f"/test/{REF}", data={"editor": "continue"}).json()
    assert not proof["ok"]
    assert proof["checks"][0]["fix"][0]["title"] == "Make a new key"
    assert fakes.KEY not in str(proof)


def test_saving_writes_once_and_says_where(visitor: TestClient, services: Services) -> None:
    assert isinstance(services.editors, fakes.FakeEditors)
    answer = visitor.post(f"/save/{REF}", data={"editor": "continue"})
    assert answer.status_code == 303
    assert services.editors.saved == ["continue"]
    assert "Wrote ~/.continue/config.yaml" in fakes.shown(visitor.get(answer.headers["location"]))


def test_a_new_key_is_shown_once(visitor: TestClient) -> None:
    made = visitor.post("/keys", data={"name": "ci"})
    assert made.status_code == 201
    assert "sk-sealane-the-secret-zz99" in made.text
    assert "sk-sealane-the-secret-zz99" not in visitor.get("/keys").text


@pytest.mark.parametrize("name", ["", "  ", "x" * 61])
def test_a_key_needs_a_name(visitor: TestClient, name: str) -> None:
    answer = visitor.post("/keys", data={"name": name})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


def test_a_revoked_key_is_listed_as_such(visitor: TestClient, services: Services) -> None:
    assert visitor.post("/keys/k1/revoke").status_code == 303
    assert isinstance(services.keys, fakes.FakeKeys)
    assert services.keys.items[0].revoked
    assert visitor.post("/keys/k9/revoke").status_code == 404


def test_changing_clusters_is_asked_of_the_process(visitor: TestClient, services: Services) -> None:
    assert isinstance(services.switch, fakes.FakeSwitch)
    assert visitor.post("/switch", data={"clusters": "prod-fra"}).status_code == 303
    assert services.switch.used == ["prod-fra"]
    assert visitor.post("/switch", data={}).status_code == 422
