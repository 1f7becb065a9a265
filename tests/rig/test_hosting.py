"""The hero journey on the real thing: KAI binds, the real Ollama pulls, loads and answers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from rig_manifests import Deployed, init_state, is_ready, lines

from rig.api import JsonObject
from rig.behaviour import Behaviour
from rig.cluster import Rig
from rig.processes import wait_until
from rig.registry import Registry

pytestmark = pytest.mark.rig

Deploy = Callable[..., Deployed]
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def registry(rig: Rig) -> Iterator[Registry]:
    """The registry; models that a test told to misbehave are well again afterwards."""
    yield rig.registry
    for name in ("library/slow-chat:latest", "library/broken-chat:latest", "library/tiny-chat:latest"):
        rig.registry.behave(name, Behaviour())


def test_a_public_name_is_pulled_loaded_and_answers_a_chat_completion(deploy: Deploy) -> None:
    model = deploy("tiny-chat")
    pod = model.ready_pod()
    assert [m["name"] for m in model.ask(pod, "/api/tags")["models"]] == ["tiny-chat:latest"]
    body = {"model": "tiny-chat", "messages": HELLO, "max_tokens": 8, "temperature": 0}
    answer = model.ask(pod, "/v1/chat/completions", body)
    assert answer["usage"]["completion_tokens"] == 8
    assert answer["choices"][0]["message"]["content"]
    assert model.ask(pod, "/api/ps")["models"][0]["name"] == "tiny-chat:latest"


def test_a_private_registry_over_plain_http_needs_insecure_and_keeps_its_host_in_the_name(
    deploy: Deploy, rig: Rig
) -> None:
    reference = f"{rig.registry.address}/acme/private-chat:latest"
    model = deploy(reference, flags="--insecure")
    pod = model.ready_pod()
    assert [m["name"] for m in model.ask(pod, "/api/tags")["models"]] == [reference]
    body = {"model": reference, "messages": HELLO, "stream": False, "options": {"num_predict": 4}}
    assert model.ask(pod, "/api/chat", body)["eval_count"] == 4


def test_whoever_runs_in_the_rigs_network_reads_manifests_from_the_public_registrys_name(rig: Rig) -> None:
    url = "https://registry.ollama.ai/v2/library/tiny-chat/manifests/latest"
    with urllib.request.urlopen(url, timeout=10) as answer:
        manifest = answer.read()
    packed = rig.registry.model("library/tiny-chat:latest")
    assert packed is not None
    assert manifest == packed.manifest


def test_streams_arrive_through_the_api_server_piece_by_piece_and_end_with_the_counts(deploy: Deploy) -> None:
    model = deploy("tiny-chat")
    pod = model.ready_pod()
    body = {
        "model": "tiny-chat",
        "messages": HELLO,
        "max_tokens": 16,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with model.stream(pod, "/v1/chat/completions", body) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        events = [line.removeprefix(b"data: ") for line in answer.read().splitlines() if line]
    assert events[-1] == b"[DONE]"
    assert json.loads(events[-2])["usage"]["completion_tokens"] == 16
    assert len(events) > 5


def test_an_embedding_model_embeds_and_a_code_model_fills_in_the_middle(deploy: Deploy) -> None:
    model = deploy("tiny-embed", gpu="0")
    pod = model.ready_pod()
    answer = model.ask(pod, "/v1/embeddings", {"model": "tiny-embed", "input": ["one", "two"]})
    assert [len(item["embedding"]) for item in answer["data"]] == [64, 64]
    shown = model.ask(pod, "/api/show", {"model": "tiny-embed"})
    assert shown["capabilities"] == ["embedding"]
    pulled = lines(model.stream(pod, "/api/pull", {"model": "tiny-code"}))
    assert pulled[-1] == {"status": "success"}
    body = {
        "model": "tiny-code",
        "prompt": "def f(",
        "suffix": "return x",
        "stream": False,
        "options": {"num_predict": 5},
    }
    assert model.ask(pod, "/api/generate", body)["eval_count"] == 5
    assert "insert" in model.ask(pod, "/api/show", {"model": "tiny-code"})["capabilities"]


def test_a_slow_pull_tells_its_progress_in_bytes_through_the_pod_proxy_while_the_pod_initialises(
    deploy: Deploy, registry: Registry
) -> None:
    registry.behave("library/slow-chat:latest", Behaviour(rate=4_000_000))
    model = deploy("slow-chat")
    pod = model.wait("pulls", lambda pod: "running" in init_state(pod) and pod["status"].get("podIP"))
    wait_until("the pod's first server", lambda: model.ask(pod, "/api/version"))
    wait_until("the download", lambda: any("/storage/library/slow-chat/" in r for r in registry.requests))
    told = lines(model.stream(pod, "/api/pull", {"model": "slow-chat"}))  # cut when the first server goes
    sizes = [t["completed"] for t in told if t.get("total", 0) > 1_000_000 and "completed" in t]
    assert len(set(sizes)) > 10
    assert sizes == sorted(sizes)
    assert model.ready_pod()["status"]["phase"] == "Running"


def test_a_pull_that_breaks_restarts_the_init_container_until_it_succeeds(deploy: Deploy, registry: Registry) -> None:
    registry.behave("library/broken-chat:latest", Behaviour(corrupt=True, faults=1))
    model = deploy("broken-chat")
    pod = model.ready_pod()
    status = pod["status"]["initContainerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1
    log = model.cluster.api.get(
        f"/api/v1/namespaces/team-a/pods/{pod['metadata']['name']}/log?container=pull&previous=true"
    )
    assert "digest mismatch" in log


def test_a_connection_cut_in_the_middle_is_taken_up_where_it_broke(deploy: Deploy, registry: Registry) -> None:
    registry.behave("library/slow-chat:latest", Behaviour(cut_after=5_000_000, faults=1))
    model = deploy("slow-chat")
    pod = model.ready_pod()
    assert pod["status"]["initContainerStatuses"][0]["restartCount"] == 0


def test_a_tag_that_does_not_exist_fails_in_the_init_container_with_the_reason_in_its_log(deploy: Deploy) -> None:
    model = deploy("tiny-chat:none")
    pod = model.wait("backs off", lambda pod: init_state(pod).get("waiting", {}).get("reason") == "CrashLoopBackOff")
    path = f"/api/v1/namespaces/team-a/pods/{pod['metadata']['name']}/log?container=pull"
    assert "file does not exist" in model.cluster.api.get(path)


def test_following_a_log_brings_new_lines_and_ends_with_the_pod(deploy: Deploy) -> None:
    model = deploy("tiny-chat")
    pod = model.ready_pod()
    path = f"/api/v1/namespaces/team-a/pods/{pod['metadata']['name']}/log?container=ollama"
    assert len(model.cluster.api.get(f"{path}&tailLines=2").splitlines()) == 2
    stamped = model.cluster.api.get(f"{path}&tailLines=1&timestamps=true")
    assert stamped[:4].isdigit()
    with model.cluster.api.stream("GET", f"{path}&follow=true&tailLines=0", timeout=60) as answer:
        model.ask(pod, "/api/tags")
        assert b"/api/tags" in next(line for line in iter(answer.readline, b"") if b"/api/tags" in line)
        model.cluster.api.delete(model.path)
        assert answer.read() is not None  # returns, which it would not if the log went on


def test_a_deleted_pod_is_replaced_and_its_replacement_pulls_by_itself(deploy: Deploy) -> None:
    model = deploy("tiny-chat", gpu="0")
    first = model.ready_pod()
    model.cluster.api.delete(f"/api/v1/namespaces/team-a/pods/{first['metadata']['name']}")

    def replaced(pod: JsonObject) -> bool:
        return pod["metadata"]["uid"] != first["metadata"]["uid"] and is_ready(pod)

    second = model.wait("replaces it", replaced)
    assert second["status"]["podIP"] != first["status"]["podIP"]
    body = {"model": "tiny-chat", "messages": HELLO, "max_tokens": 2}
    assert model.ask(second, "/v1/chat/completions", body)["usage"]["completion_tokens"] == 2
    model.cluster.wait_gone(f"/api/v1/namespaces/team-a/pods/{first['metadata']['name']}")


def test_weights_on_a_claim_survive_the_pod_and_are_not_pulled_twice(deploy: Deploy, registry: Registry) -> None:
    model = deploy("tiny-chat", gpu="0", claim="kept")
    api = model.cluster.api
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept", "namespace": "team-a"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    claim = "/api/v1/namespaces/team-a/persistentvolumeclaims/kept"
    api.apply(claim, body)
    first = model.ready_pod()
    assert api.get(claim)["status"]["phase"] == "Bound"
    blobs = sum(count for request, count in registry.requests.items() if "/blobs/" in request)
    api.delete(f"/api/v1/namespaces/team-a/pods/{first['metadata']['name']}")
    model.wait("is new and Ready", lambda p: p["metadata"]["uid"] != first["metadata"]["uid"] and is_ready(p))
    assert sum(count for request, count in registry.requests.items() if "/blobs/" in request) == blobs
    model.remove()
    api.delete(claim)
    volume = f"/api/v1/persistentvolumes/{'pvc-' + api.get(claim)['metadata']['uid'] if api.exists(claim) else 'gone'}"
    model.cluster.wait_gone(volume)
