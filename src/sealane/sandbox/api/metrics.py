"""metrics.k8s.io: what pods and nodes use, as a metrics server answers it, read when it is asked for and never stored.

`kubectl top` and autoscalers read this. The figures come from the world (`Measure`); a pod that does not run is not
there, which is what the real server says of one that it has not scraped yet.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from sealane.sandbox.api import errors, kinds, reading
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj, stamp
from sealane.sandbox.api.wire import Reply, Request, as_json

_WINDOW = "15s"


class Use(Protocol):
    """Processor in cores, memory in bytes."""

    @property
    def cpu(self) -> float: ...
    @property
    def memory(self) -> int: ...


class Measure(Protocol):
    """What measures a cluster; None for what it has no figures of."""

    def pod(self, pod: dict[str, Any]) -> Any:
        """`{container: Use}`, or None."""

    def node(self, node: dict[str, Any]) -> Any:
        """Use, or None."""


class Nothing:
    """Measures nothing: a cluster without a world."""

    def pod(self, pod: dict[str, Any]) -> Any:
        """None."""
        del pod

    def node(self, node: dict[str, Any]) -> Any:
        """None."""
        del node


def answer(store: Store, measure: Measure, target: Target, request: Request) -> Reply:
    """GET of one or all. Raises StatusError (404)."""
    source = kinds.PODS if target.kind.plural == "pods" else kinds.NODES
    if target.name:
        obj = store.get(source, target.namespace, target.name)
        found = None if obj is None else _measured(store, measure, target, obj)
        if found is None:
            name = f"{target.namespace}/{target.name}" if target.namespace else target.name
            raise errors.not_found(target.kind.group, f"{target.kind.kind.lower()}", name)
        return as_json(found)
    choice = reading.chosen(target, request)
    chosen = (obj for obj in store.list(source, target.namespace) if choice.has(obj))
    items = [item for obj in chosen if (item := _measured(store, measure, target, obj)) is not None]
    head = {"kind": f"{target.kind.kind}List", "apiVersion": target.kind.api_version, "metadata": {}}
    return as_json(head | {"items": items})


def _measured(store: Store, measure: Measure, target: Target, obj: Obj) -> Obj | None:
    now = stamp(store.now())
    kept = ("name", "namespace", "labels")
    meta = {key: obj["metadata"][key] for key in kept if obj["metadata"].get(key)} | {"creationTimestamp": now}
    head = {"kind": target.kind.kind, "apiVersion": target.kind.api_version, "metadata": meta}
    head |= {"timestamp": now, "window": _WINDOW}
    if target.kind.plural == "nodes":
        use = measure.node(obj)
        return None if use is None else head | {"usage": _spelled(use)}
    uses = measure.pod(obj)
    if uses is None:
        return None
    return head | {"containers": [{"name": name, "usage": _spelled(use)} for name, use in uses.items()]}


def _spelled(use: Use) -> Obj:
    """Nanocores and kibibytes, as kubelets measure."""
    return {"cpu": f"{math.ceil(use.cpu * 1e9)}n", "memory": f"{math.ceil(use.memory / 1024)}Ki"}
