"""The models that can be hosted without asking anyone: a file in the package, so that it works with no network.

The file holds exact tags, sizes in bytes and the header numbers of each model's published config; `provenance` of a
card says where its numbers come from and whether they are rounded. Nothing here guesses: a model whose header nobody
could verify has none, and its fit says "size only". How to add one: docs/models.md.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterable

import msgspec

from sealane.lib import text
from sealane.lib.errors import Evidence, NextStep
from sealane.models import reference
from sealane.models.errors import UnknownModel, UnknownTag
from sealane.models.types import Header, ModelCard

_FILE = "data/catalogue.json"


class _HeaderRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A header as the file writes it: numbers for all layers, and which layers are different.

    `full_every` n: each nth layer attends fully, the others slide (or, with `ssm_inner`, keep a state instead);
    `full_kv_heads`: KV heads of the layers that attend fully, where they differ; `cached_layers` n: only the first n
    layers have a cache of their own. `kv_heads` may name each layer.
    """

    architecture: str
    layers: int
    embedding: int
    heads: int
    kv_heads: int | tuple[int, ...]
    key_length: int
    value_length: int
    context_max: int
    vocabulary: int
    feed_forward: int
    sliding_window: int = 0
    sliding_key_length: int = 0
    full_every: int = 0
    full_kv_heads: int = 0
    cached_layers: int = 0
    experts: int = 0
    experts_used: int = 0
    ssm_conv: int = 0
    ssm_inner: int = 0
    ssm_state: int = 0
    ssm_groups: int = 0


class _ModelRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as the file writes it; `aliases` are further tags with the same weights."""

    tag: str
    aliases: tuple[str, ...]
    title: str
    family: str
    parameters: float
    quantization: str
    weights_bytes: int
    size_source: str
    context_max: int
    licence: str
    capabilities: tuple[str, ...]
    summary: str
    header: _HeaderRow | None
    header_source: str


class _File(msgspec.Struct, frozen=True, kw_only=True):
    about: str
    models: tuple[_ModelRow, ...]


class Catalogue:
    """All known cards, in the order of the file; found by tag, alias or words."""

    def __init__(self, cards: Iterable[ModelCard], aliases: dict[str, str] | None = None) -> None:
        self.cards: tuple[ModelCard, ...] = tuple(cards)
        self._by_tag = {card.tag: card for card in self.cards}
        self._aliases = aliases or {}

    def find(self, tag: str) -> ModelCard:
        """The card of `tag`, carrying the tag that was asked for.

        Raises BadReference, UnknownTag (the model is known, with its tags) or UnknownModel (with the nearest names).
        """
        wanted = reference.parse(tag).text
        known = self._by_tag.get(self._aliases.get(wanted, wanted))
        if known is not None:
            return msgspec.structs.replace(known, tag=wanted)
        model = wanted.rpartition(":")[0]
        tags = [card.tag for card in self.cards if card.tag.rpartition(":")[0] == model]
        if tags:
            raise _unknown_tag(wanted, model=model, tags=tags)
        raise unknown_model(tag, near=text.nearest(tag, [card.tag for card in self.cards] + list(self._aliases)))

    def search(self, words: str) -> tuple[ModelCard, ...]:
        """Cards that hold every word in tag, title, family, summary, licence or capabilities; all for no words."""
        wanted = words.lower().split()
        return tuple(card for card in self.cards if all(word in _text_of(card) for word in wanted))

    def family(self, card: ModelCard) -> tuple[ModelCard, ...]:
        """The other sizes of the same family, smallest first: what could be hosted instead."""
        others = (other for other in self.cards if other.family == card.family and other.tag != card.tag)
        return tuple(sorted(others, key=lambda other: other.weights_bytes))

    def instead_of(self, card: ModelCard) -> tuple[ModelCard, ...]:
        """What could be hosted in its place, best first: its family, then all that can do the same; larger first."""
        own = self.family(card)[::-1]
        can = set(card.capabilities)
        others = (other for other in self.cards if other.family != card.family and can <= set(other.capabilities))
        return (*own, *sorted(others, key=lambda other: other.weights_bytes, reverse=True))


@functools.cache
def load() -> Catalogue:
    """Read the package's file once."""
    raw = importlib.resources.files("sealane.models").joinpath(_FILE).read_bytes()
    rows = msgspec.json.decode(raw, type=_File).models
    aliases = {f"{row.tag.rpartition(':')[0]}:{alias}": row.tag for row in rows for alias in row.aliases}
    return Catalogue((_card(row) for row in rows), aliases)


def unknown_model(tag: str, *, near: list[str], because: str = "") -> UnknownModel:
    """The error for a name that nobody knows, naming the nearest ones; `because` is a clause such as why not asked."""
    hint = f" Did you mean {text.listing(near, word='or')}?" if near else ""
    return UnknownModel(
        f"No model is called “{tag}”{because}.{hint}",
        evidence=tuple(Evidence(label="nearest", value=name) for name in near),
        next_steps=(
            *(NextStep(title=f"Host {name}", command=f"sealane host {name}") for name in near[:1]),
            NextStep(title="See what can be hosted under Host a model, or name a registry: HOST/NAMESPACE/MODEL:TAG"),
        ),
    )


def _unknown_tag(wanted: str, *, model: str, tags: list[str]) -> UnknownTag:
    return UnknownTag(
        f"{model} has no tag “{wanted.rpartition(':')[2]}” that Sealane knows; it knows {text.listing(tags)}.",
        evidence=tuple(Evidence(label="tag", value=tag) for tag in tags),
        next_steps=(NextStep(title=f"Host {tags[0]}", command=f"sealane host {tags[0]}"),),
    )


def _text_of(card: ModelCard) -> str:
    return " ".join((card.tag, card.title, card.family, card.summary, card.licence, *card.capabilities)).lower()


def _card(row: _ModelRow) -> ModelCard:
    header = _header(row.header) if row.header else None
    sources = f"size: {row.size_source}" + (f"; header: {row.header_source}" if header else "; no header numbers")
    return msgspec.convert(
        {
            "tag": row.tag,
            "title": row.title,
            "family": row.family,
            "parameters": row.parameters,
            "quantization": row.quantization,
            "weights_bytes": row.weights_bytes,
            "context_max": row.context_max,
            "licence": row.licence,
            "capabilities": row.capabilities,
            "summary": row.summary,
            "header": msgspec.to_builtins(header) if header else None,
            "provenance": sources,
        },
        ModelCard,
    )


def _header(row: _HeaderRow) -> Header:
    other = tuple(layer for layer in range(row.layers) if row.full_every and (layer + 1) % row.full_every)
    hybrid = row.ssm_inner > 0
    kv_heads = _kv_heads(row, other)
    without = tuple(layer for layer, heads in enumerate(kv_heads) if heads == 0)
    return Header(
        architecture=row.architecture,
        layers=row.layers,
        embedding=row.embedding,
        heads=(row.heads,) * row.layers,
        kv_heads=kv_heads,
        key_length=row.key_length,
        value_length=row.value_length,
        context_max=row.context_max,
        vocabulary=row.vocabulary,
        feed_forward=row.feed_forward,
        sliding_window=row.sliding_window,
        sliding_layers=() if hybrid else other,
        sliding_key_length=row.sliding_key_length,
        sliding_value_length=row.sliding_key_length,
        experts=row.experts,
        experts_used=row.experts_used,
        ssm_conv=row.ssm_conv,
        ssm_inner=row.ssm_inner,
        ssm_state=row.ssm_state,
        ssm_groups=row.ssm_groups,
        recurrent_layers=without if hybrid else (),
    )


def _kv_heads(row: _HeaderRow, other: tuple[int, ...]) -> tuple[int, ...]:
    """KV heads of each layer; 0 where a layer keeps a state instead, or uses another layer's cache."""
    if isinstance(row.kv_heads, tuple):
        return row.kv_heads
    special = frozenset(other)
    most = row.cached_layers or row.layers
    heads = []
    for layer in range(row.layers):
        if layer >= most or (row.ssm_inner and layer in special):
            heads.append(0)
        elif row.full_kv_heads and layer not in special:
            heads.append(row.full_kv_heads)
        else:
            heads.append(row.kv_heads)
    return tuple(heads)
