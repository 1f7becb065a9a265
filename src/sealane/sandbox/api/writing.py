"""Writes: create, replace, patch, delete, and the subresources that change an object.

Each checks that body and path speak of the same object, runs the cluster's admission on what is new, and hands the
rest to the Store. Patches are computed here from the object as it is, so that they can never meet a stale version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sealane.sandbox.api import applying, checking, errors, escalation, kinds, notices, patches, reading, scaling
from sealane.sandbox.api.kinds import NAMESPACES, NODES, Kind
from sealane.sandbox.api.options import of_delete
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj, clone, stamp
from sealane.sandbox.api.versions import shown, stored
from sealane.sandbox.api.wire import Reply, Request, as_json, encode

Admit = Callable[[str, str, Obj], Obj]
"""`(verb, plural, object) -> object`: the cluster's admission plugins; raises StatusError."""
Warn = Callable[[str, Obj], list[str]]
"""`(plural, object) -> warnings` of the cluster's admission plugins."""

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
_ANSWERED_WITH_THE_OBJECT: Final = frozenset(
    kind.key
    for kind in (kinds.PODS, kinds.SERVICES, kinds.SERVICEACCOUNTS, kinds.PVCS, kinds.PVS, kinds.RESOURCEQUOTAS)
)
_IMMORTAL: Final = frozenset({"default", "kube-public", "kube-system"})
_PATCHES: Final = (JSON_PATCH, MERGE, STRATEGIC, APPLY)


class Writer:
    """Writes of one cluster."""

    def __init__(self, store: Store, *, admit: Admit, warn: Warn = lambda _plural, _obj: []) -> None:
        self._store = store
        self._admit = admit
        self._warn = warn

    async def create(self, target: Target, request: Request) -> Reply:
        """POST to a collection. Raises StatusError."""
        obj = self._read(target, await request.object(), request)
        obj = stored(target.kind, obj)
        made = self._create(target.kind, obj, request)
        return as_json(shown(target.kind, made), 201)

    async def replace(self, target: Target, request: Request) -> Reply:
        """PUT of an object, its status or its scale. Raises StatusError."""
        body = await request.object()
        if target.subresource == "scale":
            return as_json(self._scaled(target, request, scaling.replace, body))
        obj = stored(target.kind, self._read(target, body, request))
        exists = self._store.get(target.kind, target.namespace, target.name) is not None
        if exists and target.kind.custom and not obj["metadata"].get("resourceVersion"):
            text = "Invalid value: 0: must be specified for an update"
            cause = errors.Cause("FieldValueInvalid", text, "metadata.resourceVersion")
            raise errors.invalid(target.kind.group, target.kind.plural, target.name, [cause])
        made = self._update(target, obj, request)
        return as_json(shown(target.kind, made))

    async def patch(self, target: Target, request: Request) -> Reply:
        """PATCH, in any of the four kinds. Raises StatusError."""
        kind = request.content_type
        if kind == STRATEGIC and target.kind.custom:
            raise errors.unsupported_media(", ".join(item for item in _PATCHES if item != STRATEGIC))
        if kind not in _PATCHES:
            raise errors.StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
        body = await request.object(also=kind) if kind != JSON_PATCH else await request.object(also=JSON_PATCH)
        if target.subresource == "scale":
            return as_json(self._scaled(target, request, scaling.patch, body))
        live = self._store.get(target.kind, target.namespace, target.name)
        if kind == APPLY:
            return self._apply(target, live, body, request)
        if live is None:
            raise errors.not_found(target.kind.group, target.kind.plural, target.name)
        view = shown(target.kind, live)
        new = patches.json_patch(view, body) if kind == JSON_PATCH else self._merged(target, view, body, kind)
        node = self._store.shape_of(target.kind)
        try:
            checking.unknown_in(new, node, request)
            checking.types(target.kind, new, node)
        except checking.Undecodable as error:
            raise checking.of_patched(new, error, patch=body if kind == STRATEGIC else None) from error
        made = self._update(target, stored(target.kind, new), request)
        return as_json(shown(target.kind, made))

    async def delete(self, target: Target, request: Request) -> Reply:
        """DELETE of one object. Raises StatusError."""
        options = await self._options(request)
        return as_json(self._delete(target.kind, target.namespace, target.name, options, request))

    async def delete_collection(self, target: Target, request: Request) -> Reply:
        """DELETE of all that the selectors choose. Raises StatusError."""
        options = await self._options(request)
        choice = reading.chosen(target, request)
        gone = [obj for obj in self._store.list(target.kind) if choice.has(obj)]
        for obj in gone:
            self._delete(target.kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], options, request)
        return as_json(reading.as_list(target.kind, gone, {"resourceVersion": str(self._store.revision)}))

    async def finalize(self, target: Target, request: Request) -> Reply:
        """PUT of a namespace's finalizers. Raises StatusError."""
        body = await request.object() or {}
        wanted = (body.get("spec") or {}).get("finalizers") or []

        def change(obj: Obj) -> None:
            obj["spec"] = {"finalizers": wanted} if wanted else {}

        made = self._store.mutate(target.kind, "", target.name, change, manager=request.manager)
        if made is None:
            raise errors.not_found("", "namespaces", target.name)
        return as_json(made)

    def _merged(self, target: Target, view: Obj, body: Any, kind: str) -> Obj:
        if not isinstance(body, dict):
            raise errors.bad_request("error decoding patch: a patch is an object")
        if kind == STRATEGIC:
            return patches.strategic(view, body, self._store.shape_of(target.kind))
        merged: Obj = patches.merge_patch(view, body)
        return merged

    def _create(self, kind: Kind, obj: Obj, request: Request, *, applied: bool = False) -> Obj:
        if kind.has_status and kind is not NODES:
            obj.pop("status", None)
        obj["metadata"].pop("uid", None)
        escalation.check(self._store, request.user, kind, obj, None)
        admitted = self._admit("CREATE", kind.plural, obj)
        made = self._store.create(kind, admitted, manager=request.manager, dry_run=request.dry_run, applied=applied)
        request.warnings += [*self._warn(kind.plural, made), *notices.of_write(kind, made, None)]
        return made

    def _update(self, target: Target, obj: Obj, request: Request, *, applied: bool = False) -> Obj:
        old = self._store.get(target.kind, target.namespace, target.name)
        escalation.check(self._store, request.user, target.kind, obj, old)
        admitted = self._admit("UPDATE", target.kind.plural, obj)
        made = self._store.update(
            target.kind, admitted, manager=request.manager, subresource=target.subresource,
            dry_run=request.dry_run, applied=applied,
        )  # fmt: skip
        if not target.subresource:
            request.warnings += [*self._warn(target.kind.plural, made), *notices.of_write(target.kind, made, old)]
        return made

    def _scaled(self, target: Target, request: Request, change: Callable[..., Obj], body: Any) -> Obj:
        old = self._store.get(target.kind, target.namespace, target.name)
        scale = change(self._store, target, body, request)
        new = self._store.get(target.kind, target.namespace, target.name)
        if new is not None:
            request.warnings += notices.of_write(target.kind, new, old)
        return scale

    def _apply(self, target: Target, live: Obj | None, body: Any, request: Request) -> Reply:
        if not request.query.get("fieldManager"):
            cause = errors.Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
            raise errors.invalid("meta.k8s.io", "PatchOptions", "", [cause])
        kind, node, now = target.kind, self._store.shape_of(target.kind), stamp(self._store.now())
        obj = self._read(target, body, request)
        if (obj.get("metadata") or {}).get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        if live is None:
            if target.subresource:
                raise errors.not_found(kind.group, kind.plural, target.name)
            new = applying.first(kind, obj, node, manager=request.manager, now=now)
            return as_json(self._create(kind, new, request, applied=True), 201)
        new = applying.apply(
            kind, live, obj, node, manager=request.manager, force=request.flag("force"), now=now,
            subresource=target.subresource,
        )  # fmt: skip
        if request.manager == "kubectl":
            applying.sync_last_applied(new, obj)
        return as_json(self._update(target, new, request, applied=True))

    def _read(self, target: Target, body: Any, request: Request) -> Obj:
        """The object of a body, checked against the path; name and namespace filled in."""
        kind = target.kind
        obj = self._decoded(kind, body)
        meta: Obj = obj["metadata"]
        node = self._store.shape_of(kind)
        try:
            checking.unknown_in(obj, node, request)
            checking.types(kind, obj, node)
        except checking.Undecodable as error:
            raise checking.of_body(kind, error) from error
        if kind.namespaced and target.namespace:
            if meta.get("namespace") not in {None, "", target.namespace}:
                raise errors.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            meta["namespace"] = target.namespace
        if target.name:
            if meta.get("name") not in {None, "", target.name}:
                raise errors.bad_request(
                    f"the name of the object ({meta['name']}) does not match the name on the URL ({target.name})"
                )
            meta["name"] = target.name
        return obj

    def _decoded(self, kind: Kind, body: Any) -> Obj:
        """The body as an object of this kind; built-in ones may leave out what the path says anyway."""
        unrecognized = f"the object provided is unrecognized (must be of type {kind.kind})"
        if not isinstance(body, dict):
            raise errors.bad_request(
                f"{unrecognized}: couldn't get version/kind; json parse error: an object is expected"
            )
        obj: Obj = clone(body)
        if kind.custom and not obj.get("kind"):
            text = encode(body).decode()
            raise errors.bad_request(f"{unrecognized}: Object 'Kind' is missing in '{text}' ({text[:22]} ...)")
        obj.setdefault("apiVersion", kind.api_version)
        obj.setdefault("kind", kind.kind)
        version = obj["apiVersion"].rpartition("/")[2]
        if (obj["apiVersion"], obj["kind"]) != (kind.api_version, kind.kind):
            raise errors.bad_request(
                f'{obj["kind"]} in version "{version}" cannot be handled as a {kind.kind}: '
                f"converting ({version}.{obj['kind']}) to ({kind.group.partition('.')[0] or 'core'}.{kind.kind}): "
                "unknown conversion"
            )
        if not isinstance(obj.get("metadata"), dict):
            obj["metadata"] = {}
        return obj

    async def _options(self, request: Request) -> Obj:
        options: Obj = await request.object() or {}
        if "propagationPolicy" in request.query:
            options["propagationPolicy"] = request.query["propagationPolicy"]
        if request.number("gracePeriodSeconds") is not None:
            options["gracePeriodSeconds"] = request.number("gracePeriodSeconds")
        if request.dry_run:
            options["dryRun"] = ["All"]
        return options

    def _delete(self, kind: Kind, namespace: str, name: str, options: Obj, request: Request) -> Obj:
        policy = of_delete(options)
        if kind is NAMESPACES and name in _IMMORTAL:
            raise errors.forbidden("", "namespaces", name, "this namespace may not be deleted")
        preconditions = options.get("preconditions") or {}
        dry_run = request.dry_run or bool(options.get("dryRun"))
        last = self._store.delete(
            kind, namespace, name, grace_seconds=options.get("gracePeriodSeconds"), propagation=policy,
            uid=preconditions.get("uid") or "", resource_version=preconditions.get("resourceVersion") or "",
            dry_run=dry_run,
        )  # fmt: skip
        if kind.key in _ANSWERED_WITH_THE_OBJECT or (not dry_run and not self._store.is_gone(kind, last)):
            return shown(kind, last)
        details: Obj = {"name": name, "kind": kind.plural, "uid": last["metadata"]["uid"]}
        if kind.group:
            details["group"] = kind.group
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
