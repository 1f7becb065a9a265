"""The shell's grammar: what is typed is read as a shell reads it, and what it cannot read is said."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.world.shell import words
from sealane.sandbox.world.shell.words import SyntaxProblem

plain = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)


def texts(line: str, **variables: str) -> list[list[list[str]]]:
    """Words of each command of each step, filled in."""
    return [
        [[word.filled(variables) for word in command.words] for command in step.pipeline] for step in words.parse(line)
    ]


@given(st.lists(plain, min_size=1, max_size=6))
def test_words_that_are_quoted_come_out_as_they_were(given_words: list[str]) -> None:
    line = shlex.join(given_words)
    expected = list(given_words)
    got = texts(f"x {line}")[0][0][1:]
    assert got == expected


@given(st.text(max_size=40))
def test_any_line_is_read_or_refused_in_words(line: str) -> None:
    try:
        steps = words.parse(line)
    except SyntaxProblem as problem:
        found = str(problem)
    else:
        found = "" if all(step.pipeline for step in steps) else "a step without a command"
    assert found == "" or found.startswith("syntax error")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b c", [[["a", "b", "c"]]]),
        ("a | b | c", [[["a"], ["b"], ["c"]]]),
        ("a; b\nc", [[["a"]], [["b"]], [["c"]]]),
        ("a && b || c", [[["a"]], [["b"]], [["c"]]]),
        ("echo a'b'\"c\"d", [[["echo", "abcd"]]]),
        ("echo a\\ b", [[["echo", "a b"]]]),
        ("echo hi # not this", [[["echo", "hi"]]]),
        ("", []),
        ("  ;  ", []),
    ],
)
def test_lines_are_split_into_steps_pipelines_and_words(line: str, expected: list[list[list[str]]]) -> None:
    assert texts(line) == expected


def test_variables_are_filled_in_but_for_single_quotes() -> None:
    assert texts("echo $A ${A}b \"$A\" '$A' $NONE.", A="x") == [[["echo", "x", "xb", "x", "$A", "."]]]


def test_steps_know_after_what_they_run() -> None:
    assert [step.after for step in words.parse("a && b || c; d")] == [";", "&&", "||", ";"]


def test_streams_are_sent_elsewhere() -> None:
    (step,) = words.parse("a < in > out 2>&1")
    (command,) = step.pipeline
    assert command.source is not None
    assert command.target is not None
    assert (command.source.text, command.target.text, command.append, command.join_errors) == ("in", "out", False, True)
    (step,) = words.parse("a >> out 2> err")
    (command,) = step.pipeline
    assert (command.append, command.error_target.text if command.error_target else "") == (True, "err")


@pytest.mark.parametrize("line", ["echo 'a", 'echo "a', "| a", "a | | b", "a && ; b", "a >"])
def test_what_cannot_be_read_is_a_syntax_error(line: str) -> None:
    with pytest.raises(SyntaxProblem, match="syntax error"):
        words.parse(line)
