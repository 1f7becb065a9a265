"""YAML that every parser reads alike: text stays text, order stays order, scripts stay readable."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sealane.manifests import dump

AMBIGUOUS = [
    "0.5", "1", "on", "off", "yes", "No", "y", "N", "true", "null", "~", "", "1e3", "1E-5", "0o17", "017", "0x1f",
    "0b10", "1_000", "1:30", "12:30:45", ".5", ".inf", "-.INF", ".nan", "+1", "-1", "2026-11-24",
    "2026-11-24T12:00:00Z", "1.", "1.e5",
]  # fmt: skip
AWKWARD = [
    "a: b",
    "# no",
    "- x",
    "{x}",
    "[x]",
    "&a",
    "*a",
    "!t",
    "%d",
    "@x",
    "`x`",
    " lead",
    "trail ",
    "a\tb",
    "'",
    '"',
]


@pytest.mark.parametrize("word", AMBIGUOUS)
def test_what_a_parser_could_take_for_something_else_is_quoted(word: str) -> None:
    assert dump.dump({"a": word}) == f'a: "{word}"\n'


@pytest.mark.parametrize(
    "word", ["research", "qwen2.5-coder:7b", "ollama/ollama:0.23.0", "8GiB", "10Gi", "500m", "15m"]
)
def test_plain_words_stay_plain(word: str) -> None:
    assert dump.dump({"a": word}) == f"a: {word}\n"


def test_keys_come_in_the_order_in_which_people_read_them() -> None:
    obj = {"status": {}, "spec": {"zeta": 1, "replicas": 2, "alpha": 3}, "metadata": {"name": "x"}, "kind": "K"}
    assert list(yaml.safe_load(dump.dump(obj | {"apiVersion": "v1"}))) == [
        "apiVersion", "kind", "metadata", "spec", "status",
    ]  # fmt: skip
    text = dump.dump(obj)
    assert text.index("replicas") < text.index("alpha") < text.index("zeta")


def test_the_same_object_gives_the_same_text_however_it_was_built() -> None:
    assert dump.dump({"kind": "K", "b": 1, "a": {"y": 1, "x": 2}}) == dump.dump(
        {"a": {"x": 2, "y": 1}, "b": 1, "kind": "K"}
    )


def test_a_script_is_a_block() -> None:
    assert dump.dump({"command": ["sh", "-c", "set -e\necho hi\n"]}) == (
        "command:\n- sh\n- -c\n- |\n  set -e\n  echo hi\n"
    )


def test_nothing_is_an_alias_and_nothing_is_folded() -> None:
    shared = {"path": "/" * 300}
    text = dump.dump({"a": shared, "b": shared})
    assert "&" not in text
    assert max(len(line) for line in text.splitlines()) > 300


def test_several_objects_are_set_apart() -> None:
    assert dump.dump_all([{"kind": "A"}, {"kind": "B"}]) == "kind: A\n---\nkind: B\n"
    assert dump.dump_all([]) == ""


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.sampled_from(AMBIGUOUS + AWKWARD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=12), VALUES, max_size=4))
def test_whatever_is_written_is_read_back_the_same(obj: dict[str, Any]) -> None:
    assert yaml.safe_load(dump.dump(obj)) == obj


def test_kubectl_reads_text_as_text() -> None:
    """Its parser is not ours: annotations that it took for numbers would be refused."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on the PATH")
    words = {f"w{at}": word for at, word in enumerate(AMBIGUOUS + AWKWARD)}
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "annotations": words},
        "data": words,
    }
    done = subprocess.run(
        [kubectl, "annotate", "--local", "-f", "-", "-o", "json", "added=1"],
        input=dump.dump(config_map), capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    read = json.loads(done.stdout)
    assert read["data"] == words
    assert read["metadata"]["annotations"] == words | {"added": "1"}
