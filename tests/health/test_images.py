"""Images to repositories: spelling, evidence, and what must stay unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.health import images
from sealane.health.images import Reference, parse, resolve


@pytest.mark.parametrize(
    "spelling",
    [
        "ollama/ollama",
        "ollama/ollama:0.23.0",
        "docker.io/ollama/ollama",
        "index.docker.io/ollama/ollama:rocm",
        "mirror.gcr.io/ollama/ollama",
        "docker-pullable://ollama/ollama@sha256:" + "3b" * 32,
        " ollama/ollama\n",
    ],
)
def test_every_spelling_of_an_image_is_the_same_image(spelling: str) -> None:
    found = resolve(spelling)
    assert (found.repository, found.confidence) == ("ollama/ollama", "high")


@pytest.mark.parametrize(
    ("legacy", "repository"),
    [
        ("k8s.gcr.io/sig-storage/csi-provisioner:v3.0.0", "kubernetes-csi/external-provisioner"),
        ("gcr.io/google-containers/pause", "kubernetes/kubernetes"),
        ("docker.io/library/postgres:17", "postgres/postgres"),
        ("public.ecr.aws/docker/library/redis", "redis/redis"),
    ],
)
def test_legacy_names_are_their_present_ones(legacy: str, repository: str) -> None:
    assert resolve(legacy).repository == repository


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("<none>:<none>", "dangling"),
        ("", "dangling"),
        ("VLLM/vllm-openai", "upper-case"),
        ("my-app", "official image"),
        ("docker.io/library/nginx-custom", "official image"),
        ("registry.example.com/team/llm-api:1.4", "in no table"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/vllm-openai:v1", "may hold any copy"),
        ("ghcr.io/acme-platform/vllm-openai", "another owner"),
        ("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.3", "Closed packaging"),
        ("a b", "no image reference"),
        ("ollama/ollama:", "no image reference"),
        ("-/x", "no image reference"),
    ],
)
def test_what_no_evidence_covers_stays_unknown_with_the_reason(image: str, says: str) -> None:
    found = resolve(image)
    assert (found.repository, found.confidence) == (None, "none")
    assert says in found.evidence


def test_an_image_that_names_its_source_is_believed_before_any_table() -> None:
    found = resolve("ollama/ollama", labels={images.SOURCE_LABEL: "https://github.com/Acme/fork.git"})
    assert (found.repository, found.confidence) == ("Acme/fork", "high")


@pytest.mark.parametrize(
    "label", ["", "https://example.com/x/y", "javascript:alert(1)", "https://github.com/only-owner"]
)
def test_a_label_that_names_no_forge_is_ignored(label: str) -> None:
    assert resolve("ollama/ollama", labels={images.SOURCE_LABEL: label}).repository == "ollama/ollama"


def test_what_was_said_by_hand_wins() -> None:
    found = resolve("registry.example.com/team/llm-api:1.4", manual={"registry.example.com/team/llm-api": "team/llm"})
    assert (found.repository, found.evidence) == ("team/llm", "said by hand")


def test_a_name_below_a_known_owner_s_is_medium_and_a_name_alone_is_low() -> None:
    assert resolve("quay.io/jetstack/cert-manager-acmesolver").confidence == "medium"
    guess = resolve("ghcr.io/somebody/something:1")
    assert (guess.repository, guess.confidence) == ("somebody/something", "low")


def test_a_pull_through_cache_is_seen_through_and_never_silently() -> None:
    found = resolve("registry.internal:8443/proxy/docker.io/ollama/ollama:0.9.0")
    assert (found.repository, found.confidence) == ("ollama/ollama", "low")
    assert "registry.internal:8443" in found.evidence


def test_a_port_is_no_tag_and_a_digest_no_name() -> None:
    found = parse("localhost:5000/a/b:c@sha256:" + "0" * 64)
    assert isinstance(found, Reference)
    assert (found.registry, found.path, found.tag) == ("localhost:5000", "a/b", "c")
    assert found.digest.startswith("sha256:")


def test_every_line_of_the_table_answers_for_itself() -> None:
    exact, below = images._table()
    assert len(exact) > 500
    for name, known in exact.items():
        assert isinstance(parse(name), Reference), name
        assert known.closed or known.repository.count("/") == 1, name
    assert all(known.closed or known.repository.count("/") == 1 for known in below.values())


@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    found = resolve(text)
    assert found.evidence
    assert (found.repository is None) == (found.confidence == "none")
