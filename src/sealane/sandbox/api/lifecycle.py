"""What happens to an object's metadata over its life: generation, preconditions, marking for deletion, the end.

Pure functions from the old object and a request to the new object; the Store alone writes. Rules are those of the
generic registry of the API server: status is written apart, server-owned metadata cannot be changed by a client,
deletion is held up by finalizers and, for a pod that runs on a node, by its grace period.
"""

from __future__ import annotations

import datetime
from typing import Final

from sealane.sandbox.api import errors
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.values import Obj, clone, same_but, stamp

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_SERVER_OWNED: Final = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)
_WITHOUT_GENERATION: Final = frozenset(
    {("", plural) for plural in (
        "namespaces", "services", "endpoints", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims",
        "persistentvolumes", "nodes", "events", "resourcequotas", "limitranges",
    )}
    | {("storage.k8s.io", "storageclasses"), ("coordination.k8s.io", "leases"), ("apps", "controllerrevisions")}
    | {("rbac.authorization.k8s.io", name) for name in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")}
)  # fmt: skip


def first_generation(kind: Kind, meta: Obj) -> None:
    """A new object of a kind that counts generations starts at 1."""
    meta.pop("generation", None)
    if kind.key not in _WITHOUT_GENERATION:
        meta["generation"] = 1


def count_generation(kind: Kind, old: Obj, new: Obj) -> None:
    """The generation goes up when anything but metadata and status changes."""
    if kind.key in _WITHOUT_GENERATION:
        return
    apart = ("metadata", "status") if kind.has_status else ("metadata",)
    if kind.key == ("", "pods") and same_but(old.get("spec") or {}, new.get("spec") or {}, "nodeName"):
        return
    if not same_but(old, new, *apart):
        new["metadata"]["generation"] = int(old["metadata"].get("generation", 0)) + 1


def check_preconditions(kind: Kind, old: Obj, *, uid: str, resource_version: str) -> None:
    """409 when the caller speaks of another object or of an older version."""
    name, meta = old["metadata"]["name"], old["metadata"]
    if uid and uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict("", kind.kind, name, why)
    if resource_version and resource_version != meta["resourceVersion"]:
        raise errors.conflict(kind.group, kind.plural, name, errors.MODIFIED)


def check_same(kind: Kind, old: Obj, *, uid: str) -> None:
    """409 when an update speaks of another object of that name, in the words of the storage layer."""
    meta = old["metadata"]
    if uid and uid != meta["uid"]:
        place = "/".join(part for part in (kind.plural, meta.get("namespace", ""), meta["name"]) if part)
        why = (
            f"StorageError: invalid object, Code: 4, Key: /registry/{place}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
        )
        raise errors.conflict(kind.group, kind.plural, meta["name"], why)


def merged(kind: Kind, old: Obj, asked: Obj, *, subresource: str) -> Obj:
    """The next state: what a client may write comes from `asked`, the rest stays."""
    new: Obj = clone(old if subresource in {"status", "ephemeralcontainers"} else asked)
    if subresource == "ephemeralcontainers":
        _take(new["spec"], clone(asked.get("spec") or {}), "ephemeralContainers")
        return new
    if subresource == "status":
        _take(new, asked, "status")
        if kind.key == ("apps", "deployments"):  # whose controller keeps the revision there
            _take(new["metadata"], clone(asked["metadata"]), "annotations")
        return new
    new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
    if kind.has_status:
        _take(new, clone({"status": old["status"]} if "status" in old else {}), "status")
    meta = new.setdefault("metadata", {})
    for key in _SERVER_OWNED:
        _take(meta, old["metadata"], key)
    meta["name"] = old["metadata"]["name"]
    meta["resourceVersion"] = old["metadata"]["resourceVersion"]
    if not asked.get("metadata", {}).get("managedFields"):
        _take(meta, clone(old["metadata"]), "managedFields")
    return new


def marked(kind: Kind, old: Obj, *, now: datetime.datetime, grace_seconds: int | None, propagation: str) -> Obj | None:
    """The object marked for deletion, or None if nothing holds it and it goes at once."""
    new: Obj = clone(old)
    meta = new["metadata"]
    finalizers = [item for item in meta.get("finalizers") or () if item not in {FOREGROUND, ORPHAN}]
    if not meta.get("deletionTimestamp") or propagation != "Background":
        finalizers += {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])
    else:
        finalizers = list(meta.get("finalizers") or ())
    grace = _grace(kind, old, grace_seconds)
    if not finalizers and grace == 0 and not _keeps_content(kind, old):
        return None
    _set_list(meta, "finalizers", finalizers)
    if not meta.get("deletionTimestamp") or grace < int(meta.get("deletionGracePeriodSeconds") or 0):
        meta["deletionTimestamp"] = stamp(now + datetime.timedelta(seconds=grace))
        if kind.key != ("", "namespaces"):
            meta["deletionGracePeriodSeconds"] = grace
        if "generation" in meta and not old["metadata"].get("deletionTimestamp"):
            meta["generation"] += 1
        if kind.key == ("", "namespaces"):
            new.setdefault("status", {})["phase"] = "Terminating"
    return new


def last_state(kind: Kind, old: Obj, *, now: datetime.datetime) -> Obj:
    """The object as its deletion shows it: a pod that goes at once is marked all the same."""
    last: Obj = clone(old)
    if kind.key == ("", "pods"):
        meta = last["metadata"]
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = stamp(now)
            meta["generation"] = int(meta.get("generation", 0)) + 1
        meta["deletionGracePeriodSeconds"] = 0
    return last


def is_finished(kind: Kind, obj: Obj) -> bool:
    """Whether a marked object has nothing left that holds it, so that this write ends it."""
    meta = obj["metadata"]
    return bool(
        meta.get("deletionTimestamp")
        and not meta.get("finalizers")
        and not int(meta.get("deletionGracePeriodSeconds") or 0)
        and not _keeps_content(kind, obj)
    )


def _grace(kind: Kind, old: Obj, asked: int | None) -> int:
    if kind.key != ("", "pods"):
        return 0
    spec = old.get("spec") or {}
    if not spec.get("nodeName") or (old.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    if asked is not None:
        return max(0, asked)
    already = old["metadata"].get("deletionGracePeriodSeconds")
    return int(already if already is not None else spec.get("terminationGracePeriodSeconds", 30))


def _keeps_content(kind: Kind, obj: Obj) -> bool:
    return kind.key == ("", "namespaces") and bool((obj.get("spec") or {}).get("finalizers"))


def _set_list(meta: Obj, key: str, items: list[str]) -> None:
    if items:
        meta[key] = items
    else:
        meta.pop(key, None)


def _take(target: Obj, source: Obj, key: str) -> None:
    if key in source:
        target[key] = source[key]
    else:
        target.pop(key, None)
