"""From what a person typed to one model card: the laptop's own, the catalogue's, or the registry's.

The nearest and surest source wins. A name with a host is asked at that host; a library name that nobody here knows is
asked at Ollama's registry when that can be reached, and when it cannot, the answer is still the nearest names. Hosting
must not depend on this computer reaching a registry that only the cluster sees, so a card can also be made blind.
"""

from __future__ import annotations

from collections.abc import Sequence

from sealane.lib.errors import SealaneError
from sealane.models import catalogue, registry
from sealane.models.errors import RegistryBroken, RegistryRefused, RegistryUnreachable, UnknownModel, UnknownTag
from sealane.models.reference import Reference, parse
from sealane.models.types import ModelCard

_LIBRARY_TIMEOUT = 4.0  # seconds that an unknown library name may cost


async def resolve(
    tag: str,
    *,
    laptop: Sequence[ModelCard] = (),
    insecure: bool = False,
    credentials: registry.Credentials | None = None,
    ask_library: bool = True,
    blind: bool = False,
) -> ModelCard:
    """The card of `tag`. `laptop` are the cards that `laptop.read` gave; `blind` accepts a registry out of our reach.

    Raises BadReference, UnknownModel (nearest names), UnknownTag, RegistryRefused, RegistryUnreachable, RegistryBroken.
    """
    wanted = parse(tag)
    own = next((card for card in laptop if card.tag == wanted.text), None)
    if own is not None:
        return own
    if wanted.private:
        try:
            return await registry.card_of(wanted, insecure=insecure, credentials=credentials)
        except RegistryUnreachable:
            if blind:
                return blind_card(wanted)
            raise
    try:
        return catalogue.load().find(tag)
    except (UnknownModel, UnknownTag) as unknown:
        if not ask_library:
            raise
        return await _library(wanted, unknown, credentials=credentials)


async def _library(wanted: Reference, unknown: SealaneError, *, credentials: registry.Credentials | None) -> ModelCard:
    """Ask Ollama's registry; its no, or its silence, becomes what the catalogue said, with the nearest names."""
    try:
        return await registry.card_of(wanted, credentials=credentials, timeout=_LIBRARY_TIMEOUT)
    except (UnknownModel, UnknownTag, RegistryUnreachable, RegistryBroken, RegistryRefused) as problem:
        raise unknown from problem


def blind_card(wanted: Reference) -> ModelCard:
    """A card that knows nothing but the name; its fit says so, and the cluster finds out the rest."""
    return ModelCard(
        tag=wanted.text,
        title=wanted.model,
        family=wanted.model,
        parameters=0.0,
        quantization="",
        weights_bytes=0,
        context_max=0,
        licence="not stated",
        capabilities=("chat",),
        summary=f"From {wanted.host}, which this computer cannot reach.",
        source="registry",
        provenance=f"nothing known: {wanted.host} could not be asked",
    )
