"""Kubernetes objects as YAML that people read and every parser understands alike.

YAML's versions disagree on what a bare word is: `on`, `0.5`, `1e3`, `0o17` and `1:30` are text here and booleans or
numbers there. An annotation must stay text, so everything that any of them could take for something else is quoted.
Keys come in the order in which Kubernetes is read (apiVersion, kind, metadata, spec, …), the rest by name, so that the
same object always gives the same text. Long scripts are written as blocks, nothing is folded, nothing is an alias.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import yaml

_FIRST: Final = (
    "apiVersion", "kind", "metadata", "name", "namespace", "generateName", "labels", "annotations",
    "type", "replicas", "strategy", "selector", "template", "spec",
    "image", "imagePullPolicy", "command", "args", "env", "envFrom", "ports", "resources", "volumeMounts",
    "schedulerName", "initContainers", "containers", "volumes",
    "key", "operator", "value", "values", "valueFrom",
)  # fmt: skip
_LAST: Final = ("data", "stringData", "status")
_RANK: Final = {key: at for at, key in enumerate(_FIRST)} | {key: 1_000 + at for at, key in enumerate(_LAST)}

_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nil", "none", "~", ""})
_NUMBER_LIKE: Final = re.compile(
    r"""[-+]?(
        0[xob]?[0-9a-f_]+                     # hexadecimal, octal of either kind, binary
      | [0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?(e[-+]?[0-9]+)?   # whole, sexagesimal, real
      | \.[0-9_]+(e[-+]?[0-9]+)?
      | \.inf | \.nan
    )\Z
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*        # a date, or a moment
    """,
    re.VERBOSE | re.IGNORECASE,
)

_INVISIBLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
"""Characters that a block or a bare word would lose, or that end a line in one version of YAML only."""


def dump(obj: Mapping[str, Any]) -> str:
    """One object as one YAML document, without `---`."""
    # The type stubs of PyYAML know `sort_keys` for the whole and nothing of a dumper's own order.
    return str(yaml.dump(_ordered(obj), Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True))


def dump_all(objects: Iterable[Mapping[str, Any]]) -> str:
    """Several objects as one stream, `---` between them."""
    return "---\n".join(dump(obj) for obj in objects)


def ambiguous(word: str) -> bool:
    """Whether some YAML parser would read the bare word as something else than text."""
    return word.lower() in _WORDS or _NUMBER_LIKE.match(word) is not None


def _ordered(value: Any) -> Any:
    """The value with every mapping in reading order; sequences keep theirs."""
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: (_RANK.get(key, 500), str(key)))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_ordered(item) for item in value]
    return value


class _Dumper(yaml.SafeDumper):
    """PyYAML's own, with our rules for text and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None
    if _INVISIBLE.search(value) or ambiguous(value):
        style = '"'
    elif "\n" in value:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
