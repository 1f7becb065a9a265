"""Bookkeeping of cards: whole, shared, reserved."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from sealane.sandbox.world.scheduler import cards

Obj = dict[str, Any]


def node(gpus: int, mib: str = "24564") -> Obj:
    status = {"allocatable": {"nvidia.com/gpu": str(gpus)}}
    return {"metadata": {"name": "n", "labels": {"nvidia.com/gpu.memory": mib}}, "spec": {}, "status": status}


def pod(name: str, *, group: str = "", namespace: str = "team", gpus: int = 0, **notes: str) -> Obj:
    resources = {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {}
    meta: Obj = {"name": name, "namespace": namespace, "labels": {}, "annotations": notes}
    if group:
        meta["labels"]["runai-gpu-group"] = group
    return {"metadata": meta, "spec": {"nodeName": "n", "containers": [{"name": "c", "resources": resources}]}}


def test_reservations_hold_the_card_and_their_users_the_parts() -> None:
    pods = [
        pod("reservation", group="g", namespace=cards.RESERVATIONS, gpus=1),
        pod("half", group="g", **{"gpu-fraction": "0.5"}),
        pod("whole", gpus=1),
    ]
    book = cards.of_node(node(4), pods)
    assert (book.whole, book.untouched, dict(book.groups)) == (1, 2, {"g": Fraction(1, 2)})
    assert book.free == Fraction("2.5")


def test_finished_pods_hold_nothing() -> None:
    done = pod("done", gpus=2)
    done["status"] = {"phase": "Succeeded"}
    assert cards.of_node(node(4), [done]).untouched == 4


@pytest.mark.parametrize(
    ("notes", "ask"),
    [
        ({"gpu-fraction": "0.25"}, cards.Ask(fraction=Fraction(1, 4))),
        ({"gpu-memory": "8000"}, cards.Ask(memory_mib=8000)),
        ({"gpu-fraction": "nonsense"}, cards.Ask()),
        ({}, cards.Ask()),
    ],
)
def test_what_a_pod_asks_is_read_from_its_annotations(notes: dict[str, str], ask: cards.Ask) -> None:
    assert cards.ask_of(pod("x", **notes)) == ask


def test_a_card_of_unknown_memory_takes_no_share_in_memory() -> None:
    book = cards.of_node(node(1, mib="0"), [])
    assert book.place(cards.Ask(memory_mib=1000)) is None
    assert book.place(cards.Ask(fraction=Fraction(1, 2))) is not None


def test_memory_is_floored_to_hundreds_before_it_is_divided() -> None:
    book = cards.of_node(node(1), [])
    assert book.part_of(cards.Ask(memory_mib=24_500)) == 1
    assert book.place(cards.Ask(memory_mib=24_600)) is None


def test_indices_of_reserved_cards_come_from_the_top_and_are_found_again() -> None:
    reserved = pod("r", group="g", namespace=cards.RESERVATIONS, **{cards.INDEX: "GPU-n-3"})
    assert cards.free_index("n", 4, []) == 3
    assert cards.free_index("n", 4, [reserved]) == 2
    assert cards.index_of("n", "g", [reserved]) == 3
    assert cards.index_of("n", "other", [reserved]) == -1
