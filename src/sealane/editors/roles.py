"""Which hosted model plays which role for an editor, starting from the one the user connects.

Chat is the model itself when it can chat. Autocomplete needs fill-in-the-middle, embed needs embeddings; where the
model itself cannot, another hosted one that can is taken, the smallest context first so that the choice is stable.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sealane.editors.types import Connection, ServedModel
from sealane.lib import text
from sealane.lib.errors import NextStep
from sealane.models.hosted import NotHosted


def connection(*, root: str, key: str, model: str, served: Sequence[ServedModel]) -> Connection:
    """Roles for `model` out of what is served. Raises NotHosted with the nearest names."""
    known = {item.name: item for item in served}
    wanted = known.get(model) or known.get(f"{model}:latest")
    if wanted is None:
        raise not_hosted(model, list(known))
    others = [
        wanted,
        *sorted((item for item in served if item is not wanted), key=lambda item: (item.context, item.name)),
    ]
    return Connection(
        root=root.rstrip("/").removesuffix("/v1"),
        key=key,
        chat=_first(others, "chat", only=wanted if wanted.can("chat") else None),
        autocomplete=_first(others, "fim"),
        embed=_first(others, "embedding"),
        wanted=wanted,
    )


def not_hosted(model: str, names: Sequence[str]) -> NotHosted:
    """The sentence for a model that nobody serves, with the nearest that are."""
    near = text.nearest(model, names)
    served = f"; hosted are {text.listing(near or list(names)[:5])}" if names else "; nothing is hosted yet"
    return NotHosted(
        f"No hosted model is named {model}{served}.",
        next_steps=(NextStep(title="Host it", command=f"sealane host {shlex.quote(model)}"),),
    )


def _first(models: Sequence[ServedModel], capability: str, *, only: ServedModel | None = None) -> ServedModel | None:
    if only is not None:
        return only
    return next((model for model in models if model.can(capability)), None)
