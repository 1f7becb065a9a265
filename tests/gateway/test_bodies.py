"""Of a request only what must change is changed, and what is wrong with it is said in one sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.gateway import bodies
from sealane.gateway.endpoints import ENDPOINTS
from sealane.gateway.errors import BrokenJson

CHAT = ENDPOINTS["/v1/chat/completions"]
NATIVE = ENDPOINTS["/api/chat"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.text(min_size=1, max_size=12).filter(lambda n: n not in bodies.Peek.__struct_fields__)


def prepare(body: bytes, *, path: str = CHAT.path, engine_model: str = "m") -> bodies.Prepared:
    return bodies.prepare(body, bodies.peek(body, path=path), ENDPOINTS[path], engine_model=engine_model)


@given(extra=st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_body_that_needs_no_change_is_the_very_same_bytes(extra: dict[str, object]) -> None:
    body = json.dumps({"model": "m", **extra}, indent=1).encode()
    assert prepare(body).body is body


@given(extra=st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_new_model_name_leaves_every_other_value_as_it_was(extra: dict[str, object]) -> None:
    body = json.dumps({"model": "harbor-eu/team/m", **extra}).encode()
    assert json.loads(prepare(body).body) == {"model": "m", **extra}


def test_numbers_keep_their_digits_when_a_body_is_rewritten() -> None:
    body = b'{"model":"other","temperature":0.10000000000000000001,"big":123456789012345678901234567890}'
    assert prepare(body).body == body.replace(b"other", b"m")


@pytest.mark.parametrize("options", ["", ',"stream_options":null', ',"stream_options":{"include_usage":false}'])
def test_a_stream_without_usage_gets_it_asked_for_and_hidden(options: str) -> None:
    prepared = prepare(f'{{"model":"m","stream":true{options}}}'.encode())
    assert prepared.hide_usage
    assert json.loads(prepared.body)["stream_options"] == {"include_usage": True}


def test_other_stream_options_of_the_client_stay() -> None:
    prepared = prepare(b'{"model":"m","stream":true,"stream_options":{"continuous_usage_stats":true}}')
    wanted = {"continuous_usage_stats": True, "include_usage": True}
    assert json.loads(prepared.body)["stream_options"] == wanted


def test_a_client_that_asks_for_usage_itself_sees_it_and_its_body_is_untouched() -> None:
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
    prepared = prepare(body)
    assert prepared.body is body
    assert not prepared.hide_usage


def test_usage_is_not_asked_for_where_the_engine_tells_it_anyway() -> None:
    body = b'{"model":"m","stream":true}'
    for path in ("/v1/messages", "/v1/responses", "/api/chat", "/api/generate"):
        assert prepare(body, path=path).body is body


@pytest.mark.parametrize("option", sorted(bodies.RUNNER_OPTIONS))
def test_no_native_client_can_make_the_engine_reload(option: str) -> None:
    body = json.dumps({"model": "m", "options": {option: 1, "temperature": 0.5}}).encode()
    assert json.loads(prepare(body, path=NATIVE.path).body)["options"] == {"temperature": 0.5}


def test_no_native_client_can_unload_the_model() -> None:
    body = b'{"model":"m","keep_alive":0,"prompt":"x"}'
    assert json.loads(prepare(body, path="/api/generate").body) == {"model": "m", "prompt": "x"}


def test_sampling_options_do_not_cause_a_rewrite() -> None:
    body = b'{"model":"m","options":{"temperature":0.1,"num_predict":9,"stop":["x"]}}'
    assert prepare(body, path=NATIVE.path).body is body


def test_openai_bodies_may_have_fields_of_any_name() -> None:
    body = b'{"model":"m","options":{"num_ctx":5},"keep_alive":"9m"}'
    assert prepare(body).body is body


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"model":"m"} x', "not valid JSON"),
        (b"[]", "not what this path takes"),
        (b'{"model":7}', "`$.model`"),
        (b'{"model":"m","stream":"yes"}', "`$.stream`"),
        (b"{}", "names no `model`"),
        (b'{"model":""}', "names no `model`"),
        (b"\xff\xfe", "not valid JSON"),
    ],
)
def test_a_body_that_cannot_be_routed_is_refused_in_one_sentence(body: bytes, part: str) -> None:
    with pytest.raises(BrokenJson) as caught:
        bodies.peek(body, path=CHAT.path)
    assert part in caught.value.sentence
    assert CHAT.path in caught.value.sentence
    assert caught.value.sentence.endswith(".")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT.path, b'{"model":"m","stream":true,"stream_options":7}'),
        (NATIVE.path, b'{"model":"m","options":[]}'),
    ],
)
def test_a_malformed_inner_part_is_refused_too(path: str, body: bytes) -> None:
    with pytest.raises(BrokenJson):
        prepare(body, path=path)


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        (CHAT.path, b'{"model":"m"}', False),
        (CHAT.path, b'{"model":"m","stream":true}', True),
        (NATIVE.path, b'{"model":"m"}', True),
        (NATIVE.path, b'{"model":"m","stream":false}', False),
        ("/api/embed", b'{"model":"m","stream":true}', False),
    ],
)
def test_whether_a_stream_is_meant_follows_each_api(path: str, body: bytes, wanted: bool) -> None:
    assert bodies.streams(bodies.peek(body, path=path), ENDPOINTS[path]) is wanted


def test_an_old_client_may_name_the_model_in_name() -> None:
    found = bodies.peek(b'{"name":"m"}', path="/api/show")
    assert found.name == "m"
    assert json.loads(prepare(b'{"name":"m"}', path="/api/show").body)["model"] == "m"


@pytest.mark.parametrize("field", ["x", "options", "stream_options", "messages"])
@pytest.mark.parametrize("path", [CHAT.path, NATIVE.path])
def test_brackets_nested_without_end_are_the_clients_fault(field: str, path: str) -> None:
    body = b'{"model":"m","%s":%s%s}' % (field.encode(), b"[" * 100_000, b"]" * 100_000)
    with pytest.raises(BrokenJson, match="nested too deeply"):
        prepare(body, path=path)
