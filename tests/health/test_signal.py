"""The dying signal: its published numbers, which way each count pushes, and what it does without a count."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealane.health import signal
from sealane.health.signal import Activity, Feature, SignalModel, Variant

TYPICAL = Activity(active_days_90=27, authors_90=10, days_since_tag=29, pull_people_90=11, domains_365=7)


def test_the_estimate_is_the_sum_that_the_file_publishes() -> None:
    model = SignalModel(
        version="t",
        fitted_on="a test",
        variants=(
            Variant(
                name="one",
                intercept=-1.0,
                threshold=0.3,
                features=(Feature(name="active_days_90", weight=-2.0, mean=1.0, deviation=0.5, typical=9),),
            ),
        ),
    )
    found = signal.assess(TYPICAL, model)
    odds = -1.0 + -2.0 * (math.log1p(27) - 1.0) / 0.5
    assert found.probability == pytest.approx(1 / (1 + math.exp(-odds)))
    assert not found.alarm


@pytest.mark.parametrize(
    ("known", "variant"),
    [
        (TYPICAL, "full"),
        (replace(TYPICAL, domains_365=None), "pulls"),
        (replace(TYPICAL, domains_365=None, pull_people_90=None), "commits"),
        (replace(TYPICAL, pull_people_90=None), "commits"),
    ],
)
def test_a_count_that_is_not_known_chooses_the_variant_without_it(known: Activity, variant: str) -> None:
    assert signal.assess(known).variant == variant


def test_a_typical_project_gives_no_alarm_and_a_silent_one_does() -> None:
    silent = Activity(active_days_90=0, authors_90=0, days_since_tag=None, pull_people_90=0, domains_365=0)
    for hidden in ({}, {"domains_365": None}, {"domains_365": None, "pull_people_90": None}):
        assert not signal.assess(replace(TYPICAL, **hidden)).alarm
        assert signal.assess(replace(silent, **hidden)).alarm


counts = st.integers(0, 400)


@given(active=st.integers(0, 89), authors=counts, tag=st.integers(0, 1999), people=counts, domains=counts)
def test_more_life_never_raises_the_estimate(active: int, authors: int, tag: int, people: int, domains: int) -> None:
    less = Activity(
        active_days_90=active, authors_90=authors, days_since_tag=tag + 1, pull_people_90=people, domains_365=domains
    )
    more = Activity(
        active_days_90=active + 1,
        authors_90=authors + 1,
        days_since_tag=tag,
        pull_people_90=people + 1,
        domains_365=domains + 1,
    )
    assert signal.assess(more).probability < signal.assess(less).probability


def test_reasons_come_strongest_first_and_say_what_is_usual() -> None:
    found = signal.assess(replace(TYPICAL, active_days_90=0))
    assert found.reasons[0].feature == "active_days_90"
    assert "commits by people on 0 of 90 days" in found.reasons[0].sentence
    assert [reason.push for reason in found.reasons] == sorted((reason.push for reason in found.reasons), reverse=True)


def test_a_project_that_never_tagged_counts_as_long_without_a_release() -> None:
    never = signal.assess(replace(TYPICAL, days_since_tag=None))
    assert never == signal.assess(replace(TYPICAL, days_since_tag=5000))


def test_every_published_weight_points_where_its_reason_says() -> None:
    for variant in signal.published().variants:
        for feature in variant.features:
            assert (feature.weight > 0) == (feature.name == "days_since_tag")
        assert 0 < variant.threshold < 0.2
