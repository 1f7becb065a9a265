"""A shell's grammar, as much of it as people type at a container: quotes, variables, pipes, redirections, && || ; .

Pure. No functions, loops, globs or command substitution: who needs those needs a real cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

_NAME: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+)|([?$#]))")
_PLAIN: Final = re.compile(r"[^\s'\"\\;&|<>]+")
_OPERATORS: Final = ("&&", "||", "2>&1", "2>", ">>", ">", "<", "|", ";", "&", "\n")


class SyntaxProblem(Exception):
    """The line cannot be read; the text is what a shell says."""


class Word(msgspec.Struct, frozen=True):
    """A word, or an operator, with its variables not filled in. Parts are (text, whether variables count in it)."""

    parts: tuple[tuple[str, bool], ...]
    operator: bool = False

    @property
    def text(self) -> str:
        """As written, without quotes."""
        return "".join(text for text, _ in self.parts)

    def filled(self, variables: Mapping[str, str]) -> str:
        """With the values of variables."""
        return "".join(_fill(text, variables) if counts else text for text, counts in self.parts)


class Command(msgspec.Struct, frozen=True):
    """One program with its words and where its streams go. `target` is a file, `append` adds to it."""

    words: tuple[Word, ...]
    source: Word | None = None
    target: Word | None = None
    append: bool = False
    error_target: Word | None = None
    join_errors: bool = False


class Step(msgspec.Struct, frozen=True):
    """A pipeline, and after what it runs: `;` always, `&&` after success, `||` after failure."""

    after: str
    pipeline: tuple[Command, ...]


def parse(line: str) -> list[Step]:
    """The steps of a line. Raises SyntaxProblem."""
    steps: list[Step] = []
    after = ";"
    pipeline: list[Command] = []
    current: list[Word] = []
    for word in [*split(line), Word(((";", False),), operator=True)]:
        if not word.operator or word.text in {">", ">>", "<", "2>", "2>&1"}:
            current.append(word)
            continue
        sign = ";" if word.text in {"\n", "&"} else word.text
        if not current and (pipeline or sign != ";" or after != ";"):
            raise SyntaxProblem(f'syntax error: unexpected "{word.text.strip() or "newline"}"')
        if current:
            pipeline.append(_command(current))
            current = []
        if sign == "|":
            continue
        if pipeline:
            steps.append(Step(after, tuple(pipeline)))
        after, pipeline = sign, []
    return steps


def split(line: str) -> list[Word]:
    """The words of a line. Raises SyntaxProblem for a quote that is not closed."""
    words: list[Word] = []
    parts: list[tuple[str, bool]] = []
    at = 0

    def end() -> None:
        if parts:
            words.append(Word(tuple(parts)))
            parts.clear()

    while at < len(line):
        sign = line[at]
        operator = next((item for item in _OPERATORS if line.startswith(item, at)), "")
        if operator and not (operator[0] == "2" and parts):
            end()
            words.append(Word(((operator, False),), operator=True))
            at += len(operator)
        elif sign.isspace():
            end()
            at += 1
        elif sign == "#" and not parts:
            found = line.find("\n", at)
            at = len(line) if found < 0 else found
        elif sign in "'\"":
            text, at = _quoted(line, at)
            parts.append((text, sign == '"'))
        elif sign == "\\":
            parts.append((line[at + 1 : at + 2], False))
            at += 2
        else:
            plain = _PLAIN.match(line, at)
            assert plain is not None  # noqa: S101 - every other character was handled
            parts.append((plain.group(), True))
            at = plain.end()
    end()
    return words


def _quoted(line: str, at: int) -> tuple[str, int]:
    sign = line[at]
    text: list[str] = []
    at += 1
    while at < len(line) and line[at] != sign:
        if sign == '"' and line[at] == "\\" and line[at + 1 : at + 2] in {'"', "\\", "$"}:
            at += 1
        text.append(line[at])
        at += 1
    if at >= len(line):
        raise SyntaxProblem("syntax error: unterminated quoted string")
    return "".join(text), at + 1


def _command(words: list[Word]) -> Command:
    plain: list[Word] = []
    found: dict[str, Word] = {}
    append = joined = False
    rest = iter(words)
    for word in rest:
        if not word.operator:
            plain.append(word)
            continue
        if word.text == "2>&1":
            joined = True
            continue
        file = next(rest, None)
        if file is None or file.operator:
            raise SyntaxProblem("syntax error: unexpected end of line (expecting a file's name)")
        if file.text == "&1" and word.text == "2>":
            joined = True
            continue
        append = append or word.text == ">>"
        found[word.text.replace(">>", ">")] = file
    return Command(tuple(plain), found.get("<"), found.get(">"), append, found.get("2>"), joined)


def _fill(text: str, variables: Mapping[str, str]) -> str:
    return _NAME.sub(lambda found: variables.get(next(part for part in found.groups() if part), ""), text)
