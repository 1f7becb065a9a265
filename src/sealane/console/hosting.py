"""From a form to a ModelSpec, and back: pure, so that form, address and plan cannot disagree.

A share is chosen in one of four ways: what the model needs (the default, taken from the place), a part of a card, whole
cards, or memory. A place is written `cluster~queue`. Everything has a default, so a bare address is a complete form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from sealane.console.forms import Form
from sealane.console.problems import Refused
from sealane.gpus.facts import ClusterFacts
from sealane.lib import text
from sealane.lib.errors import NextStep, SealaneError
from sealane.models import capacity, shares
from sealane.models.types import Fit, ModelSpec, Placement, Share

Mode = Literal["auto", "part", "whole", "memory", "none"]
MODES: dict[str, Mode] = {"auto": "auto", "part": "part", "whole": "whole", "memory": "memory", "none": "none"}
MOST_COPIES = 100
MOST_CONTEXT = 1_048_576
_SYSTEM = ("kube-", "kai-", "gpu-operator", "cert-manager", "monitoring")


class HostForm(msgspec.Struct, frozen=True, kw_only=True):
    """What the form holds, as the reader left it. `where` "" means the recommended place."""

    q: str = ""
    model: str = ""
    where: str = ""
    namespace: str = ""
    name: str = ""
    mode: Mode = "auto"
    part: float = 0.25
    cards: int = 1
    mib: int = 8192
    copies: int = 1
    context: int = 8192
    keep: bool = True
    every: bool = False

    @property
    def cluster(self) -> str:
        return self.where.partition("~")[0]

    @property
    def queue(self) -> str:
        return self.where.partition("~")[2]


def read_host_form(form: Form) -> HostForm:
    """The form from an address or a post; raises Refused with the field that does not do."""
    mode = MODES.get(form.text("mode") or "auto")
    if mode is None:
        raise Refused("A share is given as auto, part, whole, memory or none.", fields={"mode": "Choose one of these."})
    return HostForm(
        q=form.text("q"),
        model=form.text("model"),
        where=form.text("where"),
        namespace=form.text("namespace"),
        name=form.text("name"),
        mode=mode,
        part=form.fraction("part", 0.25),
        cards=form.number("cards", 1, least=1, most=64),
        mib=form.number("mib", 8192, least=128, most=1_048_576),
        copies=form.number("copies", 1, least=0, most=MOST_COPIES),
        context=form.number("context", 8192, least=256, most=MOST_CONTEXT),
        keep=form.ticked("keep") or "sent" not in form,
        every=form.ticked("all"),
    )


def read_what_does(form: Form) -> tuple[HostForm, Refused | None]:
    """The form without the fields that do not do (they take their defaults), and the first one's refusal."""
    first: Refused | None = None
    while True:
        try:
            return read_host_form(form), first
        except Refused as refused:
            first = first or refused
            if not refused.fields.keys() & form.names:
                return HostForm(), first
            form = form.without(refused.fields)


def share_of(form: HostForm) -> Share:
    """The share that one copy is to get; an empty Share leaves it to the plan."""
    if form.mode == "part":
        return Share(fraction=form.part)
    if form.mode == "whole":
        return Share(devices=form.cards)
    if form.mode == "memory":
        return Share(memory_mib=form.mib)
    return Share(devices=0) if form.mode == "none" else Share()


def spec_of(form: HostForm, place: Placement, *, namespace: str, model: str) -> ModelSpec:
    """What is asked for, at one place."""
    return ModelSpec(
        model=model,
        cluster=place.cluster,
        namespace=namespace,
        name=form.name,
        share=share_of(form),
        queue=place.queue,
        copies=form.copies,
        context=form.context,
        keep_weights=form.keep,
    )


def best_places(places: Sequence[Placement]) -> tuple[Placement, ...]:
    """One place a cluster and queue, best first: starts now, waits, never, not allowed."""
    best: dict[tuple[str, str], Placement] = {}
    for place in places:
        kept = best.get((place.cluster, place.queue))
        if kept is None or capacity.RANK[place.starts] < capacity.RANK[kept.starts]:
            best[(place.cluster, place.queue)] = place
    return tuple(sorted(best.values(), key=lambda place: capacity.RANK[place.starts]))


def chosen_place(form: HostForm, places: Sequence[Placement]) -> Placement | None:
    """The place that the form names, else the recommended one; None when there is none at all."""
    for place in places:
        if form.where == place_id(place):
            return place
    return places[0] if places else None


def unknown_place(form: HostForm, places: Sequence[Placement]) -> UnknownPlace | None:
    """The refusal of a place that was named and is not there (an old link, a cluster that left); None when all is
    well. Nothing is ever hosted somewhere else than was asked for."""
    if not form.where or any(form.where == place_id(place) for place in places):
        return None
    near = [f"{place.cluster} / {place.queue}" if place.queue else place.cluster for place in places[:4]]
    asked = f"{form.cluster} / {form.queue}" if form.queue else form.cluster
    return UnknownPlace(
        f"There is no place {asked[:100]} now; there {_are(near)} {text.listing(near) or 'none'}.",
        next_steps=(NextStep(title="Choose one of the places below"),),
    )


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


class UnknownPlace(SealaneError):
    """A cluster or queue was named that is not among the places."""

    code = "unknown-place"
    http_status = 404


def place_id(place: Placement) -> str:
    """How a place is written in a form and an address."""
    return f"{place.cluster}~{place.queue}"


def namespaces_of(facts: ClusterFacts | None) -> tuple[str, ...] | None:
    """Namespaces fit for models, or None where the reader may not list them and has to write one."""
    if facts is None or facts.namespaces is None:
        return None
    return tuple(name for name in facts.namespaces if not name.startswith(_SYSTEM))


def namespace_of(form: HostForm, known: tuple[str, ...] | None) -> str:
    """The namespace that the form names, else `default`, else the first that is known."""
    if form.namespace:
        return form.namespace
    if not known or "default" in known:
        return "default"
    return known[0]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """The card that a copy would stand on, in per cent of it: used by others, needed, room left in its share."""

    title: str
    product: str
    used: float
    need: float
    room: float
    need_bytes: int
    room_bytes: int
    free: str
    who: str

    @property
    def spoken(self) -> str:
        return (
            f"Memory of {self.title}: {self.used:.0f} per cent is taken by others, this model needs "
            f"{self.need:.0f} per cent, "
            f"and {self.room:.0f} per cent of its share stay as room."
        )


def bar_of(place: Placement, share: Share, fit: Fit, facts: ClusterFacts | None) -> Bar | None:
    """The picture of the card; None where no single node is meant or its memory is not known."""
    node = next((node for node in facts.nodes if node.name == place.node), None) if facts else None
    if node is None or not node.memory_mib or not node.cards:
        return None
    total = node.memory_mib * 1024 * 1024
    part = min(1.0, shares.devices(share, card_mib=node.memory_mib))
    card = next(
        (card for card in sorted(node.cards, key=lambda card: card.free) if card.free >= part - 1e-6), node.cards[0]
    )
    need = min(fit.total_bytes / total, 1.0)
    used = 1 - card.free
    room = max(0.0, min(part, 1 - used) - need)
    return Bar(
        title=f"{node.name} card {card.index}",
        product=f"{node.product}, {node.memory_mib / 1024:.1f} GiB",
        used=used * 100,
        need=min(need, 1 - used) * 100,
        room=room * 100,
        need_bytes=fit.total_bytes,
        room_bytes=int(room * total),
        free=f"{max(0.0, card.free - part):.2g}",
        who=", ".join(user.partition("/")[2] or user for user in card.users) or "others",
    )
