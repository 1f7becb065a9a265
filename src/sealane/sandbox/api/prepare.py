"""What every new object goes through before it is stored, whoever writes it: defaults, then checks."""

from __future__ import annotations

from sealane.sandbox.api import defaults, validation
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.store import Prepare, Store
from sealane.sandbox.api.values import Obj


def preparer(store: Store) -> Prepare:
    """The `prepare` hook of a Store."""

    def prepare(kind: Kind, new: Obj, old: Obj | None) -> None:
        defaults.fill(store, kind, new, old)
        validation.check(kind, new, old, shape=store.shape_of(kind))

    return prepare
