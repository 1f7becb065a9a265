"""One simulated cluster as its controllers see it: the Store by plural name, the clock, admission and events.

Controllers speak of `"pods"`; this handle knows which API group that is, runs admission on what they create (a real
controller goes through the API server too), and writes Events as the real ones are written: one object per
(object, reason, message), counted up when it happens again.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Mapping
from typing import Any

from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.world import objects
from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.ports import FindKind, Kind, Obj, Store
from sealane.sandbox.world.troubles import Troubles

GROUPS: dict[str, str] = {
    "deployments": "apps",
    "replicasets": "apps",
    "statefulsets": "apps",
    "daemonsets": "apps",
    "controllerrevisions": "apps",
    "jobs": "batch",
    "cronjobs": "batch",
    "horizontalpodautoscalers": "autoscaling",
    "poddisruptionbudgets": "policy",
    "endpointslices": "discovery.k8s.io",
    "leases": "coordination.k8s.io",
    "storageclasses": "storage.k8s.io",
    "priorityclasses": "scheduling.k8s.io",
    "roles": "rbac.authorization.k8s.io",
    "rolebindings": "rbac.authorization.k8s.io",
    "clusterroles": "rbac.authorization.k8s.io",
    "clusterrolebindings": "rbac.authorization.k8s.io",
    "customresourcedefinitions": "apiextensions.k8s.io",
    "queues": "scheduling.run.ai",
    "podgroups": "scheduling.run.ai",
    "bindrequests": "scheduling.run.ai",
    "configs": "kai.scheduler",
    "schedulingshards": "kai.scheduler",
}


class AdmissionDenied(Exception):
    """Refused at the door. `code` is the HTTP status that the API answers with."""

    def __init__(self, message: str, code: int = 403) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


Admit = Callable[[str, str, Obj], Obj]
"""`(verb, plural, object) -> object`, raising AdmissionDenied."""


class Cluster:
    """Handle on one cluster. `warm` is true while the seeds come up: then nothing takes time."""

    def __init__(self, name: str, *, store: Store, find: FindKind, clock: SandboxClock) -> None:
        self.name = name
        self.store = store
        self.clock = clock
        self.warm = False
        self.troubles = Troubles()
        self.admit: Admit = lambda _verb, _plural, obj: obj
        self.random = random.Random(name)  # noqa: S311 - names of pods, not secrets
        self._find = find
        self._kinds: dict[str, object] = {}
        self._events: dict[tuple[str, str, str], tuple[str, str]] = {}
        self._serial = itertools.count(1)

    def kind(self, plural: str) -> object | None:
        """The Kind behind a plural name, None while it is not served."""
        found = self._kinds.get(plural)
        if found is None:
            found = self._find(GROUPS.get(plural, ""), plural)
            if found is not None:
                self._kinds[plural] = found
        return found

    def serve(self, kind: Any) -> None:
        """Serve a kind from now on, where the API side has not begun to by itself."""
        if self._find(kind.group, kind.plural) is None:
            self.store.kinds.add(kind)

    def learn(self, kind: Kind) -> None:
        """Remember a kind that was seen in a change: the way by which custom resources become known here."""
        self._kinds.setdefault(kind.plural, kind)

    def get(self, plural: str, namespace: str, name: str) -> Obj | None:
        """The object or None; treat it as immutable."""
        kind = self.kind(plural)
        return None if kind is None else self.store.get(kind, namespace, name)

    def list(self, plural: str, namespace: str = "", *, labels: Mapping[str, str] | None = None) -> list[Obj]:
        """All objects of a kind ("" namespace: all), [] while the kind is not served."""
        kind = self.kind(plural)
        return [] if kind is None else self.store.list(kind, namespace, labels=labels)

    def create(self, plural: str, obj: Obj, *, manager: str = "kube-controller-manager") -> Obj:
        """Create through admission, as a controller would through the API server. AdmissionDenied may be raised."""
        kind = self.kind(plural)
        if kind is None:
            raise LookupError(f"{self.name} does not serve {plural}")
        admitted = self.admit("CREATE", plural, copy.deepcopy(obj))
        try:
            return self.store.create(kind, admitted, manager=manager)
        except StatusError as error:
            raise AdmissionDenied(error.message, error.code) from error

    def change(
        self,
        plural: str,
        namespace: str,
        name: str,
        change: Callable[[Obj], None],
        *,
        subresource: str = "",
        manager: str = "kube-controller-manager",
    ) -> Obj | None:
        """Read, change, write; nothing is written when nothing changed. None when it is gone."""
        kind = self.kind(plural)
        if kind is None or self.store.get(kind, namespace, name) is None:
            return None
        return self.store.mutate(kind, namespace, name, change, manager=manager, subresource=subresource)

    def delete(
        self,
        plural: str,
        obj: Obj,
        *,
        grace_seconds: int | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete this very object: another of the same name is left alone."""
        kind = self.kind(plural)
        meta = obj["metadata"]
        namespace = meta.get("namespace", "")
        if kind is None:
            return
        now = self.store.get(kind, namespace, meta["name"])
        if now is None or now["metadata"].get("uid") != meta.get("uid"):
            return
        self.store.delete(
            kind,
            namespace,
            meta["name"],
            grace_seconds=grace_seconds,
            propagation=propagation,
            uid=meta.get("uid", ""),
        )

    def suffix(self, size: int = 5) -> str:
        """A random tail in the alphabet that Kubernetes uses for generated names."""
        return "".join(self.random.choices("bcdfghjklmnpqrstvwxz2456789", k=size))

    def event(
        self,
        obj: Obj,
        reason: str,
        message: str,
        *,
        component: str,
        type: str = "Normal",  # noqa: A002 - the API's own word
        host: str = "",
        field_path: str = "",
    ) -> None:
        """Write or count up one Event about `obj`."""
        if self.kind("events") is None:
            return
        uid = obj["metadata"].get("uid", "")
        now = self.clock.stamp()
        known = self._events.get((uid, reason, message))
        if known is not None:

            def again(event: Obj) -> None:
                event["count"] = int(event.get("count", 1)) + 1
                event["lastTimestamp"] = now

            if self.change("events", *known, again, manager=component) is not None:
                return
        event = objects.event(obj, reason, message, type=type, component=component, host=host, field_path=field_path)
        event["metadata"]["name"] = f"{obj['metadata']['name']}.{next(self._serial):016x}"
        event["firstTimestamp"] = event["lastTimestamp"] = now
        kind = self.kind("events")
        try:
            self.store.create(kind, event, manager=component)
        except StatusError:
            return  # the namespace is going away: nobody will read it
        self._events[uid, reason, message] = (event["metadata"]["namespace"], event["metadata"]["name"])

    def forget_event(self, place: tuple[str, str]) -> None:
        """The event at `(namespace, name)` is gone: the same words again make a new one."""
        for known in [key for key, where in self._events.items() if where == place]:
            del self._events[known]
