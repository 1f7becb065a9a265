"""The choice of a replica: loaded before merely ready, fewest in flight, never a full one, ties go round."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sealane.gateway import routing
from sealane.gateway.routes import Replica
from sealane.gateway.routing import Slot

NOW = 100.0


def slot(
    number: int = 0, *, in_flight: int = 0, limit: int = 4, loaded: bool = True, ejected_until: float = 0.0
) -> Slot:
    replica = Replica(cluster="c", namespace="n", pod=f"p-{number}", name="m", model="m")
    made = Slot(replica, None, limit=limit)  # type: ignore[arg-type]
    made.in_flight = in_flight
    made.loaded = frozenset({"m"}) if loaded else frozenset()
    made.ejected_until = ejected_until
    return made


SLOTS = st.lists(
    st.builds(
        slot,
        st.integers(0, 99),
        in_flight=st.integers(0, 5),
        limit=st.integers(1, 5),
        loaded=st.booleans(),
        ejected_until=st.sampled_from([0.0, NOW + 5]),
    ),
    max_size=6,
)


@given(slots=SLOTS, turn=st.integers(0, 100))
def test_the_chosen_one_has_room_and_none_of_its_class_is_less_loaded(slots: list[Slot], turn: int) -> None:
    chosen = routing.choose(slots, model="m", now=NOW, turn=turn)
    healthy = [s for s in slots if s.ejected_until <= NOW]
    free = [s for s in (healthy or slots) if s.in_flight < s.limit]
    assert (chosen is None) == (not free)
    if chosen is not None:
        assert chosen in free
        peers = [s for s in free if bool(s.loaded) == bool(chosen.loaded)]
        assert chosen.in_flight == min(s.in_flight for s in peers)
        assert chosen.loaded or not any(s.loaded for s in free)


@given(slots=SLOTS, turn=st.integers(0, 100), data=st.data())
def test_one_that_was_tried_is_never_chosen_again(slots: list[Slot], turn: int, data: st.DataObject) -> None:
    tried = data.draw(st.lists(st.sampled_from(slots), max_size=3)) if slots else []
    chosen = routing.choose(slots, model="m", now=NOW, turn=turn, tried=tried)
    assert chosen is None or chosen not in tried


@given(size=st.integers(1, 6), requests=st.integers(0, 24))
def test_requests_spread_evenly_over_equal_replicas(size: int, requests: int) -> None:
    slots = [slot(i, limit=100) for i in range(size)]
    for turn in range(requests):
        chosen = routing.choose(slots, model="m", now=NOW, turn=turn)
        assert chosen is not None
        chosen.in_flight += 1
    numbers = [s.in_flight for s in slots]
    assert max(numbers) - min(numbers) <= 1


@given(size=st.integers(2, 6))
def test_ties_go_round_even_when_requests_come_one_at_a_time(size: int) -> None:
    slots = [slot(i) for i in range(size)]
    chosen = {routing.choose(slots, model="m", now=NOW, turn=turn) for turn in range(size)}
    assert chosen == set(slots)


def test_a_loaded_replica_is_preferred_to_an_idle_one_that_would_have_to_load() -> None:
    busy, cold = slot(0, in_flight=3), slot(1, loaded=False)
    assert routing.choose([cold, busy], model="m", now=NOW, turn=0) is busy


def test_a_full_loaded_replica_spills_to_one_that_has_to_load() -> None:
    full, cold = slot(0, in_flight=4), slot(1, loaded=False)
    assert routing.choose([full, cold], model="m", now=NOW, turn=0) is cold


def test_a_request_waits_for_a_healthy_replica_rather_than_try_one_that_just_failed() -> None:
    full, failed = slot(0, in_flight=4), slot(1, ejected_until=NOW + 1)
    assert routing.choose([full, failed], model="m", now=NOW, turn=0) is None


def test_when_all_have_failed_one_is_tried_all_the_same() -> None:
    failed = slot(0, ejected_until=NOW + 1)
    assert routing.choose([failed], model="m", now=NOW, turn=0) is failed


def test_an_ejection_ends_by_itself() -> None:
    one = slot(0, ejected_until=NOW)
    other = slot(1, in_flight=1)
    assert routing.choose([one, other], model="m", now=NOW, turn=0) is one


def test_a_replica_holds_what_it_works_on_and_as_many_again() -> None:
    def limit(parallel: int) -> int:
        return routing.limit_of(Replica(cluster="", namespace="", pod="", name="", model="", parallel=parallel))

    assert [limit(1), limit(2), limit(8)] == [4, 4, 16]
