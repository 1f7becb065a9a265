"""Index and order against the plain structures that they replace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sealane.fleet.index import SMALL, Index, Key, Order
from sealane.fleet.memo import Memo

KEYS = st.tuples(st.sampled_from(["", "a", "a-b", "b"]), st.sampled_from("xyz"))


@given(st.lists(st.tuples(st.sampled_from(["s", "t"]), KEYS, st.booleans())))
def test_an_index_is_a_dict_of_sets(operations: list[tuple[str, Key, bool]]) -> None:
    index = Index()
    truth: dict[str, set[Key]] = {}
    for term, key, gone in operations:
        if gone:
            index.discard(term, key)
            truth.get(term, set()).discard(key)
        else:
            index.add(term, key)
            truth.setdefault(term, set()).add(key)
        assert set(index.get(term)) == truth.get(term, set())
        assert len(index) == sum(bool(keys) for keys in truth.values())


def test_a_term_of_few_keys_has_no_set_and_one_of_many_finds_them_all() -> None:
    index = Index()
    index.add("t", ("a", "x"))
    assert index.get("t") == (("a", "x"),)
    assert index.get("u") == ()
    many = {("a", f"p{number}") for number in range(2 * SMALL)}
    for key in many:
        index.add("m", key)
    assert set(index.get("m")) == many
    for key in many:
        index.discard("m", key)
    assert len(index) == 1


@given(st.lists(st.tuples(KEYS, st.booleans())), st.sampled_from([0, 64]))
def test_an_order_is_a_sorted_set(operations: list[tuple[Key, bool]], few: int) -> None:
    order, truth = Order(few=few), set[Key]()
    for key, read in operations:
        if key in truth:
            order.remove(key)
            truth.remove(key)
        else:
            order.add(key)
            truth.add(key)
        if read:
            assert list(order.all()) == sorted(truth)
    for namespace in ("", "a", "a-b", "b", "c"):
        assert list(order.namespace(namespace)) == sorted(key for key in truth if key[0] == namespace)


def test_the_memo_forgets_what_was_not_looked_at_for_longest() -> None:
    memo = Memo(limit=20)
    for name in "xy":
        memo.put(1, ("a", name), {"name": name}, size=10)
    assert memo.get(1, ("a", "x")) == {"name": "x"}
    memo.put(2, ("a", "z"), {"name": "z"}, size=10)
    assert memo.get(1, ("a", "y")) is None
    assert memo.get(1, ("a", "x")) is not None
    assert memo.get(2, ("a", "x")) is None


def test_an_object_larger_than_the_memo_is_not_remembered_and_its_size_not_either() -> None:
    memo = Memo(limit=20)
    memo.put(1, ("a", "x"), {}, size=21)
    assert len(memo) == 0
    memo.put(1, ("a", "x"), {}, size=20)
    memo.put(1, ("a", "x"), {}, size=20)
    assert len(memo) == 1
