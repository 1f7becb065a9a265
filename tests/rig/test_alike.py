"""Every conversation, held with the real control plane and with the sandbox: the answers are the same, or listed.

The real answers are also held against the recorded ones, which guard the sandbox where there is no rig.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from talks import differences, golden, speak, stage
from talks.manifests import MODEL
from talks.scenes import ALL
from talks.speak import Listener, Said

from rig.cluster import Rig
from rig.gguf_models import Shape
from rig.models import Model

pytestmark = pytest.mark.rig

Held = Callable[[str], tuple[dict[str, Said], dict[str, Said]]]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """The sandbox, in the rig's network."""
    with stage.sandbox(tmp_path_factory.mktemp("alike")) as found:
        yield found


@pytest.fixture(scope="module")
def held(rig: Rig, simulated: Listener, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """Holds a scene with both, once: the real answers and the simulated ones."""
    rig.registry.add(Model(name=f"library/{MODEL}", shape=Shape(seed=11)))
    real = stage.listener(str(rig.kubeconfig), rig.clusters[0].name, tmp_path_factory.mktemp("real"))
    said: dict[str, tuple[dict[str, Said], dict[str, Said]]] = {}

    def hold(name: str) -> tuple[dict[str, Said], dict[str, Said]]:
        if name not in said:
            with ThreadPoolExecutor(2) as both:
                first, second = (both.submit(speak.hold, ALL[name], each) for each in (real, simulated))
            said[name] = first.result(), second.result()
        return said[name]

    return hold


@pytest.mark.parametrize("scene", ALL)
def test_the_sandbox_answers_as_the_real_server_does(held: Held, scene: str) -> None:
    real, simulated = held(scene)
    assert len(real) == sum(line.compared for line in ALL[scene].lines)
    found = differences.faults(real, simulated, allowed=differences.listed())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scene", ALL)
def test_the_recorded_answers_are_still_the_servers(held: Held, scene: str) -> None:
    real, _ = held(scene)
    found = differences.faults(real, golden.read(scene).said, allowed={})
    assert not found, "scripts/record_conversations.py records them anew\n" + "\n".join(found)
