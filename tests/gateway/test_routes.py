"""Names: exact tags win, the other spelling of `latest` works, and one deployment can be meant by its place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sealane.gateway.routes import Replica, Routes, StaticReplicas, other_spelling, routes_of


def replica(model: str, *, cluster: str = "harbor-eu", name: str = "m", pod: str = "p") -> Replica:
    return Replica(cluster=cluster, namespace="team-a", pod=pod, name=name, model=model)


def served(routes: Routes, name: str) -> list[str]:
    return [r.id for r in routes.by_name[name].replicas]


def test_a_model_is_found_by_tag_by_its_other_spelling_and_by_place() -> None:
    routes = routes_of([replica("tiny"), replica("tiny", cluster="atlas-us")])
    both = ["harbor-eu/team-a/p", "atlas-us/team-a/p"]
    assert served(routes, "tiny") == both
    assert served(routes, "tiny:latest") == both
    assert served(routes, "atlas-us/team-a/m") == both[1:]
    assert [entry.model for entry in routes.models] == ["tiny"]


def test_an_exact_tag_wins_over_a_place_of_the_same_spelling() -> None:
    odd = replica("harbor-eu/team-a/m", name="other", pod="odd")
    routes = routes_of([replica("tiny"), odd])
    assert served(routes, "harbor-eu/team-a/m") == ["harbor-eu/team-a/odd"]


def test_an_exact_tag_wins_over_another_spelling() -> None:
    routes = routes_of([replica("tiny", pod="a"), replica("tiny:latest", pod="b")])
    assert served(routes, "tiny") == ["harbor-eu/team-a/a"]
    assert served(routes, "tiny:latest") == ["harbor-eu/team-a/b"]


def test_a_model_without_a_ready_copy_is_known_with_its_reason() -> None:
    routes = routes_of([], waiting={("harbor-eu", "team-a", "m", "tiny"): "It is scaled to 0 copies."})
    entry = routes.by_name["tiny:latest"]
    assert entry.replicas == ()
    assert entry.waiting == "It is scaled to 0 copies."
    assert "harbor-eu/team-a/m" in routes.by_name


def test_a_reason_of_one_place_does_not_hide_copies_of_another() -> None:
    waiting = {("atlas-us", "team-a", "m", "tiny"): "0 of 1 copy answer."}
    assert served(routes_of([replica("tiny")], waiting=waiting), "tiny") == ["harbor-eu/team-a/p"]


@given(st.text(alphabet="abc:/.-", min_size=1, max_size=20))
def test_the_other_spelling_of_the_other_spelling_is_the_first(model: str) -> None:
    other = other_spelling(model)
    if other not in {model, ""} and not model.endswith(":latest:latest"):
        assert other_spelling(other) == model


def test_a_port_in_a_registrys_name_is_no_tag() -> None:
    assert other_spelling("registry:5000/team/m") == "registry:5000/team/m:latest"
    assert other_spelling("registry:5000/team/m:7b") == "registry:5000/team/m:7b"


async def test_static_replicas_can_be_replaced_and_give_their_way() -> None:
    one, two = replica("a", pod="1"), replica("b", pod="2")
    source = StaticReplicas({one: "way one"})  # type: ignore[dict-item]
    before = source.routes
    source.replace({two: "way two"})  # type: ignore[dict-item]
    assert source.routes is not before
    assert source.reach(two) == "way two"
    assert set(source.routes.by_name) >= {"b", "b:latest"}
    await source.run()
