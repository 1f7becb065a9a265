"""What the simulated model says."""

from __future__ import annotations

import ast
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.world.ollama import text


@given(st.text(max_size=300))
def test_every_answer_says_that_it_is_simulated(prompt: str) -> None:
    said = text.answer("m:1", prompt)
    assert said.startswith("This is a simulated answer from the Sealane sandbox")
    assert said == text.answer("m:1", prompt)


@given(st.text(max_size=300))
def test_tokens_put_together_are_the_text(said: str) -> None:
    pieces = text.tokens(said)
    assert "".join(pieces) == said.rstrip() + said[len(said.rstrip()) :]
    assert all(len(piece) <= 8 for piece in pieces)


def test_a_python_function_is_completed_with_valid_code() -> None:
    prompt = "def add(a: int, b=2):\n"
    said = text.completion(prompt)
    tree = ast.parse(prompt + said)
    assert isinstance(tree.body[0], ast.FunctionDef)
    assert "return a + b" in said
    assert text.COMMENT in said


def test_a_method_is_completed_at_its_own_depth() -> None:
    prompt = "class A:\n    def f(self, x):\n"
    ast.parse(prompt + text.completion(prompt))
    assert "        return x" in text.completion(prompt)


def test_a_script_function_is_closed_unless_the_suffix_closes_it() -> None:
    assert text.completion("function add(a, b) {\n").strip().endswith("}")
    assert "return a + b;" in text.completion("const add = (a, b) => {\n", "\n}")
    assert not text.completion("const add = (a, b) => {\n", "\n}").strip().endswith("}")


def test_the_marks_of_a_fill_in_the_middle_prompt_are_understood() -> None:
    prompt = "<|fim_prefix|>def double(n):\n<|fim_suffix|>\nprint(double(2))<|fim_middle|>"
    assert text.is_fim(prompt)
    assert not text.is_fim("def double(n):")
    assert "return n" in text.completion(prompt)


def test_structured_answers_satisfy_their_schema() -> None:
    schema = {
        "type": "object",
        "required": ["name", "age", "tags", "kind"],
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "kind": {"enum": ["a", "b"]},
            "extra": {"type": "boolean"},
        },
    }
    assert json.loads(text.structured(schema, "m", "x")) == {
        "name": "simulated",
        "age": 0,
        "tags": ["simulated"],
        "kind": "a",
    }
    assert json.loads(text.structured("json", "m", "x"))["simulated"] is True


def test_a_tool_is_called_when_the_prompt_names_it() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    assert text.tool_call([tool], "use weather now") == {"name": "weather", "arguments": {"city": "simulated"}}
    assert text.tool_call([tool], "hello") is None


@pytest.mark.parametrize("size", [384, 768, 1024])
def test_embeddings_are_unit_vectors_and_near_for_common_words(size: int) -> None:
    def near(one: str, two: str) -> float:
        return sum(a * b for a, b in zip(text.embedding(one, size), text.embedding(two, size), strict=True))

    vector = text.embedding("the cat sat", size)
    assert len(vector) == size
    assert math.isclose(sum(value * value for value in vector), 1, abs_tol=1e-4)
    assert near("the cat sat", "the cat ran") > near("the cat sat", "a dog flew") + 0.2
    assert text.embedding("", size)
