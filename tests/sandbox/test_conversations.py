"""What the real server answered, recorded, is what the sandbox answers: fidelity guarded where there is no rig."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from talks import differences, golden, speak, stage
from talks.scenes import ALL
from talks.speak import Listener

pytestmark = pytest.mark.slow

QUICK = (
    "talk-describe",
    "talk-apply",
    "talk-quota",
    "talk-strict",
    "talk-offers",
    "talk-host",
    "talk-limits",
    "talk-scopes",
    "talk-cron",
    "talk-job",
    "talk-hpa",
    "talk-roles",
    "talk-network",
    "talk-custom",
    "talk-sets",
    "talk-nodes",
    "talk-watch",
    "talk-streams",
)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """The sandbox, and the very kubectl that the answers were recorded with."""
    kubectl = speak.kubectl_path()
    if not kubectl:
        pytest.skip("kubectl is not installed")
    recorded = golden.read(QUICK[0]).versions["kubectl"]
    if stage.kubectl_version(kubectl) != recorded:
        pytest.skip(f"the answers were recorded with kubectl {recorded}, and this is another one")
    with stage.sandbox(tmp_path_factory.mktemp("conversations")) as found:
        yield found


@pytest.mark.parametrize("scene", QUICK)
def test_the_sandbox_answers_as_the_real_server_did(simulated: Listener, scene: str) -> None:
    answers = speak.hold(ALL[scene], simulated)
    found = differences.faults(golden.read(scene).said, answers, allowed=differences.listed())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scene", ALL)
def test_every_conversation_is_recorded_and_named_once(scene: str) -> None:
    said = [line.id for line in ALL[scene].lines if line.compared]
    assert list(golden.read(scene).said) == said
    elsewhere = {line.id for name, other in ALL.items() if name != scene for line in other.lines if line.compared}
    assert not elsewhere & set(said)


def test_every_listed_difference_names_a_conversation_and_says_why() -> None:
    known = {line.id for scene in ALL.values() for line in scene.lines if line.compared}
    for name, row in differences.listed().items():
        assert name in known
        assert len(row.split("|")[3].strip()) > 20, row


def test_at_least_98_in_100_conversations_are_alike() -> None:
    known = [line.id for scene in ALL.values() for line in scene.lines if line.compared]
    assert len(known) >= 300
    assert len(differences.listed()) <= len(known) * 0.02
