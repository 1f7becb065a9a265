"""What the world needs from the API side, as protocols, so that the two halves of the sandbox stay apart.

The Store holds objects as plain dicts in the API's own JSON shape; that is the record format of Kubernetes and the
one place where a dict crosses a border. Objects read from it are never changed in place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

Obj = dict[str, Any]


class Kind(Protocol):
    """A resource type; only its name is read here."""

    @property
    def plural(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def kind(self) -> str: ...


class StoreEvent(Protocol):
    """One change: `type` is ADDED, MODIFIED or DELETED."""

    @property
    def type(self) -> str: ...
    @property
    def kind(self) -> Any: ...
    @property
    def object(self) -> Obj: ...


class Store(Protocol):
    """One cluster's objects. Raises the API's own errors; reads give None for what is not there.

    `kinds` is the registry of what is served: `find(group, plural)`, `add(kind)`, and iteration over all kinds.
    """

    @property
    def kinds(self) -> Any: ...
    def get(self, kind: Any, namespace: str, name: str) -> Obj | None: ...
    def list(self, kind: Any, namespace: str = "", *, labels: Mapping[str, str] | None = None) -> list[Obj]: ...
    def create(self, kind: Any, obj: Obj, *, manager: str) -> Obj: ...
    def mutate(
        self,
        kind: Any,
        namespace: str,
        name: str,
        change: Callable[[Obj], None],
        *,
        manager: str,
        subresource: str = "",
    ) -> Obj | None: ...
    def delete(
        self,
        kind: Any,
        namespace: str,
        name: str,
        *,
        grace_seconds: int | None = None,
        propagation: str = "Background",
        uid: str = "",
    ) -> Any: ...
    def subscribe(self, *kinds: Any) -> AsyncIterator[Any]: ...


FindKind = Callable[[str, str], Any]
"""`(group, plural) -> Kind`, or None while the cluster does not serve it (a CRD that is not there)."""
