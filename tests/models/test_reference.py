"""Names are read as Ollama reads them, and nothing of a tag is lost on the way."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.models.reference import BadReference, Reference, canonical, is_name, parse


@pytest.mark.parametrize(
    ("text", "host", "namespace", "model", "tag"),
    [
        ("llama3.2", "registry.ollama.ai", "library", "llama3.2", "latest"),
        ("qwen2.5-coder:7b", "registry.ollama.ai", "library", "qwen2.5-coder", "7b"),
        ("team/m", "registry.ollama.ai", "team", "m", "latest"),
        ("localhost:5000/team/m", "localhost:5000", "team", "m", "latest"),
        ("localhost:5000/team/m:v1.2_x", "localhost:5000", "team", "m", "v1.2_x"),
        ("hf.co/bartowski/Qwen2.5-GGUF:Q4_K_M", "hf.co", "bartowski", "Qwen2.5-GGUF", "Q4_K_M"),
        ("https://registry.ollama.ai/library/phi4:14b", "registry.ollama.ai", "library", "phi4", "14b"),
        ("  phi4  ", "registry.ollama.ai", "library", "phi4", "latest"),
    ],
)
def test_a_name_is_taken_apart(text: str, host: str, namespace: str, model: str, tag: str) -> None:
    assert parse(text) == Reference(host=host, namespace=namespace, model=model, tag=tag)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("llama3.2", "llama3.2:latest"),
        ("library/llama3.2:1b", "llama3.2:1b"),
        ("registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
        ("team/m:x", "team/m:x"),
        ("hf.co/o/M:Q8_0", "hf.co/o/M:Q8_0"),
    ],
)
def test_it_is_shown_without_the_defaults_but_always_with_its_tag(text: str, shown: str) -> None:
    assert canonical(text) == shown


def test_upper_and_lower_case_are_kept() -> None:
    assert canonical("hf.co/O/M:q4_k_M") == "hf.co/O/M:q4_k_M"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        (":7b", "model"),
        ("a b", "model"),
        ("m:", "tag"),
        ("m:a/b/c/d", "4 parts"),
        ("a/b/c/d", "4 parts"),
        ("localhost:5000/m", "needs a namespace"),
        ("m@sha256:abc", "digest"),
        ("-m", "model"),
        ("te.am/m", "namespace"),
        ("m:" + "x" * 81, "tag"),
        ("qwen;rm -rf /", "model"),
        ("ünï", "model"),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_the_part_that_is_wrong(text: str, part: str) -> None:
    with pytest.raises(BadReference, match="model's name") as caught:
        parse(text)
    assert part in caught.value.sentence
    assert caught.value.exit_code == 2


def test_a_host_makes_it_private() -> None:
    assert parse("localhost:5000/team/m").private
    assert not parse("team/m").private
    assert parse("localhost:5000/team/m").repository == "team/m"


_WORD = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)


@given(host=_WORD, port=st.integers(1, 65535), namespace=_WORD, model=_WORD, tag=_WORD)
def test_every_name_survives_being_written_and_read(host: str, port: int, namespace: str, model: str, tag: str) -> None:
    reference = Reference(host=f"{host}:{port}", namespace=namespace, model=model, tag=tag)
    assert parse(reference.text) == reference


@given(st.text(max_size=40))
def test_any_text_gives_a_name_or_one_error(text: str) -> None:
    with contextlib.suppress(BadReference):
        first = parse(text)
        assert parse(first.text) == first


@pytest.mark.parametrize(
    "text",
    ["a; rm -rf ~", "a\nb", "$(id)", "`id`", "a b", "<b>", "'", "../x", "-x", "", " a", "a\x1b[2J", "{{x}}", "a\n"],
)
def test_what_could_be_more_than_a_name_is_none(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize(
    "text", ["qwen2.5-coder:7b", "llama3.2", "reg.example:5000/team/m:v1", "hf.co/a/B-GGUF:Q4_K_M"]
)
def test_names_are_names(text: str) -> None:
    assert is_name(text)


def test_a_name_that_is_far_too_long_is_not_repeated_whole() -> None:
    with pytest.raises(BadReference) as caught:
        parse("x" * 10_000)
    assert len(caught.value.sentence) < 400
