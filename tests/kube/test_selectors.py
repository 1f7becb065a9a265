"""Selectors mean what they mean on the API server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.kube import selectors
from sealane.kube.selectors import BadSelector, Requirement, Selector

LABELS = {"app": "llama", "tier": "gpu", "n": "7", "empty": ""}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app=llama", True),
        ("app==llama", True),
        ("app = llama , tier = gpu", True),
        ("app=qwen", False),
        ("app!=qwen", True),
        ("absent!=anything", True),
        ("app", True),
        ("absent", False),
        ("!absent", True),
        ("!app", False),
        ("app in (llama, qwen)", True),
        ("app in (qwen)", False),
        ("app notin (qwen,phi)", True),
        ("absent notin (qwen)", True),
        ("absent in (qwen)", False),
        ("n>6", True),
        ("n<7", False),
        ("app>6", False),
        ("empty=", True),
        ("app in (llama),tier notin (cpu),!absent,n", True),
        ("example.com/in in (in)", False),
        ("empty in (,a)", True),
    ],
)
def test_a_label_selector_selects_as_the_server_does(text: str, *, selected: bool) -> None:
    assert selectors.parse(text).matches(LABELS) is selected


@pytest.mark.parametrize(
    "text",
    ["=x", "a=b,", ",a", "a in b", "a in (b", "a b", "a=b=c", "a>x", "-a", "a in (b c)", "a!b", "a=-", "x/y/z", "a,,b"],
)
def test_broken_selectors_are_refused(text: str) -> None:
    with pytest.raises(BadSelector) as caught:
        selectors.parse(text)
    assert caught.value.evidence[0].value == text


def test_no_labels_at_all_match_the_empty_selector_only() -> None:
    assert selectors.parse("").matches(None)
    assert not selectors.parse("a").matches(None)


def test_the_object_form_joins_labels_and_expressions() -> None:
    selector = selectors.of_object(
        {
            "matchLabels": {"app": "llama"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["gpu", "cpu"]},
                {"key": "absent", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selector.matches(LABELS)
    assert str(selector) == "app=llama,tier in (cpu,gpu),!absent"


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "a", "operator": "Equals", "values": ["b"]},
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["b"]},
    ],
)
def test_an_expression_that_makes_no_sense_is_refused(expression: dict[str, object]) -> None:
    with pytest.raises(BadSelector):
        selectors.of_object({"matchExpressions": [expression]})


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("metadata.name=pod-1", True),
        ("metadata.name==pod-1,status.phase!=Failed", True),
        ("status.phase=Failed", False),
        ("spec.nodeName=", True),
        ("spec.unschedulable=true", True),
        (r"metadata.note=a\,b\=c", True),
    ],
)
def test_a_field_selector_compares_text(text: str, *, selected: bool) -> None:
    pod = {
        "metadata": {"name": "pod-1", "note": "a,b=c"},
        "spec": {"unschedulable": True},
        "status": {"phase": "Running"},
    }
    assert selectors.parse_fields(text).matches(lambda path: selectors.field_of(pod, path)) is selected


@pytest.mark.parametrize("text", ["metadata.name", "=x", "a=b=c"])
def test_a_broken_field_selector_is_refused(text: str) -> None:
    with pytest.raises(BadSelector):
        selectors.parse_fields(text)


keys = st.sampled_from(["app", "tier", "example.com/name", "in", "notin"])
values = st.sampled_from(["a", "b", "in", "7", "A.b_c-d"])
requirements = st.one_of(
    st.builds(
        lambda key, operator, several: Requirement(key, operator, tuple(sorted(several))),
        keys,
        st.sampled_from([selectors.IN, selectors.NOT_IN]),
        st.sets(values, min_size=1, max_size=3),
    ),
    st.builds(Requirement, keys, st.sampled_from([selectors.EXISTS, selectors.MISSING])),
    st.builds(
        lambda key, operator: Requirement(key, operator, ("7",)),
        keys,
        st.sampled_from([selectors.GREATER, selectors.LESS]),
    ),
)


@given(st.lists(requirements, max_size=4).map(lambda items: Selector(tuple(items))))
def test_a_selector_written_out_is_read_back(selector: Selector) -> None:
    assert selectors.parse(str(selector)) == selector


@given(selector=st.lists(requirements, max_size=3), labels=st.dictionaries(keys, values))
def test_in_and_notin_are_opposites_and_conditions_are_joined_by_and(
    selector: list[Requirement], labels: dict[str, str]
) -> None:
    assert Selector(tuple(selector)).matches(labels) == all(item.matches(labels) for item in selector)
    for item in selector:
        if item.operator == selectors.IN:
            opposite = Requirement(item.key, selectors.NOT_IN, item.values)
            assert opposite.matches(labels) is not item.matches(labels)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    try:
        selector = selectors.parse(text)
    except BadSelector:
        return
    assert selectors.parse(str(selector)) == selector
