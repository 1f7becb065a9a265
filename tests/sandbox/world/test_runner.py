"""Controllers: level-triggered, one failing key holds up no other, later means later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from sealane.sandbox.world import runner
from sealane.sandbox.world.clock import SteppedClock
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.world import ClusterWorld

Obj = dict[str, Any]


class Recorder(runner.Controller):
    """Writes down what it is asked to reconcile."""

    name = "recorder"
    kinds = ("configmaps",)
    pace: ClassVar[float] = 1.0

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.seen: list[tuple[float, runner.Key]] = []
        self.fail = True

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[runner.Key]:
        if obj["metadata"]["name"] == "odd":
            raise KeyError("an object as nobody thought of it")
        return super().keys(change, plural, obj) if obj["metadata"]["namespace"] == "team-a" else ()

    def reconcile(self, key: runner.Key) -> float | None:
        self.seen.append((self.cluster.clock.monotonic(), key))
        if key[1] == "broken" and self.fail:
            raise RuntimeError("as planned")
        return 10.0 if key[1] == "again" else None

    def times(self, name: str) -> list[float]:
        """When a key was reconciled."""
        return [at for at, key in self.seen if key[1] == name]


def config(cluster: Cluster, name: str, namespace: str = "team-a") -> None:
    meta = {"name": name, "namespace": namespace}
    cluster.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})


@pytest.fixture
async def recorder(still: ClusterWorld, clock: SteppedClock) -> Any:
    made = Recorder(still.cluster)
    task = asyncio.create_task(runner.run(still.cluster, [made]))
    await clock.advance(0)
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_burst_of_changes_is_one_reconcile(recorder: Recorder, clock: SteppedClock) -> None:
    config(recorder.cluster, "x")
    for number in range(5):
        recorder.cluster.change("configmaps", "team-a", "x", lambda obj, n=number: obj.update(data={"n": str(n)}))
    await clock.advance(5)
    assert recorder.times("x") == [1.0]


async def test_what_a_controller_does_not_care_for_does_not_wake_it(recorder: Recorder, clock: SteppedClock) -> None:
    config(recorder.cluster, "elsewhere", "team-b")
    await clock.advance(5)
    assert recorder.times("elsewhere") == []


async def test_a_failing_key_comes_again_and_holds_up_no_other(recorder: Recorder, clock: SteppedClock) -> None:
    config(recorder.cluster, "broken")
    config(recorder.cluster, "fine")
    await clock.advance(4.5)
    assert recorder.times("fine") == [1.0]
    assert len(recorder.times("broken")) >= 2
    recorder.fail = False
    await clock.advance(2)
    count = len(recorder.times("broken"))
    await clock.advance(20)
    assert len(recorder.times("broken")) == count


async def test_a_key_that_asks_for_it_is_looked_at_later(recorder: Recorder, clock: SteppedClock) -> None:
    config(recorder.cluster, "again")
    await clock.advance(13)
    assert recorder.times("again") == [1.0, 12.0]


async def test_while_the_sandbox_warms_up_nobody_waits(recorder: Recorder, clock: SteppedClock) -> None:
    recorder.cluster.warm = True
    config(recorder.cluster, "x")
    await clock.advance(0)
    assert recorder.times("x") == [0.0]


async def test_an_object_that_a_controller_cannot_read_ends_nothing(
    recorder: Recorder, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    config(recorder.cluster, "odd")
    config(recorder.cluster, "after")
    await clock.advance(5)
    assert recorder.times("after") == [1.0]
    assert "recorder cannot read" in caplog.text
