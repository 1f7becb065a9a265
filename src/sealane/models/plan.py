"""From a wish to everything that will happen, before it happens: one pure function, and the product's centre.

Form, CLI, YAML, kubectl, Helm values and recipe are renderings of the Plan that this makes; `actions.submit` applies
it. It completes the wish, asks every check, previews the placement and builds the objects. Refusals are inside the
Plan, never raised, so that a half-filled form can be planned at every key stroke. No I/O and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sealane.gpus.facts import ClusterFacts
from sealane.lib import text
from sealane.lib.errors import SealaneError
from sealane.models import capacity, catalogue, checks, memory, shares, wishes, workload
from sealane.models.types import Fit, ModelCard, ModelSpec, Plan

_GIB = 1024**3
_MIB = 1024**2
_NOT_FOR_WORK = frozenset({"Mistral Non-Production", "Qwen Research"})


def plan(
    spec: ModelSpec,
    card: ModelCard,
    facts: ClusterFacts,
    *,
    instead: Sequence[ModelCard] | None = None,
    update: bool = False,
) -> Plan:
    """What hosting `card` as `spec` in the cluster would create, need and wait for.

    `instead` are models to offer, best first, when this one fits nowhere (by default the catalogue's); `update` says
    that objects of ours under the same name are meant to be changed. With refusals nothing may be applied; where the
    wish is not even well formed, there are no manifests.
    """
    wish = wishes.complete(spec, card, facts)
    filled, found = wish.spec, wish.fit
    malformed = tuple(checks.shape(filled))
    placement = capacity.place(found, facts, share=filled.share, queue=filled.queue, copies=max(filled.copies, 1))
    if malformed:
        return Plan(spec=filled, card=card, fit=found, placement=placement, manifests=(), refusals=malformed)
    others = catalogue.load().instead_of(card) if instead is None else instead
    refusals: tuple[SealaneError, ...] = tuple(
        checks.cluster(filled, card, found, facts, instead=others, update=update)
    )
    sizing = _sizing(filled, card, found, facts)
    return Plan(
        spec=filled,
        card=card,
        fit=found,
        placement=placement,
        manifests=workload.manifests(filled, sizing),
        warnings=(*wish.notes, *_warnings(filled, card, found, facts, sizing)),
        refusals=refusals,
    )


def _sizing(spec: ModelSpec, card: ModelCard, found: Fit, facts: ClusterFacts) -> workload.Sizing:
    storage = "empty"
    if facts.storage_class and spec.keep_weights:
        storage = "claim" if spec.copies <= 1 else "each"
    storage = spec.storage or storage
    on_gpu = spec.share.on_gpu
    weights = found.weights_bytes
    return workload.Sizing(
        kai=facts.kai,
        storage=storage,
        storage_class=facts.storage_class,
        volume_bytes=_volume(card),
        cpu_millicores=500 if on_gpu or weights < _GIB else 2000,
        memory_bytes=max(_GIB, weights // 10 + 512 * _MIB) if on_gpu else found.total_bytes + 512 * _MIB,
        overhead=_overhead(spec, found, facts),
        card_floor_mib=_card_floor(spec, found, facts),
    )


def _volume(card: ModelCard) -> int:
    """Room for the weights, and for a newer version beside them while it is pulled; at most 20 GiB more."""
    if not card.weights_bytes:
        return 50 * _GIB
    return math.ceil(min(card.weights_bytes * 2 + _GIB, card.weights_bytes + 20 * _GIB) / _GIB) * _GIB


def _overhead(spec: ModelSpec, found: Fit, facts: ClusterFacts) -> int:
    """Bytes of the card that the engine is told to leave: what the part has beyond the need, on the smallest card."""
    if spec.share.fraction is None and spec.share.memory_mib is None:
        return 0
    rooms = [
        room
        for node in capacity.gpu_nodes(facts)
        if capacity.holds(node, share=spec.share, found=found)
        and (room := shares.bytes_of(spec.share, card_mib=node.memory_mib)) is not None
    ]
    return max(min(rooms) - memory.needed_bytes(found), 0) if rooms else 0


def _card_floor(spec: ModelSpec, found: Fit, facts: ClusterFacts) -> int:
    """MiB that a card must have for the share to hold the model, where the cluster also has smaller ones; else 0."""
    if spec.share.memory_mib is not None or not spec.share.on_gpu or not memory.is_known(found):
        return 0
    part = spec.share.fraction or float(spec.share.devices or 1)
    floor = math.ceil(memory.needed_bytes(found, cards=spec.share.devices or 1) / part / _MIB)
    sizes = [node.memory_mib for node in facts.nodes if node.cards and node.memory_mib is not None]
    return floor if any(size < floor for size in sizes) and any(size >= floor for size in sizes) else 0


def _warnings(spec: ModelSpec, card: ModelCard, found: Fit, facts: ClusterFacts, sizing: workload.Sizing) -> list[str]:
    told: list[str] = []
    if facts.kai and (spec.share.fraction is not None or spec.share.memory_mib is not None):
        told.append(
            "A part of a card is bookkeeping, not isolation: nothing stops a neighbour on the card from using more. "
            "One context and one loaded model keep this one to its part."
        )
        if facts.gpu_sharing is None:
            told.append(f"It is not known whether GPU sharing is on in {facts.name}; if it is off, the pod is refused.")
    if not spec.share.on_gpu:
        told.append(f"{card.tag} runs on CPU only: expect a few tokens a second at best.")
    if found.basis != "header":
        told.append(f"The need is estimated from {found.basis}, ± {found.error_percent:g} %.")
    if spec.share.on_gpu and all(node.memory_mib is None for node in capacity.gpu_nodes(facts)):
        told.append(f"No GPU node of {facts.name} says how much memory its cards have, so the fit is not checked.")
    if spec.registry_secret == "" and spec.insecure_registry:
        told.append("The registry is reached without TLS checks.")
    if card.licence in _NOT_FOR_WORK:
        told.append(f"The licence of {card.tag} ({card.licence}) does not allow commercial use.")
    told.extend(_storage_warning(spec, card, sizing))
    return told


def _storage_warning(spec: ModelSpec, card: ModelCard, sizing: workload.Sizing) -> list[str]:
    size = text.decimal_bytes(card.weights_bytes) if card.weights_bytes else "the weights"
    if sizing.storage == "each":
        return [f"Each copy has a volume of its own, which goes with its pod: a replaced copy downloads {size} again."]
    if sizing.storage == "empty":
        why = "as asked" if not spec.keep_weights else "there is no default storage class"
        return [f"Weights stay on the node's disk ({why}): a replaced pod downloads {size} again."]
    return []
