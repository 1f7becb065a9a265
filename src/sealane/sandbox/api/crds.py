"""Custom resources: a CRD that is created begins to be served at once, one that is deleted takes its objects along."""

from __future__ import annotations

from sealane.sandbox.api import kinds, schema
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.store import Store, StoreEvent
from sealane.sandbox.api.values import Obj, stamp


class Shapes:
    """The schemas of a cluster's kinds, built-in and custom. Make one a Store, before objects are written: it keeps
    the Store's registry in step with its CRDs and becomes its `shape_of`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._custom: dict[tuple[str, str, str], Node] = {}
        for crd in store.list(kinds.CRDS):
            self._serve(crd)
        store.listeners.append(self._on_change)
        store.shape_of = self.of

    def of(self, kind: Kind) -> Node:
        """The shape of a kind."""
        if kind.custom:
            found = self._custom.get((kind.group, kind.version, kind.plural))
            if found is not None:
                return found
        return schema.builtin().of(kind.group, kind.version, kind.kind)

    def _on_change(self, event: StoreEvent) -> None:
        if event.kind.key != kinds.CRDS.key:
            return
        if event.type == "DELETED":
            self._stop(event.object)
            return
        if event.previous is None or event.previous.get("spec") != event.object.get("spec"):
            self._serve(event.object)
            self._store.mutate(
                kinds.CRDS, "", event.object["metadata"]["name"], self._establish,
                manager="kube-apiserver", subresource="status",
            )  # fmt: skip

    def _establish(self, crd: Obj) -> None:
        now = stamp(self._store.now())
        names = crd["spec"]["names"]
        accepted = {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"}
        established = {
            "type": "Established", "status": "True", "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        }  # fmt: skip
        crd["status"] = {
            "acceptedNames": names,
            "conditions": [item | {"lastTransitionTime": now} for item in (accepted, established)],
            "storedVersions": [item["name"] for item in crd["spec"]["versions"] if item.get("storage")],
        }

    def _serve(self, crd: Obj) -> None:
        for kind in kinds_of(crd):
            self._store.kinds.add(kind)
        for version in crd["spec"].get("versions") or ():
            raw = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
            place = (crd["spec"]["group"], version["name"], crd["spec"]["names"]["plural"])
            self._custom[place] = schema.of_crd(raw)

    def _stop(self, crd: Obj) -> None:
        for kind in kinds_of(crd):
            for obj in self._store.list(kind):
                meta = obj["metadata"]
                bare = obj | {"metadata": {key: value for key, value in meta.items() if key != "finalizers"}}
                held = self._store.update(kind, bare, manager="kube-apiserver")
                if not self._store.is_gone(kind, held):
                    self._store.delete(kind, meta.get("namespace", ""), meta["name"])
            self._store.kinds.remove(kind)


def _scale_paths(scale: Obj) -> tuple[str, str, str]:
    return (
        scale.get("specReplicasPath", ".spec.replicas"),
        scale.get("statusReplicasPath", ".status.replicas"),
        scale.get("labelSelectorPath", ".status.selector"),
    )


def kinds_of(crd: Obj) -> list[Kind]:
    """The kinds that a CRD serves, one a served version."""
    spec, names = crd["spec"], crd["spec"]["names"]
    return [
        Kind(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            namespaced=spec.get("scope") == "Namespaced",
            singular=names.get("singular", ""),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=tuple(sorted(version.get("subresources") or ())),
            selectable=tuple(item["jsonPath"].lstrip(".") for item in version.get("selectableFields") or ()),
            custom=True,
            scale_paths=_scale_paths((version.get("subresources") or {}).get("scale") or {}),
        )
        for version in spec.get("versions") or ()
        if version.get("served", True)
    ]
