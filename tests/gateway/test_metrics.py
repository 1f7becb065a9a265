"""Prometheus can read what is written, and every metric of the documentation exists."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sealane.gateway.metrics import SECONDS, Counter, Histogram, Metrics

LINE = re.compile(r'^[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+$')
DOCS = Path(__file__).parents[2] / "docs" / "gateway.md"


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    named = set(re.findall(r"`(sealane_gateway_[a-z_]+)`", DOCS.read_text()))
    assert named == {metric.name for metric in vars(Metrics()).values()}


@given(label=st.text(max_size=20))
def test_any_label_value_makes_a_readable_line(label: str) -> None:
    counter = Counter("x_total", "X.", ("name",))
    counter.add((label.replace("\r", ""),))
    for line in counter.lines():
        assert LINE.match(line), line


def test_every_line_of_the_page_is_readable() -> None:
    metrics = Metrics()
    metrics.requests.add(("/v1/x", "m", "200"))
    metrics.seconds.observe(("/v1/x", "m"), 0.3)
    metrics.in_flight.set({("c", "n", "p"): 2})
    for line in metrics.text().decode().splitlines():
        assert line.startswith("# ") or LINE.match(line), line


@given(st.lists(st.floats(0, 1000), max_size=20))
def test_a_histogram_counts_cumulatively(values: list[float]) -> None:
    histogram = Histogram("x_seconds", "X.", ("m",))
    for value in values:
        histogram.observe(("a",), value)
    lines = dict(line.rsplit(" ", 1) for line in histogram.lines())
    if not values:
        assert lines == {}
        return
    for bound in SECONDS:
        assert float(lines[f'x_seconds_bucket{{m="a",le="{bound}"}}']) == sum(v <= bound for v in values)
    assert float(lines['x_seconds_bucket{m="a",le="+Inf"}']) == len(values) == float(lines['x_seconds_count{m="a"}'])
    assert abs(float(lines['x_seconds_sum{m="a"}']) - sum(values)) < 1e-3


def test_a_counter_without_labels_starts_at_zero_and_is_shown() -> None:
    assert list(Counter("x_total", "X.").lines()) == ["x_total 0"]
