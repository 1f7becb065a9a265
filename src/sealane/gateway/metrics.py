"""Prometheus metrics, written by hand: counters are plain dicts, because a library's locks and label objects would
cost more than the rest of a request's book-keeping. Label values are bounded: a model that nobody hosts is counted as
"".

Every name and meaning is part of the documentation (docs/gateway.md), and a test holds the two equal.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

Labels = tuple[str, ...]


class Counter:
    """A number that only grows, by labels."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Count `amount` more."""
        self.values[labels] = self.values.get(labels, 0) + amount

    def lines(self) -> Iterable[str]:
        """The exposition format's sample lines."""
        return (f"{self.name}{_braces(self.labels, key)} {value:g}" for key, value in self.values.items())


class Gauge(Counter):
    """A number that is read when asked for."""

    kind = "gauge"

    def set(self, values: Mapping[Labels, float]) -> None:
        """Replace all values."""
        self.values = dict(values)


class Histogram:
    """How long things took, in seconds, in fixed buckets."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self.name, self.text, self.labels = name, text, labels
        self._cells: dict[Labels, list[float]] = {}

    def observe(self, labels: Labels, seconds: float) -> None:
        """Count one duration."""
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = [0.0] * (len(SECONDS) + 2)
        cell[bisect.bisect_left(SECONDS, seconds)] += 1
        cell[-1] += seconds

    def lines(self) -> Iterable[str]:
        """The exposition format's sample lines; buckets are cumulative."""
        for key, cell in self._cells.items():
            seen = 0.0
            for bound, amount in zip((*map(str, SECONDS), "+Inf"), cell[:-1], strict=True):
                seen += amount
                yield f"{self.name}_bucket{_braces((*self.labels, 'le'), (*key, bound))} {seen:g}"
            yield f"{self.name}_sum{_braces(self.labels, key)} {cell[-1]:.6f}"
            yield f"{self.name}_count{_braces(self.labels, key)} {seen:g}"


class Metrics:
    """All metrics of one gateway."""

    def __init__(self) -> None:
        p = "sealane_gateway_"
        self.requests = Counter(p + "requests_total", "Requests answered.", ("endpoint", "model", "code"))
        self.seconds = Histogram(p + "request_seconds", "Whole time of a request.", ("endpoint", "model"))
        self.first_byte = Histogram(p + "first_byte_seconds", "Time to the first byte.", ("endpoint", "model"))
        self.tokens = Counter(p + "tokens_total", "Tokens as engines counted them.", ("model", "kind"))
        self.retries = Counter(p + "retries_total", "Tries that failed before the first byte.", ("model",))
        self.lost = Counter(p + "upstream_lost_total", "Answers cut by a replica's end.", ("model",))
        self.timeouts = Counter(p + "timeouts_total", "Requests that met a time limit.", ("limit",))
        self.disconnects = Counter(p + "client_disconnects_total", "Requests whose client went away.")
        self.in_flight = Gauge(p + "in_flight", "Requests at a replica now.", ("cluster", "namespace", "pod"))
        self.queued = Gauge(p + "queued", "Requests that wait for a replica now.", ("model",))
        self.replicas = Gauge(p + "replicas", "Replicas that are ready.", ("model",))
        self.ejected = Gauge(p + "ejected", "Replicas that are avoided now, after a failure.")
        self.usage_failures = Gauge(p + "usage_write_failures", "Batches of usage that could not be written yet.")

    def text(self) -> bytes:
        """Everything, in Prometheus' text format 0.0.4."""
        lines: list[str] = []
        for metric in vars(self).values():
            lines += (f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind}", *metric.lines())
        return ("\n".join(lines) + "\n").encode()


def _braces(names: tuple[str, ...], values: Labels) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True)) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
