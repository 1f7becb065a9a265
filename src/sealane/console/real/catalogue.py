"""Models that can be hosted: the package's catalogue, the laptop's own Ollama, a registry when one is named."""

from __future__ import annotations

from collections.abc import Sequence

from sealane.lib.clock import SYSTEM, Clock
from sealane.models import catalogue, laptop, resolve
from sealane.models.types import ModelCard

_KEPT = 15.0  # seconds that the laptop's list and a registry's card are believed


class RealCatalogue:
    """Resolves in the order laptop, catalogue, registry."""

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._laptop: tuple[ModelCard, ...] = ()
        self._laptop_at = float("-inf")
        self._asked: dict[str, tuple[float, ModelCard]] = {}

    def cards(self) -> Sequence[ModelCard]:
        """The catalogue in its own order."""
        return catalogue.load().cards

    def search(self, text: str) -> Sequence[ModelCard]:
        """Cards that hold every word."""
        return catalogue.load().search(text)

    async def laptop(self) -> Sequence[ModelCard]:
        """What Ollama on this computer holds, asked at most every few seconds."""
        now = self._clock.monotonic()
        if now - self._laptop_at >= _KEPT:
            self._laptop_at = now
            self._laptop = tuple(await laptop.read())
        return self._laptop

    async def resolve(self, tag: str) -> ModelCard:
        """The card of any tag or reference. A registry that only the cluster reaches gives a card that knows little."""
        now = self._clock.monotonic()
        known = self._asked.get(tag)
        if known is not None and now - known[0] < _KEPT:
            return known[1]
        card = await resolve.resolve(tag, laptop=await self.laptop(), blind=True)
        self._asked = {name: kept for name, kept in self._asked.items() if now - kept[0] < _KEPT}
        self._asked[tag] = (now, card)
        return card
