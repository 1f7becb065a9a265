"""The sandbox's faults on the real control plane: people read the same sentences, and everything recovers.

What breaks here is real (a registry that lacks the tag, a node whose lease ends, an API server that is killed); only an
image that is missing is told by the rig's own kubelet, so of that sentence the words of containerd are not compared.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import broken_words
import pytest
from product import Product, product

from rig.behaviour import Behaviour
from rig.cluster import Cluster, Rig
from rig.models import Model, Shape

pytestmark = pytest.mark.rig

CHAT = "llama3.2:1b"
PAGE = "/models/rig0/team-a/broken.json"
DEPLOYMENT = "/apis/apps/v1/namespaces/team-a/deployments/broken"
STRATEGIC = "application/strategic-merge-patch+json"
PODS = "/api/v1/namespaces/team-a/pods"


@pytest.fixture(scope="module")
def running(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product on the rig, with one model that answers."""
    rig.registry.add(Model(name=f"library/{CHAT}", shape=Shape(seed=21)))
    data = tmp_path_factory.mktemp("scenarios")
    with product(data, "--clusters", "rig0", KUBECONFIG=str(rig.kubeconfig)) as found:
        where = ("--cluster", "rig0", "-n", "team-a", "--queue", "team-a", "--name", "broken")
        found.run("host", CHAT, *where, "--gpu", "0.5", "--context", "2048", timeout=180)  # `well` waits for its answer
        yield found
        found.run("remove", "broken", "--cluster", "rig0", "--with-weights", timeout=120)


def page(running: Product, path: str) -> Any:
    asked = urllib.request.Request(running.console + path, headers={"Authorization": f"Bearer {running.token}"})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def until(running: Product, path: str, true: Callable[[Any], bool], *, limit: float = 90.0) -> Any:
    """The page once it says so; fails with what it says last."""
    deadline = time.monotonic() + limit
    while True:
        found = page(running, path)
        if "error" not in found and true(found):
            return found
        assert time.monotonic() < deadline, found.get("stage", found)
        time.sleep(0.2)


def answers(found: Any) -> bool:
    return bool(found["stage"]["stage"] == "Answering" and len(found["copies"]) == 1)


def failed(said: str) -> Callable[[Any], bool]:
    return lambda found: any(said in copy["sentence"] for copy in found["copies"])


def pods(cluster: Cluster) -> list[Any]:
    return list(cluster.api.get(f"{PODS}?labelSelector=app.kubernetes.io/name%3Dbroken")["items"])


@pytest.fixture
def well(running: Product, cluster: Cluster) -> Iterator[Cluster]:
    until(running, PAGE, answers)
    yield cluster
    until(running, PAGE, answers, limit=120)


def test_a_model_that_its_registry_lacks(running: Product, rig: Rig, well: Cluster) -> None:
    rig.registry.behave(f"library/{CHAT}", Behaviour(status=404))
    try:
        for pod in pods(well):
            well.api.delete(f"{PODS}/{pod['metadata']['name']}")
        found = until(running, PAGE, failed(broken_words.MODEL_MISSING))
        assert found["stage"]["stage"] == "Failed"
    finally:
        rig.registry.behave(f"library/{CHAT}", Behaviour())
    for pod in pods(well):  # the kubelet backs off for longer than a test should wait
        well.api.delete(f"{PODS}/{pod['metadata']['name']}")


def test_an_image_that_is_not_there(running: Product, well: Cluster) -> None:
    spec = well.api.get(DEPLOYMENT)["spec"]["template"]["spec"]
    was = {kind: [(each["name"], each["image"]) for each in spec[kind]] for kind in ("initContainers", "containers")}

    def images(**given: str) -> dict[str, Any]:
        template = {
            kind: [{"name": name, "image": given.get("image", image)} for name, image in named]
            for kind, named in was.items()
        }
        return {"spec": {"template": {"spec": template}}}

    well.api.patch(DEPLOYMENT, images(image="ollama/ollama:no-such-image"), kind=STRATEGIC)
    try:
        until(running, PAGE, failed(f"The image ollama/ollama:no-such-image {broken_words.IMAGE_MISSING}"))
    finally:
        well.api.patch(DEPLOYMENT, images(), kind=STRATEGIC)


def test_an_api_server_that_restarts_leaves_what_was_known_with_its_age(running: Product, well: Cluster) -> None:
    def column(found: Any) -> Any:
        return next(each for each in found["clusters"] if each["cluster"]["name"] == "rig0")

    before = column(until(running, "/clusters.json", lambda found: column(found)["known"]))
    well.plane.kill("kube-apiserver")
    try:
        told = column(
            until(
                running, "/clusters.json", lambda found: broken_words.API_AWAY in column(found)["cluster"]["sentence"]
            )
        )
        assert told["cluster"]["state"] == "reconnecting"
        assert (told["nodes"], told["gpus"], told["queues"]) == (before["nodes"], before["gpus"], before["queues"])
    finally:
        well.plane.start_api_server()
    until(running, "/clusters.json", lambda found: column(found)["cluster"]["state"] == "live")


def test_a_node_that_is_not_heard_of(running: Product, well: Cluster) -> None:
    (pod,) = [pod for pod in pods(well) if not pod["metadata"].get("deletionTimestamp")]
    node = pod["spec"]["nodeName"]
    well.heartbeat.silent.add(node)
    try:
        found = until(running, PAGE, failed(f"The node {node} {broken_words.NODE_LOST}"), limit=120)
        assert found["stage"]["stage"] == "Failed"
    finally:
        well.heartbeat.silent.discard(node)
    for pod in pods(well):  # the rig's kubelet, unlike a real one, does not say again that a pod is ready
        well.api.delete(f"{PODS}/{pod['metadata']['name']}")
