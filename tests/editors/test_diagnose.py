"""Each cause gets its own code, one sentence with the object in it, and a way out."""

import pytest

from sealane.editors import diagnose

SERVED = ("qwen2.5-coder:7b", "llama3.1:8b")


@pytest.mark.parametrize("cause", ["dns", "refused", "tls", "timeout", "cut"])
def test_every_network_cause_names_the_address_and_offers_a_way_out(cause):
    finding = diagnose.unreachable(cause, host="gw.example", port=8701, detail="because", limit=5)
    assert finding.code == cause
    assert "gw.example" in finding.sentence
    assert finding.fix


def test_a_wrong_key_is_not_taken_for_anything_else():
    finding = diagnose.refused_status(401, '{"error":{"message":"no"}}', model="m", served=SERVED)
    assert finding.code == "key"
    assert "revoked" in finding.sentence


def test_a_wrong_tag_names_the_tag_that_is_hosted():
    finding = diagnose.refused_status(404, "{}", model="qwen2.5-coder:14b", served=SERVED)
    assert finding.code == "wrong-tag"
    assert "qwen2.5-coder:7b" in finding.sentence
    assert "qwen2.5-coder:7b" in finding.fix[0].title


def test_a_model_that_is_not_hosted_is_told_with_the_nearest():
    finding = diagnose.refused_status(404, "{}", model="llama3:8b", served=SERVED)
    assert finding.code == "model-missing"
    assert "llama3.1:8b" in finding.sentence
    assert finding.fix[0].command == "sealane host llama3:8b"
    assert "nothing is hosted" in diagnose.missing("x", ()).sentence


@pytest.mark.parametrize(
    "body",
    [
        '{"error":"model requires more system memory (9.0 GiB) than is available (4.0 GiB)"}',
        '{"error":{"message":"cudaMalloc failed: out of memory"}}',
    ],
)
def test_out_of_memory_is_found_in_the_engines_own_words(body):
    finding = diagnose.refused_status(500, body, model="llama3.1:8b", served=SERVED)
    assert finding.code == "out-of-memory"
    assert finding.fix[0].command == "sealane fit llama3.1:8b"


def test_a_model_that_still_loads_is_not_an_error_of_the_user():
    finding = diagnose.refused_status(503, '{"error":{"message":"loading"}}', model="m", served=())
    assert finding.code == "not-ready"
    assert "loading" in finding.sentence


def test_any_other_status_carries_what_was_said():
    assert diagnose.refused_status(418, "teapot", model="", served=()).sentence == "The answer was 418: teapot"
    assert "no text" in diagnose.refused_status(418, "", model="", served=()).sentence
