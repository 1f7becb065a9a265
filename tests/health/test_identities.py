"""Who is one person: the order of evidence, and what never merges anybody."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sealane.health.identities import hashed, login_of, people

NOREPLY = "12345+Ann-Lee@users.noreply.github.com"


def test_a_noreply_address_names_the_login_whatever_its_number() -> None:
    assert login_of(NOREPLY) == "ann-lee"
    assert login_of("ann-lee@users.noreply.github.com") == "ann-lee"
    assert login_of("ann@example.com") == ""
    assert login_of("1+x@users.noreply.github.com.evil.example") == ""


def test_one_address_is_one_person_under_any_name() -> None:
    found = people([("Ann Lee", "ann@example.com"), ("ann", "ANN@example.com ")])
    assert len(set(found.values())) == 1


def test_a_full_name_joins_addresses_and_says_that_it_did() -> None:
    found = people([("Ann Lee", "ann@example.com"), ("Ann  lee", NOREPLY)])
    assert set(found.values()) == {next(iter(found.values()))}
    person = next(iter(found.values()))
    assert (person.id, person.login, person.merged_by_name) == ("login:ann-lee", "ann-lee", True)


def test_a_bare_first_name_joins_nobody() -> None:
    found = people([("Ann", "ann@one.example"), ("Ann", "ann@two.example")])
    assert len({person.id for person in found.values()}) == 2


def test_no_address_stands_in_what_comes_out() -> None:
    found = people([("Ann Lee", "ann@example.com")])
    assert "ann@" not in repr(found[("Ann Lee", "ann@example.com")])
    assert hashed("Ann@Example.com ") == hashed("ann@example.com")


def test_an_organisation_is_an_address_s_domain_and_a_mail_provider_is_none() -> None:
    domains = [person.domain for person in people([("A B", "a@nvidia.com")]).values()]
    assert domains == ["nvidia.com"]
    assert {person.domain for person in people([("C D", "c@gmail.com"), ("E F", "root@host.local")]).values()} == {""}


def test_names_that_are_no_text_are_people_too() -> None:
    found = people([("\udcff\udcfe", "x@y.example"), ("\U0001f98a", ""), ("", "")])
    assert len(found) == 3


signatures = st.tuples(
    st.sampled_from(["Ann Lee", "Bo Ek", "Ann", ""]), st.sampled_from(["a@x.org", "b@x.org", NOREPLY])
)


@given(st.lists(signatures, max_size=8))
def test_the_order_of_commits_changes_nobody_s_identity(given_signatures: list[tuple[str, str]]) -> None:
    assert people(given_signatures) == people(list(reversed(given_signatures)))
