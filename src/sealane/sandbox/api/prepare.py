"""What every new object goes through before it is stored: defaults, the server's own fields, checks."""

from __future__ import annotations

from sealane.sandbox.api import defaults, strategies, validation
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj


def install(store: Store) -> None:
    """Set the hooks of a Store."""

    def prepare(kind: Kind, new: Obj, old: Obj | None) -> None:
        defaults.fill(store, kind, new, old)

    def settle(kind: Kind, new: Obj, old: Obj | None) -> None:
        strategies.complete(store, kind, new, old)
        validation.check(kind, new, old, shape=store.shape_of(kind))

    store.prepare, store.settle = prepare, settle
