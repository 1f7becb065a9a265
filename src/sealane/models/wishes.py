"""A wish completed: what was not said is filled in from the cluster, and why is kept as a sentence where it matters.

Name, share, queue and an over-long context get their values here, so that form, CLI and YAML show the same ones. The
order matters: the share needs the context, the queue needs the share. Pure; never raises; checking is `checks`' work.
"""

from __future__ import annotations

import msgspec

from sealane.gpus.facts import ClusterFacts
from sealane.lib import ids
from sealane.models import capacity, memory
from sealane.models.engines import ollama
from sealane.models.reference import BadReference, parse
from sealane.models.types import Fit, KvType, ModelCard, ModelSpec

NAME_LIMIT = 50
"""Longest name: `NAME-weights` and the pods' own suffixes must stay below 63 characters."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The completed spec, its fit, and what was changed on the way."""

    spec: ModelSpec
    fit: Fit
    notes: tuple[str, ...] = ()


def complete(spec: ModelSpec, card: ModelCard, facts: ClusterFacts) -> Wish:
    """Fill in model tag, context, parallelism, name, share and queue."""
    notes: list[str] = []
    filled = msgspec.structs.replace(
        spec,
        model=_exact_tag(spec.model),
        context=_context(spec, card, notes),
        parallel=_parallel(spec, card, notes),
        name=spec.name or _free_name(spec, facts, notes),
    )
    filled = msgspec.structs.replace(filled, kv=_kv(filled, card, notes))
    found = memory.fit(card, context=max(filled.context, 1), parallel=max(filled.parallel, 1), kv=filled.kv)
    if not filled.share.said:
        filled = msgspec.structs.replace(filled, share=capacity.best_share(found, facts))
    queue = filled.queue or _best_queue(filled, found, facts)
    if not facts.kai and filled.queue:
        notes.append(f"{facts.name} has no KAI scheduler, so queue {filled.queue} is left out.")
    filled = msgspec.structs.replace(filled, queue=queue if facts.kai else "")
    return Wish(spec=filled, fit=found, notes=tuple(notes))


def _exact_tag(model: str) -> str:
    try:
        return parse(model).text
    except BadReference:
        return model


def _context(spec: ModelSpec, card: ModelCard, notes: list[str]) -> int:
    if card.context_max and spec.context > card.context_max:
        notes.append(f"Context {spec.context:,} is more than {card.tag} was made for; {card.context_max:,} is used.")
        return card.context_max
    return spec.context


def _parallel(spec: ModelSpec, card: ModelCard, notes: list[str]) -> int:
    architecture = card.header.architecture if card.header else ""
    if spec.parallel > 1 and architecture.startswith(ollama.SINGLE_REQUEST):
        notes.append(f"Ollama serves {card.tag} one request at a time, so {spec.parallel} at once becomes 1.")
        return 1
    return spec.parallel


def _kv(spec: ModelSpec, card: ModelCard, notes: list[str]) -> KvType:
    if spec.kv != "f16" and card.header is not None and not memory.quantized_cache(card):
        notes.append(f"A {spec.kv} cache needs flash attention, which {card.tag} cannot use; f16 is used.")
        return "f16"
    return spec.kv


def _free_name(spec: ModelSpec, facts: ClusterFacts, notes: list[str]) -> str:
    """From model and tag, without host and `latest`; numbered when the namespace has that name already."""
    base = ids.dns_label(_exact_tag(spec.model).rpartition("/")[2].removesuffix(":latest"), limit=40)
    taken = {name for namespace, name, _ in facts.deployments if namespace == spec.namespace}
    if base not in taken:
        return base
    name = next(f"{base}-{number}" for number in range(2, len(taken) + 3) if f"{base}-{number}" not in taken)
    notes.append(f"{base} exists in {spec.namespace}, so this one is called {name}.")
    return name


def _best_queue(spec: ModelSpec, found: Fit, facts: ClusterFacts) -> str:
    """A leaf queue: one where it starts now before others, the namespace's own before others, then by name."""
    names = capacity.leaf_names(facts)
    if not names:
        return ""
    copies = max(spec.copies, 1)
    starts = {
        name: capacity.would_start(found, facts, share=spec.share, queue=name, copies=copies).starts for name in names
    }
    return min(names, key=lambda name: (starts[name] != "now", starts[name] == "never", name != spec.namespace, name))
