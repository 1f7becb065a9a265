"""`sealane fit`: a model's need and its places, in the shape that contracts promise. Works without any cluster too."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec

from sealane.lib.errors import SealaneError
from sealane.models import fit as fits
from sealane.models.types import Fit, KvType, Placement, Starts
from sealane.runtime import hosting, session


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place; `node` is "" when no single node is meant."""

    cluster: str
    queue: str
    node: str
    share: str
    starts: Starts
    reason: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes, their basis and error, and the places, best first. `problems` are clusters that could not be asked."""

    model: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    total_bytes: int
    basis: str
    error_percent: float
    sentence: str
    places: tuple[Place, ...]
    problems: tuple[str, ...] = ()


async def fit(
    model: str, *, context: int, parallel: int, kv: str, data_dir: Path | None, clusters: str | None
) -> Found:
    """Memory fit of a model over the chosen clusters. Raises as `resolve` does; no cluster is not an error."""
    card = await hosting.card_of(model)
    need = fits.fit(card, context=context, parallel=parallel, kv=cast(KvType, kv))
    try:
        async with session.fleet(data_dir=data_dir, clusters=clusters) as fleet:
            facts = await hosting.known_facts(list(fleet.clusters.values()))
            problems = tuple(session.silent(fleet))
    except SealaneError as error:
        if clusters is not None:
            raise
        return _found(need, (), (error.sentence,))
    return _found(need, tuple(_place(item) for item in fits.places(need, facts)), problems)


def _found(need: Fit, places: tuple[Place, ...], problems: tuple[str, ...]) -> Found:
    return Found(
        model=need.model,
        weights_bytes=need.weights_bytes,
        kv_bytes=need.kv_bytes,
        compute_bytes=need.compute_bytes,
        total_bytes=need.total_bytes,
        basis=need.basis,
        error_percent=need.error_percent,
        sentence=fits.sentence(need),
        places=places,
        problems=problems,
    )


def _place(item: Placement) -> Place:
    return Place(
        cluster=item.cluster,
        queue=item.queue,
        node=item.node,
        share=item.share,
        starts=item.starts,
        reason=item.sentence,
    )
