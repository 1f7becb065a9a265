"""Label and field selectors: what `-l` and `--field-selector` mean, read once and matched often.

The string grammar is the API server's (`a=b,c!=d,e in (f,g),!h,i`), the object form is a workload's
`spec.selector`. Absent labels match `!=` and `notin`, as on the server. Field selectors know only equality;
which fields a kind allows is the server's business, not ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from sealane.lib.errors import Evidence, UsageError

IN: Final = "in"
NOT_IN: Final = "notin"
EXISTS: Final = "exists"
MISSING: Final = "!"
GREATER: Final = "gt"
LESS: Final = "lt"

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|,|\(|\)|<|>)|([^\s=!,()<>]+))", re.ASCII)
_KEY = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII
)
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_OPERATORS: Final = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": MISSING}


class BadSelector(UsageError):
    """The text is no selector."""

    code = "bad-selector"


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one label; `values` is sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == IN:
            return value is not None and value in self.values
        if self.operator == NOT_IN:
            return value is None or value not in self.values
        if self.operator == EXISTS:
            return value is not None
        if self.operator == MISSING:
            return value is None
        return value is not None and _compares(value, self.operator, self.values[0])

    def __str__(self) -> str:
        if self.operator == EXISTS:
            return self.key
        if self.operator == MISSING:
            return f"!{self.key}"
        if self.operator in {GREATER, LESS}:
            return f"{self.key}{'>' if self.operator == GREATER else '<'}{self.values[0]}"
        if len(self.values) == 1:
            return f"{self.key}{'=' if self.operator == IN else '!='}{self.values[0]}"
        return f"{self.key} {self.operator} ({','.join(self.values)})"


class Selector(msgspec.Struct, frozen=True):
    """All requirements must hold; none means everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels or {}) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


class FieldRequirement(msgspec.Struct, frozen=True):
    """`path` equals `value`, or does not (`equal` false)."""

    path: str
    value: str
    equal: bool = True


class FieldSelector(msgspec.Struct, frozen=True):
    """All requirements must hold; none means everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, read: Callable[[str], str]) -> bool:
        """`read` gives an object's field by path as text, "" for an absent one."""
        return all((read(item.path) == item.value) is item.equal for item in self.requirements)

    def __str__(self) -> str:
        return ",".join(f"{item.path}{'=' if item.equal else '!='}{item.value}" for item in self.requirements)


def parse(text: str) -> Selector:
    """Read a label selector; "" selects everything. Raises BadSelector with what is wrong."""
    tokens = _tokens(text)
    requirements: list[Requirement] = []
    while tokens:
        requirements.append(_requirement(tokens, text))
        if not tokens:
            break
        if tokens.pop(0) != "," or not tokens:
            raise _bad(text, "conditions are joined by single commas")
    return Selector(tuple(requirements))


def of_labels(labels: Mapping[str, str]) -> Selector:
    """The selector of exactly these labels (a Service's `spec.selector`)."""
    return Selector(tuple(Requirement(key, IN, (value,)) for key, value in sorted(labels.items())))


def of_object(selector: Mapping[str, Any] | None) -> Selector:
    """Read a LabelSelector object (`matchLabels`, `matchExpressions`). Raises BadSelector on an unknown operator."""
    if not selector:
        return Selector()
    requirements = list(of_labels(selector.get("matchLabels") or {}).requirements)
    for expression in selector.get("matchExpressions") or ():
        operator = _OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise _bad(str(expression), f'"{expression.get("operator")}" is not a valid label selector operator')
        values = tuple(sorted(expression.get("values") or ()))
        if (operator in {IN, NOT_IN}) != bool(values):
            raise _bad(str(expression), "In and NotIn need values, Exists and DoesNotExist take none")
        requirements.append(Requirement(expression["key"], operator, values))
    return Selector(tuple(requirements))


def parse_fields(text: str) -> FieldSelector:
    """Read a field selector (`metadata.name=x,status.phase!=Running`; backslash escapes `,` `=` `\\`)."""
    return FieldSelector(tuple(_field_requirement(part, text) for part in _split_fields(text) if part.strip()))


def field_of(obj: Mapping[str, Any], path: str) -> str:
    """A dotted field of an object as text, "" where it is absent; booleans as Kubernetes spells them."""
    value: Any = obj
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _compares(value: str, operator: str, bound: str) -> bool:
    try:
        left, right = int(value), int(bound)
    except ValueError:
        return False
    return left > right if operator == GREATER else left < right


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    rest = text.rstrip()
    while position < len(rest):
        found = _TOKEN.match(rest, position)
        if found is None:
            raise _bad(text, f"unexpected character {rest[position]!r}")
        tokens.append(found.group(1) or found.group(2))
        position = found.end()
    return tokens


def _requirement(tokens: list[str], text: str) -> Requirement:
    if tokens[0] == "!":
        tokens.pop(0)
        return Requirement(_key(tokens, text), MISSING)
    key = _key(tokens, text)
    if not tokens or tokens[0] == ",":
        return Requirement(key, EXISTS)
    operator = tokens.pop(0)
    if operator in {"=", "==", "!="}:
        return Requirement(key, NOT_IN if operator == "!=" else IN, (_one_value(tokens, text),))
    if operator in {"<", ">"}:
        bound = _one_value(tokens, text)
        if not bound.lstrip("-").isdigit():
            raise _bad(text, f"{bound!r} must be an integer to be compared with")
        return Requirement(key, GREATER if operator == ">" else LESS, (bound,))
    if operator in {IN, NOT_IN}:
        return Requirement(key, operator, _values(tokens, text))
    raise _bad(text, f"found {operator!r}, expected one of: in, notin, =, ==, !=, gt, lt")


def _key(tokens: list[str], text: str) -> str:
    if not tokens or not _KEY.fullmatch(tokens[0]):
        raise _bad(text, f"{tokens[0] if tokens else ''!r} is not a label key")
    return tokens.pop(0)


def _one_value(tokens: list[str], text: str) -> str:
    if not tokens or tokens[0] == ",":
        return ""
    return _value(tokens.pop(0), text)


def _value(token: str, text: str) -> str:
    if not _VALUE.fullmatch(token):
        raise _bad(text, f"{token!r} is not a label value")
    return token


def _values(tokens: list[str], text: str) -> tuple[str, ...]:
    found = tokens.pop(0) if tokens else ""
    if found != "(":
        raise _bad(text, f"found '{found}' expected: '('")
    values: set[str] = set()
    expect_value = True
    while tokens:
        word = tokens.pop(0)
        if word == ")":
            return tuple(sorted(values | {""} if expect_value else values))
        if word == ",":
            values |= {""} if expect_value else set()
            expect_value = True
        elif expect_value:
            values.add(_value(word, text))
            expect_value = False
        else:
            break
    raise _bad(text, "a set of values ends with ')'")


def _split_fields(text: str) -> Iterable[str]:
    return re.findall(r"(?:\\.|[^,\\])+", text)


def _field_requirement(part: str, text: str) -> FieldRequirement:
    found = re.fullmatch(r"\s*((?:\\.|[^=!\\])+?)(!=|==|=)((?:\\.|[^=\\])*)\s*", part)
    if found is None:
        raise _bad(text, f"{part!r} is not field=value or field!=value")
    path, operator, value = found.groups()
    return FieldRequirement(_unescape(path), _unescape(value), operator != "!=")


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _bad(text: str, why: str) -> BadSelector:
    return BadSelector(
        f"unable to parse requirement: {why}.",
        evidence=(Evidence(label="selector", value=text),),
    )
