"""Which part of which card of a node is taken, and by whom. Pure.

Kubernetes counts cards and does not say which one a pod got; KAI adds that for shared cards only: pods that share a
card carry the same `runai-gpu-group` label as the reservation pod that holds the card for them. So shared cards are
told apart exactly, whole ones by number: the sum of what is free is right, the index of a whole card is only a seat.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Sequence

import msgspec

from sealane.gpus.facts import Card
from sealane.gpus.views import Container, Metadata, PodSpec, PodView, Requirements
from sealane.kube import quantities

GPU = "nvidia.com/gpu"
GROUP_LABEL = "runai-gpu-group"
RESERVATIONS = "kai-resource-reservation"
FRACTION, MEMORY = "gpu-fraction", "gpu-memory"
INDEX_ANNOTATION = "run.ai/reserve_for_gpu_index"
_ANNOTATIONS = (FRACTION, MEMORY, INDEX_ANNOTATION)


class Shared(msgspec.Struct):
    """A card in several hands, while it is being counted."""

    used: float = 0.0
    users: list[str] = []
    seat: int | None = None


@functools.lru_cache(maxsize=4096)
def number(text: str) -> float:
    """A quantity as a float (`1500m` is 1.5); 0 for what is no quantity, as a broken object must not end a page."""
    with contextlib.suppress(quantities.BadQuantity):
        return float(quantities.parse(text))
    return 0.0


def whole_devices(pod: PodView) -> int:
    """How many whole cards a pod holds: the sum over its containers, or its largest init container."""
    held = sum(_cards(container) for container in pod.spec.containers)
    return (
        max(held, *(_cards(container) for container in pod.spec.init_containers)) if pod.spec.init_containers else held
    )


def _cards(container: Container) -> int:
    limits = container.resources.limits
    return int(number(limits[GPU])) if limits and GPU in limits else 0


def fraction(pod: PodView, memory_mib: int | None) -> float:
    """The part of one card that a sharing pod asked for, 0–1; 0 when it asked for none. A `gpu-memory` request on a
    card of unknown size counts as the whole card, which is the safe side."""
    part = pod.metadata.annotation(FRACTION)
    if part:
        return min(1.0, max(0.0, number(part)))
    memory = pod.metadata.annotation(MEMORY)
    if not memory:
        return 0.0
    return min(1.0, max(0.0, number(memory)) / memory_mib) if memory_mib else 1.0


def groups(pod: PodView) -> list[str]:
    """The shared cards that a pod sits on: values of `runai-gpu-group` and `runai-gpu-group/<n>`, without repeats."""
    labels = pod.metadata.labels or {}
    found = [value for key, value in labels.items() if key == GROUP_LABEL or key.startswith(f"{GROUP_LABEL}/")]
    return list(dict.fromkeys(found))


def about_cards(pod: PodView) -> PodView:
    """The same pod with nothing but what is read here; parts that many pods have alike are held once."""
    meta = pod.metadata
    labels = {key: value for key, value in (meta.labels or {}).items() if key.startswith(GROUP_LABEL)}
    notes = tuple((key, value) for key in _ANNOTATIONS if (value := meta.annotation(key)))
    slim = Metadata(name=meta.name, namespace=meta.namespace, labels=labels or None, annotations=_notes(notes))
    return PodView(metadata=slim, spec=_spec(whole_devices(pod)))


@functools.lru_cache(maxsize=256)
def _notes(pairs: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
    return dict(pairs) or None


@functools.lru_cache(maxsize=64)
def _spec(devices: int) -> PodSpec:
    limits = {GPU: str(devices)} if devices else None
    return PodSpec(containers=[Container(resources=Requirements(limits=limits))])


def seats(count: int, pods: Sequence[PodView], *, memory_mib: int | None) -> tuple[Card, ...]:
    """The `count` cards of a node with `pods` on it. `free` never leaves 0–1, whatever the pods claim together."""
    shared = _shared(pods, memory_mib)
    cards: dict[int, Card] = {}
    for group, card in sorted(shared.items(), key=lambda item: item[1].seat is None):
        seat = card.seat if card.seat is not None and card.seat not in cards else _empty(cards, count)
        if seat is not None and seat < count:
            free = round(max(0.0, 1.0 - card.used), 6)
            cards[seat] = Card(index=seat, free=free, group=group, users=tuple(sorted(card.users)))
    for pod in pods:
        if pod.metadata.namespace == RESERVATIONS:
            continue
        for _ in range(whole_devices(pod)):
            seat = _empty(cards, count)
            if seat is not None:
                cards[seat] = Card(index=seat, free=0.0, users=(f"{pod.metadata.namespace}/{pod.metadata.name}",))
    return tuple(cards.get(index, Card(index=index, free=1.0)) for index in range(count))


def _shared(pods: Sequence[PodView], memory_mib: int | None) -> dict[str, Shared]:
    shared: dict[str, Shared] = {}
    for pod in pods:
        for group in groups(pod):
            card = shared.setdefault(group, Shared())
            if pod.metadata.namespace == RESERVATIONS:
                card.seat = _seat_of(pod.metadata.annotation(INDEX_ANNOTATION))
                continue
            card.used += fraction(pod, memory_mib)
            card.users.append(f"{pod.metadata.namespace}/{pod.metadata.name}")
    return shared


def _seat_of(annotation: str) -> int | None:
    """The index at the end of the annotation, where it has one; real cards are named by a UUID, which has none."""
    found = re.search(r"^(?:\D*|GPU-.*-)(\d{1,3})$", annotation)
    return int(found.group(1)) if found else None


def _empty(cards: dict[int, Card], count: int) -> int | None:
    return next((index for index in range(count) if index not in cards), None)
