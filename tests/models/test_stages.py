"""Every stage and failure that a hosted model can show, from snapshots in the shapes of the real control plane."""

from __future__ import annotations

from typing import Any

import hosting as h
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.models import stages
from sealane.models.stage_views import EngineFacts, Pull, QueueFact


def stage(**parts: Any) -> tuple[str, str]:
    parts.setdefault("deployed", h.deployment())
    found = stages.stage_of(h.snapshot(**parts))
    return found.stage, found.sentence


def test_a_deployment_without_pods_is_submitted() -> None:
    assert stage()[0] == "Submitted"


def test_seconds_count_from_the_deployments_creation() -> None:
    assert stages.stage_of(h.snapshot(deployed=h.deployment(), after=42)).seconds == 42


def test_a_removed_model_says_so() -> None:
    name, sentence = stage(deployed=None)
    assert name == "Failed"
    assert sentence == "There is no qwen in namespace team-a of harbor-eu: it was removed."


def test_a_model_scaled_to_zero_waits_to_be_asked() -> None:
    assert stage(deployed=h.deployment(copies=0)) == (
        "Waiting",
        "qwen is scaled to 0 copies; ask for one to start it.",
    )


def test_a_pod_without_a_node_waits_with_the_schedulers_reason() -> None:
    name, sentence = stage(pods=[h.unscheduled("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.")])
    assert name == "Waiting"
    assert sentence == "qwen-1-a has no node yet: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu."


def test_a_bound_pod_is_scheduled() -> None:
    assert stage(pods=[h.pod(node="gpu-a")]) == ("Scheduled", "qwen-1-a has a place on gpu-a.")


def test_an_image_on_its_way_is_told_from_the_events() -> None:
    parts = {"pods": [h.pod(node="gpu-a", pull=h.CREATING)], "events": [h.event("Pulling")]}
    assert stage(**parts) == ("Image", "gpu-a fetches the image ollama/ollama:0.23.0.")
    parts["events"].append(h.event("Pulled", at=2))
    assert stage(**parts)[0] == "Scheduled"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_fails_with_name_and_node(reason: str) -> None:
    broken = h.pod(node="gpu-a", pull=h.waiting(reason, "manifest for ollama/ollama:0.23.0 not found"))
    name, sentence = stage(pods=[broken])
    assert name == "Failed"
    assert sentence == (
        "The image ollama/ollama:0.23.0 cannot be pulled on gpu-a: manifest for ollama/ollama:0.23.0 not found."
    )


def test_a_missing_secret_fails_with_its_name() -> None:
    pod = h.pod(node="gpu-a", pull=h.waiting("CreateContainerConfigError", 'secret "qwen-registry" not found'))
    assert stage(pods=[pod]) == (
        "Failed",
        'The container pull of qwen-1-a cannot be made: secret "qwen-registry" not found.',
    )


def test_a_running_pull_shows_bytes_once_the_engine_tells_them() -> None:
    pods = [h.pod(node="gpu-a", pull=h.RUNNING, engine=h.CREATING)]
    assert stage(pods=pods) == ("Pulling", "qwen-1-a pulls qwen2.5-coder:7b.")
    engines = {"qwen-1-a": EngineFacts(pull=Pull(status="pulling", done=2_100_000_000, total=4_700_000_000))}
    found = stages.stage_of(h.snapshot(deployed=h.deployment(), pods=pods, engines=engines))
    assert found.sentence == "Pulling qwen2.5-coder:7b: 2.1 GB of 4.7 GB."
    assert found.progress == pytest.approx(2.1 / 4.7)
    assert (found.done_bytes, found.total_bytes) == (2_100_000_000, 4_700_000_000)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "pulling manifest\nError: pull model manifest: file does not exist",
            "The model qwen2.5-coder:7b does not exist in its registry; check the exact tag "
            "(pull model manifest: file does not exist).",
        ),
        (
            'Error: pull model manifest: Get "https://registry": dial tcp: lookup registry: no such host',
            "The pod cannot reach the registry of qwen2.5-coder:7b "
            '(pull model manifest: Get "https://registry": dial tcp: lookup registry: no such host).',
        ),
        (
            "Error: write /models/x: no space left on device",
            "The volume is full, so qwen2.5-coder:7b cannot be pulled (write /models/x: no space left on device).",
        ),
        (
            "Error: unauthorized: access denied",
            "The registry does not let this cluster pull qwen2.5-coder:7b (unauthorized: access denied).",
        ),
        (
            "",
            "Pulling qwen2.5-coder:7b failed and the engine left no reason; see the log of the container pull.",
        ),
    ],
)
def test_a_failed_pull_is_told_from_the_containers_last_words(said: str, sentence: str) -> None:
    assert stage(pods=[h.pod(node="gpu-a", pull=h.crashed(message=said), engine=h.CREATING)]) == ("Failed", sentence)


def test_a_pull_that_the_engine_refuses_fails_before_the_container_ends() -> None:
    engines = {"qwen-1-a": EngineFacts(error="pull model manifest: file does not exist")}
    name, sentence = stage(pods=[h.pod(node="gpu-a", pull=h.RUNNING)], engines=engines)
    assert name == "Failed"
    assert "check the exact tag" in sentence


def test_a_pull_killed_for_memory_names_the_container() -> None:
    name, sentence = stage(pods=[h.pod(node="gpu-a", pull=h.crashed(code=137, reason="OOMKilled", restarts=1))])
    assert name == "Failed"
    assert sentence == "The container pull needed more memory than the memory of its node and was killed (OOMKilled)."


def test_an_engine_that_is_not_ready_loads() -> None:
    pod = h.pod(node="gpu-a", phase="Running", conditions=h.NOT_READY, pull=h.DONE, engine=h.RUNNING)
    assert stage(pods=[pod]) == ("Loading", "The engine of qwen-1-a starts on gpu-a.")


def test_ready_is_loading_until_the_model_is_in_memory() -> None:
    assert stage(pods=[h.answering()]) == ("Loading", "gpu-a loads qwen2.5-coder:7b into memory.")
    loaded = {"qwen-1-a": EngineFacts(loaded=True)}
    assert stage(pods=[h.answering()], engines=loaded) == ("Answering", "qwen2.5-coder:7b answers on gpu-a.")


def test_without_the_right_to_ask_the_engine_ready_is_all_that_is_known() -> None:
    name, sentence = stage(pods=[h.answering()], engines={"qwen-1-a": EngineFacts(closed=True)})
    assert name == "Answering"
    assert "pods/proxy" in sentence


def test_a_stored_model_that_nobody_loads_answers_with_a_slow_first_request() -> None:
    name, sentence = stage(pods=[h.answering()], engines={"qwen-1-a": EngineFacts(stored=True)})
    assert name == "Answering"
    assert "the first request loads it" in sentence


def test_a_model_larger_than_memory_fails_with_both_numbers() -> None:
    said = "model requires more system memory (9.3 GiB) than is available (7.6 GiB)"
    name, sentence = stage(pods=[h.answering()], engines={"qwen-1-a": EngineFacts(error=said)})
    assert name == "Failed"
    assert sentence.startswith("qwen2.5-coder:7b needs 9.3 GiB of memory to load and the pod has 7.6 GiB")


def test_an_engine_killed_for_memory_names_its_limit() -> None:
    pod = h.pod(node="gpu-a", pull=h.DONE, engine=h.crashed(code=137, reason="OOMKilled", restarts=4))
    assert stage(pods=[pod]) == (
        "Failed",
        "The container ollama needed more memory than its limit of 8Gi and was killed (OOMKilled)."
        " It was restarted 4 times.",
    )


def test_a_crash_loop_carries_the_last_line_of_the_log() -> None:
    pod = h.pod(node="gpu-a", pull=h.DONE, engine=h.crashed(message="starting\nError: listen tcp: address in use\n"))
    name, sentence = stage(pods=[pod])
    assert name == "Failed"
    assert sentence.startswith("The container ollama ended with code 1: listen tcp: address in use.")


def test_an_evicted_pod_fails_with_the_kubelets_words() -> None:
    pod = h.pod(node="gpu-a", phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert stage(pods=[pod]) == ("Failed", "qwen-1-a was evicted from gpu-a: The node was low on resource: memory.")


def test_an_evicted_copy_says_no_more_once_its_successor_is_there() -> None:
    gone = h.pod("qwen-1-a", node="gpu-a", phase="Failed", reason="Evicted", message="The node was low on resource.")
    pods = [gone, h.pod("qwen-1-b", node="gpu-b", pull=h.RUNNING, engine=h.CREATING)]
    assert stage(pods=pods) == ("Pulling", "qwen-1-b pulls qwen2.5-coder:7b.")


def test_a_copy_on_a_node_that_is_not_heard_of_does_not_answer() -> None:
    conditions = [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}]
    lost = h.pod(node="gpu-a", conditions=conditions, pull=h.DONE, engine=h.RUNNING | {"ready": True})
    engines = {"qwen-1-a": EngineFacts(loaded=True)}
    assert stage(pods=[lost], engines=engines) == (
        "Failed",
        "The node gpu-a is not heard of any more, so nobody reaches qwen-1-a; "
        "Kubernetes makes it anew elsewhere if the node stays away.",
    )


@pytest.mark.parametrize(
    ("message", "events"),
    [
        ('Back-off pulling image "ollama/ollama:0.23.0": ErrImagePull: no such thing', []),
        (
            'Back-off pulling image "ollama/ollama:0.23.0"',
            ['Failed to pull image "ollama/ollama:0.23.0": no such thing'],
        ),
        ("no such thing", []),
    ],
)
def test_an_image_fails_for_the_same_reason_while_its_pull_backs_off(message: str, events: list[str]) -> None:
    pod = h.pod(node="gpu-a", pull=h.waiting("ImagePullBackOff", message))
    told = [h.event("Failed", text) for text in events]
    sentence = "The image ollama/ollama:0.23.0 cannot be pulled on gpu-a: no such thing."
    assert stage(pods=[pod], events=told) == ("Failed", sentence)


@pytest.mark.parametrize(
    ("ended", "restarts", "tail"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, 1, "was killed for its memory (OOMKilled) and was restarted once"),
        ({"exitCode": 2, "reason": "Error"}, 3, "ended with code 2 and was restarted 3 times"),
    ],
)
def test_an_engine_that_loads_again_says_why(ended: dict[str, Any], restarts: int, tail: str) -> None:
    engine = h.RUNNING | {"lastState": {"terminated": ended}, "restartCount": restarts}
    pod = h.pod(node="gpu-a", conditions=h.READY, pull=h.DONE, engine=engine)
    assert stage(pods=[pod]) == ("Loading", f"gpu-a loads qwen2.5-coder:7b into memory again: the engine {tail}.")


@pytest.mark.parametrize(("ready", "name", "verb"), [(1, "Answering", "is"), (0, "Submitted", "are")])
def test_pods_that_may_not_be_listed_are_not_taken_for_missing(ready: int, name: str, verb: str) -> None:
    deployed = h.deployment()
    deployed["status"] = {"readyReplicas": ready}
    assert stage(deployed=deployed, pods_hidden=True) == (
        name,
        f"{ready} of 1 copy {verb} ready; you have no permission to list pods in namespace team-a of harbor-eu, "
        "so that is all that is known.",
    )


def test_refused_creation_is_read_from_the_deployments_condition() -> None:
    message = (
        'admission webhook "kai-admission" denied the request: '
        "cannot have both GPU fraction request and whole GPU resource request/limit"
    )
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    assert stage(deployed=h.deployment(conditions=[condition])) == (
        "Failed",
        "The cluster refuses the pod: cannot have both GPU fraction request and whole GPU resource request/limit"
        " (admission webhook kai-admission).",
    )


def test_refused_creation_is_read_from_the_last_event_before_there_is_a_condition() -> None:
    events = [
        h.event("FailedCreate", "pods is forbidden: old", about="rs-team-a-qwen-1", at=1),
        h.event(
            "FailedCreate", 'violates PodSecurity "restricted:latest": runAsNonRoot', about="rs-team-a-qwen-1", at=2
        ),
    ]
    name, sentence = stage(events=events)
    assert name == "Failed"
    assert sentence == "Pod Security restricted:latest of this namespace refuses the pod: runAsNonRoot."


def test_a_used_up_quota_waits_because_others_may_make_room() -> None:
    message = (
        'pods "qwen-1-a" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, '
        "used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4"
    )
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    assert stage(deployed=h.deployment(conditions=[condition])) == (
        "Waiting",
        "The quota gpus of this namespace is used up: asked requests.nvidia.com/gpu=1, "
        "used requests.nvidia.com/gpu=4, limit requests.nvidia.com/gpu=4.",
    )


def test_the_models_stage_is_its_best_copy_and_counts_the_others() -> None:
    name, sentence = stage(
        deployed=h.deployment(copies=2),
        pods=[h.answering(), h.unscheduled("0/2 nodes are available.", name="qwen-1-b")],
        engines={"qwen-1-a": EngineFacts(loaded=True)},
    )
    assert name == "Answering"
    assert sentence == "1 of 2 copies answers. Waiting: qwen-1-b has no node yet: 0/2 nodes are available."


def test_two_answering_copies_need_no_more_words() -> None:
    engines = {"qwen-1-a": EngineFacts(loaded=True), "qwen-1-b": EngineFacts(loaded=True)}
    pods = [h.answering(), h.answering("qwen-1-b")]
    assert stage(deployed=h.deployment(copies=2), pods=pods, engines=engines) == (
        "Answering",
        "2 of 2 copies answer.",
    )


def test_one_failed_copy_does_not_fail_the_model_while_another_pulls() -> None:
    pods = [
        h.pod(node="gpu-a", pull=h.RUNNING),
        h.pod("qwen-1-b", node="gpu-a", pull=h.waiting("ErrImagePull", "no such image")),
    ]
    assert stage(deployed=h.deployment(copies=2), pods=pods)[0] == "Pulling"


def test_a_leaving_pod_does_not_count() -> None:
    assert stage(pods=[h.answering(leaving=True)])[0] == "Submitted"


def test_a_missing_queue_is_found_although_kai_says_nothing() -> None:
    queues = (QueueFact(name="root", leaf=False), QueueFact(name="vision", leaf=True), QueueFact(name="nlp", leaf=True))
    name, sentence = stage(pods=[h.pod(queue="visoin")], queues=queues)
    assert name == "Waiting"
    assert sentence == (
        "Queue visoin does not exist in harbor-eu, so KAI never looks at this pod. "
        "Queues that take work: vision and nlp."
    )


STATES = st.sampled_from([None, h.RUNNING, h.DONE, h.CREATING, h.crashed(), h.waiting("ErrImagePull"), {}])


@given(
    node=st.sampled_from(["", "gpu-a"]),
    queue=st.sampled_from(["", "vision", "gone"]),
    phase=st.sampled_from(["", "Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    conditions=st.sampled_from([[], h.READY, h.NOT_READY]),
    pull=STATES,
    engine=STATES,
    facts=st.builds(
        EngineFacts,
        loaded=st.booleans(),
        closed=st.booleans(),
        stored=st.booleans(),
        error=st.sampled_from(["", "model not found", "strange"]),
        pull=st.one_of(
            st.none(), st.builds(Pull, done=st.integers(0, 9), total=st.integers(0, 9), status=st.just("pulling"))
        ),
    ),
    leaving=st.booleans(),
    copies=st.integers(0, 3),
)
def test_any_snapshot_has_one_stage_and_one_finished_sentence(**parts: Any) -> None:
    facts, copies = parts.pop("facts"), parts.pop("copies")
    snapshot = h.snapshot(
        deployed=h.deployment(copies=copies),
        pods=[h.pod(**parts)],
        queues=(QueueFact(name="vision", leaf=True),),
        engines={"qwen-1-a": facts},
    )
    found = stages.stage_of(snapshot)
    assert found.stage in stages.ORDER
    assert found.sentence.endswith(".")
    assert not found.sentence.endswith("..")
    assert found.progress is None or 0.0 <= found.progress <= 1.0
    assert found.stage != "Answering" or (facts.loaded or facts.closed or facts.stored)


def test_an_engine_that_answered_and_is_out_of_reach_is_no_answering_one() -> None:
    name, sentence = stage(pods=[h.answering()], engines={"qwen-1-a": EngineFacts(silent=True)})
    assert name == "Failed"
    assert sentence.startswith("qwen-1-a answered and is out of reach now, though Kubernetes still calls it ready;")
    assert "gpu-a" in sentence
