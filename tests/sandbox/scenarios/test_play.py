"""Every scenario breaks what it says, in the real programs' words, and heals fully."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.store import Expired
from sealane.sandbox.scenarios import book
from sealane.sandbox.world import objects

from .conftest import MODEL


def ready_of(theatre: Any, node: str) -> tuple[str, str]:
    found = objects.condition(theatre.cluster.get("nodes", "", node), "Ready")
    assert found is not None
    return found["status"], found["reason"]


def taints_of(theatre: Any, node: str) -> set[str]:
    return {
        f"{item['key']}:{item['effect']}" for item in theatre.cluster.get("nodes", "", node)["spec"].get("taints", ())
    }


def node_of(theatre: Any) -> str:
    return str(next(pod["spec"]["nodeName"] for pod in theatre.copies() if objects.active(pod)))


@pytest.mark.parametrize("name", book.shipped())
async def test_a_scenario_ends_by_itself_and_leaves_a_cluster_that_is_well(theatre: Any, name: str) -> None:
    before = {node["metadata"]["name"]: node["status"]["allocatable"] for node in theatre.cluster.list("nodes")}
    queues = {queue["metadata"]["name"]: queue["spec"] for queue in theatre.cluster.list("queues")}
    seconds = theatre.start(name).left
    await theatre.run(seconds + 1)
    assert theatre.now.ended
    assert theatre.now.faults == ()
    assert theatre.now.left == 0
    assert len(theatre.now.said) == len(book.shipped()[name].steps) + 1
    await theatre.sim.until(theatre.answers, within=60)
    assert {node["metadata"]["name"]: node["status"]["allocatable"] for node in theatre.cluster.list("nodes")} == before
    assert {queue["metadata"]["name"]: queue["spec"] for queue in theatre.cluster.list("queues")} == queues
    assert not any(taints_of(theatre, node) for node in before)
    assert all(ready_of(theatre, node) == ("True", "KubeletReady") for node in before)
    assert theatre.cluster.troubles.now == []
    assert theatre.cluster.store.withheld == []
    assert theatre.port.open
    await theatre.faults.meet("/api/v1/pods")


async def test_a_lost_node_is_noticed_then_tainted_then_given_up_and_comes_back(theatre: Any) -> None:
    lost = node_of(theatre)
    (before,) = theatre.copies()
    theatre.start("node-lost")
    await theatre.run(20)
    assert ready_of(theatre, lost) == ("True", "KubeletReady")
    await theatre.run(35)
    assert ready_of(theatre, lost) == ("Unknown", "NodeStatusUnknown")
    assert taints_of(theatre, lost) == {
        "node.kubernetes.io/unreachable:NoSchedule",
        "node.kubernetes.io/unreachable:NoExecute",
    }
    assert f"NodeNotReady: Node {lost} status is now: NodeNotReady" in theatre.events(lost)
    assert "NodeNotReady: Node is not ready" in theatre.events(before["metadata"]["name"])
    assert not theatre.answers()
    await theatre.sim.until(theatre.answers, within=120)
    assert any(reason.startswith("TaintManagerEviction") for reason in theatre.events(before["metadata"]["name"]))
    assert {objects.deleting(pod) for pod in theatre.copies()} == {True, False}
    await theatre.heal()
    await theatre.run(10)
    assert ready_of(theatre, lost) == ("True", "KubeletReady")
    assert [objects.deleting(pod) for pod in theatre.copies()] == [False]


async def test_nobody_reaches_the_pods_of_a_lost_node(theatre: Any) -> None:
    from sealane.sandbox.api.backends import NoLogs, NotListening

    (pod,) = theatre.copies()
    theatre.start("node-lost")
    await theatre.run(1)
    with pytest.raises(NotListening, match="11434: i/o timeout"):
        theatre.sim.world.backend.proxy(pod, 11434)
    options = {"follow": False, "tail_lines": None, "previous": False, "timestamps": False, "since_seconds": None}
    with pytest.raises(NoLogs, match="10250: i/o timeout"):
        async for _ in theatre.sim.world.backend.logs(pod, container="engine", **options):
            pass
    await theatre.heal()
    await theatre.run(1)
    assert theatre.sim.world.backend.proxy(pod, 11434)
    assert theatre.answers()


async def test_a_lost_card_is_offered_no_more_and_its_pod_cannot_start(theatre: Any) -> None:
    node = node_of(theatre)
    had = int(theatre.cluster.get("nodes", "", node)["status"]["allocatable"]["nvidia.com/gpu"])
    theatre.start("card-lost")
    await theatre.run(8)
    status = theatre.cluster.get("nodes", "", node)["status"]
    assert int(status["allocatable"]["nvidia.com/gpu"]) == had - 1
    assert int(status["capacity"]["nvidia.com/gpu"]) == had
    assert any("Xid (PCI:0000:41:00): 79" in text for text in theatre.events(node))
    reason, _ = theatre.waiting()
    assert reason == "CrashLoopBackOff"
    assert theatre.last()["reason"] == "StartError"
    assert theatre.last()["exitCode"] == 128
    assert "nvidia-container-cli: device error" in theatre.last()["message"]
    await theatre.heal()
    await theatre.sim.until(theatre.answers, within=15)


async def test_a_full_node_evicts_and_takes_nothing_new(theatre: Any) -> None:
    node = node_of(theatre)
    theatre.start("node-disk-full")
    await theatre.run(1)
    pressure = objects.condition(theatre.cluster.get("nodes", "", node), "DiskPressure")
    assert pressure is not None
    assert (pressure["status"], pressure["reason"]) == ("True", "KubeletHasDiskPressure")
    assert taints_of(theatre, node) == {"node.kubernetes.io/disk-pressure:NoSchedule"}
    (evicted,) = [pod for pod in theatre.copies() if pod["status"]["phase"] == "Failed"]
    assert evicted["status"]["reason"] == "Evicted"
    assert "low on resource: ephemeral-storage" in evicted["status"]["message"]
    assert "no space left on device" in theatre.cluster.troubles.image(node, "nginx:1.27")
    await theatre.sim.until(theatre.answers, within=120)
    assert node_of(theatre) != node
    await theatre.heal()
    await theatre.run(1)
    assert [pod["status"]["phase"] for pod in theatre.copies()] == ["Running"]


async def test_a_missing_image_is_told_in_the_runtimes_words(theatre: Any) -> None:
    theatre.start("image-missing")
    await theatre.sim.until(lambda: theatre.waiting(init=True)[0] == "ErrImagePull", within=20)
    _, message = theatre.waiting(init=True)
    assert message.startswith('failed to pull and unpack image "docker.io/ollama/ollama:')
    assert message.endswith(": not found")
    await theatre.sim.until(lambda: theatre.waiting(init=True)[0] == "ImagePullBackOff", within=20)
    await theatre.heal()
    await theatre.sim.until(theatre.answers, within=60)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model-missing", "pull model manifest: file does not exist"),
        ("volume-full", "no space left on device"),
        ("registry-away", "dial tcp: lookup registry.ollama.ai: no such host"),
    ],
)
async def test_a_pull_that_fails_ends_in_ollamas_words_and_starts_again(theatre: Any, name: str, words: str) -> None:
    theatre.start(name)
    await theatre.sim.until(lambda: theatre.last(init=True).get("exitCode") == 1, within=60)
    assert theatre.last(init=True)["message"].splitlines()[-1].startswith("Error: ")
    assert theatre.last(init=True)["message"].strip().endswith(words)
    await theatre.sim.until(lambda: theatre.waiting(init=True)[0] == "CrashLoopBackOff", within=60)
    assert not theatre.answers()
    await theatre.heal()
    await theatre.sim.until(theatre.answers, within=60)


async def test_a_slow_registry_pulls_slowly_and_heals_in_the_middle(theatre: Any) -> None:
    theatre.start("registry-slow")
    await theatre.run(60)
    assert not theatre.answers()
    await theatre.heal()
    await theatre.sim.until(theatre.answers, within=40)


async def test_an_engine_is_killed_again_and_again(theatre: Any) -> None:
    theatre.start("engine-crash")
    await theatre.sim.until(lambda: theatre.waiting()[0] == "CrashLoopBackOff", within=60)
    assert (theatre.last()["reason"], theatre.last()["exitCode"]) == ("OOMKilled", 137)
    await theatre.heal()
    await theatre.sim.until(theatre.answers, within=15)


async def test_a_queue_that_is_taken_away_leaves_new_pods_without_a_node(theatre: Any) -> None:
    theatre.start("queue-deleted")
    await theatre.run(40)
    assert theatre.cluster.get("queues", "", "a") is None
    (pod,) = theatre.copies()
    assert "nodeName" not in pod["spec"]
    await theatre.heal()
    assert theatre.cluster.get("queues", "", "a")["spec"]["parentQueue"] == "root"
    await theatre.sim.until(theatre.answers, within=60)


async def test_an_api_server_that_restarts_forgets_its_history(theatre: Any) -> None:
    old = theatre.cluster.store.revision
    theatre.cluster.create("configmaps", {"metadata": {"name": "x", "namespace": "team-a"}})
    theatre.start("api-restart")
    await theatre.run(1)
    assert not theatre.port.open
    assert theatre.answers()
    await theatre.heal()
    assert theatre.port.open
    with pytest.raises(Expired, match="too old resource version"):
        theatre.cluster.store.since(old, ())


@pytest.mark.parametrize(("name", "code"), [("api-busy", 429), ("token-expired", 401)])
async def test_an_api_server_refuses_as_long_as_it_is_told_to(theatre: Any, name: str, code: int) -> None:
    theatre.start(name)
    await theatre.run(2)
    for _ in range(3):
        with pytest.raises(StatusError) as caught:
            await theatre.faults.meet("/api/v1/pods")
        assert caught.value.code == code
    await theatre.heal()
    await theatre.faults.meet("/api/v1/pods")


def test_the_model_of_these_tests_is_the_one_that_is_hosted(plan: Any) -> None:
    assert plan["models"][0]["model"].replace(".", "-").replace(":", "-") == MODEL
