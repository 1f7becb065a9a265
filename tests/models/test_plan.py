"""What a plan creates, refuses and warns of; and what no plan may ever do."""

from __future__ import annotations

import re
from typing import Any

import pod_security
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model_samples import card, kai, node, plain, queue, spec

from sealane.gpus.facts import ClusterFacts
from sealane.lib.errors import SealaneError
from sealane.models import catalogue, errors
from sealane.models.plan import plan
from sealane.models.types import ModelSpec, Plan, Share


def made(wish: ModelSpec | None = None, facts: ClusterFacts | None = None, **more: Any) -> Plan:
    wish = wish or spec(**more)
    return plan(wish, card(wish.model), facts or kai())


def one(found: Plan, kind: str) -> dict[str, Any]:
    (item,) = [item for item in found.manifests if item["kind"] == kind]
    return item


def pod(found: Plan) -> dict[str, Any]:
    spec_: dict[str, Any] = one(found, "Deployment")["spec"]["template"]["spec"]
    return spec_


def env(found: Plan, container: str = "containers") -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in pod(found)[container][0]["env"]}


def refusal(found: Plan, kind: type[SealaneError]) -> SealaneError:
    (only,) = found.refusals
    assert isinstance(only, kind)
    return only


def test_a_name_alone_gives_a_whole_plan() -> None:
    found = made()
    assert not found.refusals
    assert found.spec.name == "qwen2-5-coder-7b"
    assert found.spec.share.text == "0.25"
    assert found.spec.queue == "research"
    assert found.placement.starts == "now"
    assert [item["kind"] for item in found.manifests] == ["PersistentVolumeClaim", "Service", "Deployment"]
    assert found.fit.total_bytes == pytest.approx(5.1 * 1024**3, rel=0.02)


def test_on_kai_a_part_is_an_annotation_and_never_a_limit() -> None:
    found = made(share=Share(fraction=0.5))
    template = one(found, "Deployment")["spec"]["template"]
    assert template["metadata"]["annotations"]["gpu-fraction"] == "0.5"
    assert template["metadata"]["labels"]["kai.scheduler/queue"] == "research"
    assert one(found, "Deployment")["metadata"]["labels"]["kai.scheduler/queue"] == "research"
    assert template["spec"]["schedulerName"] == "kai-scheduler"
    assert "limits" not in pod(found)["containers"][0]["resources"]


def test_on_kai_memory_is_an_annotation_in_mib() -> None:
    found = made(share=Share(memory_mib=8192))
    annotations = one(found, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["gpu-memory"] == "8192"
    assert "gpu-fraction" not in annotations


def test_whole_cards_are_a_limit() -> None:
    found = made(share=Share(devices=2))
    resources = pod(found)["containers"][0]["resources"]
    assert resources["limits"] == {"nvidia.com/gpu": "2"}
    assert "gpu-fraction" not in one(found, "Deployment")["spec"]["template"]["metadata"]["annotations"]


def test_without_kai_it_is_a_plain_deployment() -> None:
    found = made(facts=plain(), cluster="bench")
    assert found.spec.share == Share(devices=1)
    assert found.spec.queue == ""
    assert "schedulerName" not in pod(found)
    assert "kai.scheduler/queue" not in str(found.manifests)
    assert pod(found)["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1"}


def test_without_a_gpu_it_runs_on_cpu_and_sees_no_card() -> None:
    found = made(facts=plain(nodes=(node("desk", free=()),)), model="llama3.2:1b")
    assert not found.refusals
    assert found.spec.share == Share(devices=0)
    assert env(found)["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "tolerations" not in pod(found)
    assert any("CPU only" in warning for warning in found.warnings)


def test_the_exact_tag_travels_to_annotation_and_pull() -> None:
    found = made(model="qwen2.5-coder")
    assert found.spec.model == "qwen2.5-coder:latest"
    assert env(found, "initContainers")["SEALANE_MODEL"] == "qwen2.5-coder:latest"
    assert all(
        item["metadata"]["annotations"]["sealane.dev/model"] == "qwen2.5-coder:latest" for item in found.manifests
    )


def test_the_engine_is_held_to_one_context_and_one_model() -> None:
    found = made(context=16_384, parallel=2, kv="q8_0")
    pairs = env(found)
    assert pairs["OLLAMA_CONTEXT_LENGTH"] == "16384"
    assert pairs["OLLAMA_NUM_PARALLEL"] == "2"
    assert pairs["OLLAMA_MAX_LOADED_MODELS"] == "1"
    assert pairs["OLLAMA_KEEP_ALIVE"] == "-1"
    assert pairs["OLLAMA_KV_CACHE_TYPE"] == "q8_0"
    assert pairs["OLLAMA_FLASH_ATTENTION"] == "1"


def test_the_overhead_is_what_the_part_has_beyond_the_need() -> None:
    """Taken from free memory by Ollama, it must leave the model its own need beside full neighbours."""
    small, large = made(share=Share(fraction=0.25)), made(share=Share(fraction=0.5))
    on_small_card = 24_564 * 1024**2 // 2
    overhead = int(env(large)["OLLAMA_GPU_OVERHEAD"])
    need = on_small_card - overhead
    assert need > large.fit.total_bytes
    assert int(env(small).get("OLLAMA_GPU_OVERHEAD", "0")) < overhead
    assert "OLLAMA_GPU_OVERHEAD" not in env(made(share=Share(devices=1)))


def test_kept_weights_are_a_claim_whose_users_share_a_node() -> None:
    found = made()
    claim = one(found, "PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "qwen2-5-coder-7b-weights"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"
    (term,) = pod(found)["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert one(found, "Deployment")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_several_copies_have_a_volume_each() -> None:
    found = made(copies=2)
    assert [item["kind"] for item in found.manifests] == ["Service", "Deployment"]
    template = pod(found)["volumes"][0]["ephemeral"]["volumeClaimTemplate"]
    assert template["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert "podAffinity" not in pod(found).get("affinity", {})
    assert any("volume of its own" in warning for warning in found.warnings)


@pytest.mark.parametrize(("storage", "source"), [("claim", "persistentVolumeClaim"), ("each", "ephemeral")])
def test_a_turned_knob_keeps_the_kind_of_volume_that_is_there(storage: str, source: str) -> None:
    """An apply that turns one kind of volume into another is refused by the API server."""
    for copies in (1, 2, 3):
        assert source in pod(made(copies=copies, storage=storage))["volumes"][0]


@pytest.mark.parametrize("change", [{"keep_weights": False}, {"facts": kai(storage_class="")}])
def test_without_a_volume_the_node_holds_the_weights(change: dict[str, Any]) -> None:
    found = made(**change)
    assert pod(found)["volumes"] == [{"name": "models", "emptyDir": {}}]
    assert any("downloads 4.7 GB again" in warning for warning in found.warnings)


def test_a_part_that_is_too_small_on_other_cards_keeps_off_them() -> None:
    """0.25 of 45 GiB holds it, 0.25 of 12 GiB does not."""
    facts = kai(nodes=(node("small", memory_mib=12_288), node("large")))
    found = made(facts=facts, share=Share(fraction=0.25))
    (term,) = pod(found)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    (rule,) = term["matchExpressions"]
    assert rule["key"] == "nvidia.com/gpu.memory"
    assert rule["operator"] == "Gt"
    assert 12_288 < int(rule["values"][0]) < 46_068


def test_gpu_nodes_may_be_tainted() -> None:
    assert pod(made())["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_a_registry_key_is_mounted_from_its_secret() -> None:
    found = made(registry_secret="ollama-key", insecure_registry=True)
    assert pod(found)["volumes"][1]["secret"]["secretName"] == "ollama-key"
    mount = pod(found)["initContainers"][0]["volumeMounts"][1]
    assert mount["mountPath"] == "/models/.ollama/id_ed25519"
    assert env(found, "initContainers")["SEALANE_PULL_FLAGS"] == "--insecure"


def test_a_missing_tag_stays_readable_after_the_pull_failed() -> None:
    pull = pod(made())["initContainers"][0]
    assert pull["name"] == "pull"
    assert pull["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert 'ollama pull $SEALANE_PULL_FLAGS "$SEALANE_MODEL"' in pull["command"][2]


def test_a_part_without_kai_is_refused() -> None:
    found = made(facts=plain(), share=Share(fraction=0.5))
    assert refusal(found, errors.FractionWithoutKai).sentence == (
        "bench has no KAI scheduler, so it cannot give 0.5 of a card, only whole cards."
    )
    assert "gpu-fraction" not in str(found.manifests)


def test_a_part_with_sharing_off_is_refused() -> None:
    found = made(facts=kai(gpu_sharing=False), share=Share(fraction=0.5))
    assert "global.gpuSharing" in str(refusal(found, errors.SharingOff).next_steps)


def test_with_sharing_off_or_unknown_a_whole_card_is_recommended() -> None:
    assert made(facts=kai(gpu_sharing=False)).spec.share == Share(devices=1)
    assert made(facts=kai(gpu_sharing=None)).spec.share == Share(devices=1)


def test_a_part_and_whole_cards_together_are_refused_without_manifests() -> None:
    found = made(share=Share(fraction=0.5, devices=1))
    refusal(found, errors.FractionAndWhole)
    assert found.manifests == ()


def test_memory_needs_nodes_that_say_theirs() -> None:
    facts = kai(nodes=(node("gb10", memory_mib=None),))
    refusal(made(facts=facts, share=Share(memory_mib=8192)), errors.MemoryLabelMissing)


def test_too_small_a_share_says_what_is_missing_and_what_would_fit() -> None:
    found = made(model="gemma3:27b", share=Share(fraction=0.25))
    problem = refusal(found, errors.FitsNowhere)
    assert "needs 21" in problem.sentence
    assert "are missing" in problem.sentence
    ways = {step.title: step.command for step in problem.next_steps}
    assert ways["Ask for 0.5 of a card"] == "--gpu 0.5"
    assert "sealane host gemma3:12b" in ways.values() or "sealane host gemma3:4b" in ways.values()
    missing = {fact.label: fact.value for fact in problem.evidence}["missing"]
    assert int(missing) > 8 * 1024**3


def test_a_shorter_context_is_offered_where_it_would_fit() -> None:
    found = made(model="codellama:7b", context=16_384, share=Share(fraction=0.25))
    ways = [step.command for step in refusal(found, errors.FitsNowhere).next_steps]
    assert any(command.startswith("--context ") for command in ways)


def test_more_cards_than_any_node_has_is_said_so() -> None:
    found = made(share=Share(devices=8))
    problem = next(each for each in found.refusals if isinstance(each, errors.FitsNowhere))
    assert "the largest has 2 cards" in problem.sentence


def test_a_model_larger_than_the_cluster_is_refused() -> None:
    found = plan(spec("llama3.3:70b"), card("llama3.3:70b"), plain())
    assert isinstance(found.refusals[0], errors.FitsNowhere)
    assert found.placement.starts == "never"


def test_no_gpu_that_takes_work_is_its_own_refusal() -> None:
    facts = kai(nodes=(node("gpu-1", schedulable=False),))
    problem = refusal(made(facts=facts, share=Share(fraction=0.5)), errors.NoGpu)
    assert "1 GPU node not ready or cordoned" in problem.sentence


def test_copies_above_the_quota_say_how_many_would_do() -> None:
    found = made(queue="vision", share=Share(fraction=0.5), copies=3)
    problem = refusal(found, errors.CopiesAboveQuota)
    assert "3 copies of 0.5 of a card are 1.5 GPUs; queue vision may hold 1" in problem.sentence
    assert problem.next_steps[0].command == "--copies 2"


def test_a_parents_quota_counts_too() -> None:
    facts = kai(queues=(queue("root", quota=0.5, limit=1.0, children=("a",)), queue("a", parent="root")))
    refusal(made(facts=facts, share=Share(devices=1)), errors.CopiesAboveQuota)


def test_a_missing_queue_is_refused_with_the_nearest() -> None:
    problem = refusal(made(queue="visoin"), errors.QueueMissing)
    assert "no queue “visoin”" in problem.sentence
    assert "vision" in problem.sentence


def test_a_queue_of_queues_is_refused() -> None:
    refusal(made(queue="root"), errors.QueueNotLeaf)


def test_a_taken_name_is_refused_and_a_made_up_one_is_numbered() -> None:
    facts = kai(deployments=(("default", "qwen2-5-coder-7b", "Helm"),))
    problem = refusal(made(facts=facts, name="qwen2-5-coder-7b"), errors.NameTaken)
    assert "made by Helm" in problem.sentence
    free = made(facts=facts)
    assert free.spec.name == "qwen2-5-coder-7b-2"
    assert not free.refusals
    assert any("is called qwen2-5-coder-7b-2" in warning for warning in free.warnings)


def test_our_own_name_may_be_updated_on_purpose() -> None:
    wish = spec(name="coder")
    ours = kai(deployments=(("default", "coder", "sealane"),))
    assert plan(wish, card(), ours).refusals
    assert not plan(wish, card(), ours, update=True).refusals
    theirs = kai(deployments=(("default", "coder", "Helm"),))
    assert plan(wish, card(), theirs, update=True).refusals


def test_a_missing_namespace_is_refused_and_an_unreadable_list_is_not() -> None:
    assert "Nearest: team-a" in refusal(made(namespace="team-b"), errors.NamespaceMissing).sentence
    assert not made(namespace="team-b", facts=kai(namespaces=None)).refusals


@pytest.mark.parametrize(
    "change",
    [
        {"copies": -1},
        {"copies": 101},
        {"context": 0},
        {"parallel": 0},
        {"name": "Big"},
        {"name": "7b"},
        {"name": "x" * 51},
        {"name": "a-"},
        {"namespace": "Team_A"},
        {"share": Share(fraction=1.5)},
    ],
)
def test_what_is_out_of_range_is_refused_without_manifests(change: dict[str, Any]) -> None:
    found = made(**change)
    assert found.refusals
    assert found.refusals[0].exit_code == 2
    assert found.manifests == ()


def test_several_refusals_come_together() -> None:
    found = made(namespace="nowhere", queue="nothing")
    assert [problem.code for problem in found.refusals] == ["namespace-missing", "queue-missing"]


def test_a_context_beyond_the_model_is_cut_and_said() -> None:
    found = made(model="smollm2:135m", context=32_768)
    assert found.spec.context == 8192
    assert any("8,192 is used" in warning for warning in found.warnings)


def test_a_quantized_cache_that_has_no_effect_is_said() -> None:
    found = made(model="deepseek-coder-v2:16b", kv="q8_0")
    assert found.spec.kv == "f16"
    assert any("flash attention" in warning for warning in found.warnings)


def test_a_model_of_which_nothing_is_known_is_not_refused_for_its_size() -> None:
    blind = card(weights_bytes=0, parameters=0.0, header=None)
    found = plan(spec("registry.corp/team/m:v1"), blind, plain(nodes=(node("desk", memory_mib=8_192),)))
    assert not found.refusals
    assert found.spec.share == Share(devices=1)
    assert found.placement.starts == "now"
    assert any("nothing but its name" in warning for warning in found.warnings)
    assert one(plan(spec("registry.corp/team/m:v1"), blind, kai()), "PersistentVolumeClaim")["spec"]["resources"] == {
        "requests": {"storage": "50Gi"}
    }


def test_a_licence_against_commercial_use_is_said() -> None:
    assert any("does not allow commercial use" in warning for warning in made(model="codestral:22b").warnings)


def test_a_fraction_says_that_it_is_no_isolation() -> None:
    assert any("not isolation" in warning for warning in made().warnings)
    assert not any("not isolation" in warning for warning in made(share=Share(devices=1)).warnings)


def test_a_plan_is_the_same_twice() -> None:
    assert made() == made()


SHARES = st.one_of(
    st.builds(Share, devices=st.none() | st.integers(-1, 9)),
    st.builds(Share, fraction=st.floats(-0.5, 2.0)),
    st.builds(Share, memory_mib=st.integers(-1, 90_000)),
    st.builds(Share, fraction=st.floats(0.01, 0.99), devices=st.integers(0, 2)),
)
SPECS = st.builds(
    ModelSpec,
    model=st.sampled_from([each.tag for each in catalogue.load().cards]) | st.text(max_size=12),
    cluster=st.just("harbor-eu"),
    namespace=st.sampled_from(["default", "team-a", "gone", "Bad_"]),
    name=st.sampled_from(["", "coder", "x-1", "Bad!", "9x"]),
    share=SHARES,
    queue=st.sampled_from(["", "research", "vision", "root", "nope"]),
    copies=st.integers(-1, 12),
    context=st.integers(-1, 300_000),
    parallel=st.integers(-1, 9),
    kv=st.sampled_from(["f16", "q8_0", "q4_0"]),
    keep_weights=st.booleans(),
    insecure_registry=st.booleans(),
    registry_secret=st.sampled_from(["", "key"]),
)
FACTS = st.sampled_from(
    [
        kai(),
        kai(gpu_sharing=False),
        kai(gpu_sharing=None, storage_class=""),
        kai(queues=()),
        kai(nodes=()),
        kai(nodes=(node("gb10", memory_mib=None),), namespaces=None),
        kai(nodes=(node("s", memory_mib=8_192), node("l", memory_mib=81_920, free=(1.0,) * 8))),
        plain(),
        plain(nodes=(node("cpu", free=()),)),
    ]
)
NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@settings(max_examples=300)
@example(wish=spec(share=Share(fraction=2e-309)), facts=kai(), tag="qwen2.5-coder:0.5b")
@example(
    wish=spec(share=Share(fraction=2e-309), copies=0), facts=kai(nodes=(node("a", memory_mib=None),)), tag="phi4:14b"
)
@given(wish=SPECS, facts=FACTS, tag=st.sampled_from([each.tag for each in catalogue.load().cards]))
def test_no_plan_ever_breaks_a_rule(wish: ModelSpec, facts: ClusterFacts, tag: str) -> None:
    found = plan(wish, card(tag), facts)
    for problem in found.refusals:
        assert isinstance(problem, SealaneError)
        assert problem.sentence.rstrip().endswith(".")
    if not found.manifests:
        assert found.refusals
        return
    for item in found.manifests:
        assert NAME.fullmatch(item["metadata"]["name"])
        assert len(item["metadata"]["name"]) <= 63
        assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "sealane"
        assert item["metadata"]["labels"]["app.kubernetes.io/name"] == found.spec.name
        assert item["metadata"]["annotations"]["sealane.dev/model"] == found.spec.model
        assert item["metadata"]["namespace"] == found.spec.namespace
    deployment = one(found, "Deployment")["spec"]
    template = deployment["template"]
    assert pod_security.violations(template["spec"]) == []
    assert deployment["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert one(found, "Service")["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    asks = template["metadata"]["annotations"]
    parts = [key for key in ("gpu-fraction", "gpu-memory") if key in asks]
    whole = "nvidia.com/gpu" in str(template["spec"]["containers"][0]["resources"])
    assert len(parts) + whole <= 1
    assert ("schedulerName" in template["spec"]) == facts.kai
    assert ("kai.scheduler/queue" in template["metadata"]["labels"]) == facts.kai
    if parts and not found.refusals:
        assert facts.kai
        assert facts.gpu_sharing is not False
    if not found.refusals and facts.kai:
        assert found.spec.queue in {"research", "vision"}
    names = {volume["name"] for volume in template["spec"]["volumes"]}
    for container in (*template["spec"]["initContainers"], *template["spec"]["containers"]):
        assert {mount["name"] for mount in container["volumeMounts"]} <= names


@settings(max_examples=150)
@given(facts=FACTS, tag=st.sampled_from([each.tag for each in catalogue.load().cards]))
def test_what_is_recommended_is_never_refused_for_the_share_itself(facts: ClusterFacts, tag: str) -> None:
    found = plan(spec(tag), card(tag), facts)
    forbidden = (errors.FractionWithoutKai, errors.SharingOff, errors.FractionAndWhole, errors.MemoryLabelMissing)
    assert not any(isinstance(problem, forbidden) for problem in found.refusals)
