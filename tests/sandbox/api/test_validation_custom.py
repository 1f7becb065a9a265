"""Custom resources against their schema: each word of it refuses in the validator's sentence, or lets a value in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.api import validation_custom

CASES: list[tuple[Any, Any, str]] = [
    ({"pattern": "^[a-z]+$"}, "RED", "Invalid value: \"RED\": x in body should match '^[a-z]+$'"),
    ({"minLength": 2}, "r", 'Invalid value: "r": x in body should be at least 2 chars long'),
    ({"maxLength": 2}, "red", "Too long: may not be more than 2 bytes"),
    ({"enum": ["a", "b"]}, "c", 'Unsupported value: "c": supported values: "a", "b"'),
    ({"minimum": 1}, 0, "Invalid value: 0: x in body should be greater than or equal to 1"),
    ({"maximum": 1}, 2, "Invalid value: 2: x in body should be less than or equal to 1"),
    ({"minimum": 0, "exclusiveMinimum": True}, 0, "Invalid value: 0: x in body should be greater than 0"),
    ({"multipleOf": 0.5}, 0.7, "Invalid value: 0.7: x in body should be a multiple of 0.5"),
    ({"minItems": 1}, [], "Invalid value: 0: x in body should have at least 1 items"),
    ({"maxItems": 2}, [1, 2, 3], "Too many: 3: must have at most 2 items"),
    ({"maxProperties": 1}, {"a": 1, "b": 2}, "Too many: 2: must have at most 1 item"),
    ({"x-kubernetes-list-type": "set"}, ["a", "a"], 'Duplicate value: "a"'),
    (
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        [{"name": "a", "v": 1}, {"name": "a", "v": 2}],
        'Duplicate value: {"name":"a"}',
    ),
    ({"format": "date-time"}, "noon", 'Invalid value: "noon": x in body must be of type date-time: "noon"'),
    ({"format": "duration"}, "long", 'Invalid value: "long": x in body must be of type duration: "long"'),
    ({"format": "ipv4"}, "here", 'Invalid value: "here": x in body must be of type ipv4: "here"'),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 2},
     'Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives'),
    ({"not": {"required": ["a"]}}, {"a": 1}, 'Invalid value: "": "x" must not validate the schema (not)'),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "value", "said"), CASES)
def test_a_word_of_the_schema_refuses_in_its_sentence(raw: Any, value: Any, said: str) -> None:
    causes: list[Any] = []
    validation_custom.check(value, raw, "x", causes)
    assert [cause.message for cause in causes] == [said]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"format": "date-time"}, "2026-01-01T00:00:00Z"),
        ({"format": "duration"}, "1h30m"),
        ({"format": "unknown"}, "anything"),
        ({"multipleOf": 0.5}, 1.5),
        ({"pattern": "(?P<broken"}, "Go and Python differ: nothing is held up"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 5),
        ({"allOf": [{"minimum": 1}, {"maximum": 9}]}, 5),
        ({"minimum": 1}, None),
    ],
)
def test_what_agrees_is_let_in(raw: Any, value: Any) -> None:
    assert validation_custom.fits(value, raw)


def test_missing_fields_are_named_where_they_belong() -> None:
    causes: list[Any] = []
    raw = {"required": ["spec"], "properties": {"spec": {"required": ["b", "a"]}}}
    validation_custom.check({"spec": {}}, raw, "", causes)
    assert [cause.field for cause in causes] == ["spec.a", "spec.b"]
    validation_custom.check({}, raw, "", causes)
    assert causes[-1].field == "spec"


@given(value=st.integers(-20, 20), least=st.integers(-20, 20), most=st.integers(-20, 20))
def test_bounds_mean_what_they_say(value: int, least: int, most: int) -> None:
    assert validation_custom.fits(value, {"minimum": least, "maximum": most}) is (least <= value <= most)
