"""Hosted models and GPUs as rows: the same words for the same state on every page."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealane.console.services import ClusterRow, Ref, Tone
from sealane.gpus.facts import ClusterFacts
from sealane.lib import text
from sealane.models.types import Hosted, ModelCard, StageName

TONES: dict[StageName, Tone] = {
    "Submitted": "run",
    "Waiting": "wait",
    "Scheduled": "run",
    "Image": "run",
    "Pulling": "run",
    "Loading": "run",
    "Answering": "ok",
    "Failed": "fail",
}


_FAVOURITES = ("qwen2.5-coder:7b", "llama3.1:8b", "nomic-embed-text:latest", "nomic-embed-text")


def favourites_first(cards: Sequence[ModelCard]) -> tuple[ModelCard, ...]:
    """A chat model for code, one for everything and one for embeddings lead the catalogue; the rest keeps its order."""
    led = sorted((card for card in cards if card.tag in _FAVOURITES), key=lambda card: _FAVOURITES.index(card.tag))
    return (*led, *(card for card in cards if card.tag not in _FAVOURITES))


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One hosted model in a list. `path` is its address after `/models/`; `sentence` says why it is not answering."""

    cluster: str
    namespace: str
    name: str
    path: str
    model: str
    engine: str
    stage: StageName
    tone: Tone
    state: str
    sentence: str
    copies: int
    ready: int
    share: str
    queue: str
    context: int
    endpoint: str


def model_row(hosted: Hosted) -> ModelRow:
    """The row of one hosted model."""
    tone, state = _state(hosted)
    return ModelRow(
        cluster=hosted.cluster,
        namespace=hosted.namespace,
        name=hosted.name,
        path=Ref(hosted.cluster, hosted.namespace, hosted.name).path,
        model=hosted.model,
        engine=hosted.engine,
        stage=hosted.stage,
        tone=tone,
        state=state,
        sentence=hosted.sentence,
        copies=hosted.copies,
        ready=hosted.ready,
        share=hosted.share,
        queue=hosted.queue,
        context=hosted.context,
        endpoint=hosted.endpoint,
    )


def waits(hosted: Hosted) -> bool:
    """Whether it waits for something; a model that nobody asked a copy of sleeps."""
    return hosted.stage == "Waiting" and hosted.copies > 0


def _state(hosted: Hosted) -> tuple[Tone, str]:
    if hosted.copies == 0:
        return "idle", "Asleep"
    if 0 < hosted.ready < hosted.copies and hosted.stage != "Failed":
        return "run", f"Answering, {hosted.copies - hosted.ready} starting"
    return TONES[hosted.stage], hosted.stage


def by_need(rows: Sequence[ModelRow]) -> tuple[ModelRow, ...]:
    """Failed first, then waiting, then starting, then the rest by name."""
    order: dict[Tone, int] = {"fail": 0, "wait": 1, "run": 2}
    return tuple(sorted(rows, key=lambda row: (order.get(row.tone, 3), row.model, row.cluster, row.namespace)))


class Gpus(msgspec.Struct, frozen=True):
    """Cards of a cluster: how many there are and how much of them is taken, in devices. What the reader may not see is
    said to be so: nodes that may not be listed are no cluster without cards."""

    taken: float
    total: int
    known: bool = True
    use_known: bool = True

    @property
    def words(self) -> str:
        if not self.known:
            return "no permission to see"
        if not self.total:
            return "no GPUs"
        if not self.use_known:
            return f"{text.amount(self.total, 'GPU')}, no permission to see who uses them"
        return f"{self.taken:g} of {text.amount(self.total, 'GPU')}"


def gpus_of(facts: ClusterFacts) -> Gpus:
    """Cards over all nodes."""
    cards = [card for node in facts.nodes for card in node.cards]
    taken = round(sum(1 - card.free for card in cards), 2)
    return Gpus(taken, len(cards), known=facts.nodes_known, use_known=facts.pods_known)


class ClusterLine(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster in a list: its state, and its cards where they are known."""

    name: str
    state: str
    sentence: str
    region: str
    gpus: str
    age: float


def cluster_line(row: ClusterRow, facts: ClusterFacts | None) -> ClusterLine:
    """A cluster's line; a cluster without facts says that its cards are not known."""
    return ClusterLine(
        name=row.name,
        state=row.state,
        sentence=row.sentence,
        region=facts.region if facts else "",
        gpus=gpus_of(facts).words if facts else "not known",
        age=row.age,
    )
