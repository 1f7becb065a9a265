"""Small requests that act: binding a pod to a node, and asking for a service account's token."""

from __future__ import annotations

import datetime
import secrets
from typing import Final

from sealane.sandbox.api import errors, kinds
from sealane.sandbox.api.routes import Target
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.users import Users, service_account
from sealane.sandbox.api.values import Obj, stamp
from sealane.sandbox.api.wire import Reply, Request, as_json

_SHORTEST: Final = 600


async def bind(store: Store, target: Target, request: Request) -> Reply:
    """POST of a Binding: set the pod's node. Raises StatusError (404, 409)."""
    body = await request.object() or {}
    node = (body.get("target") or {}).get("name", "")
    pod = store.get(kinds.PODS, target.namespace, target.name)
    if pod is None:
        raise errors.not_found("", "pods", target.name)
    if pod["spec"].get("nodeName"):
        why = f'pod {target.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise errors.conflict("", "pods/binding", target.name, why)

    def change(obj: Obj) -> None:
        obj["spec"]["nodeName"] = node

    store.mutate(kinds.PODS, target.namespace, target.name, change, manager=request.manager)
    return as_json(_success(), 201)


async def token(store: Store, users: Users, target: Target, request: Request) -> Reply:
    """POST of a TokenRequest: a token with which one is that service account, until the sandbox ends.
    Raises StatusError (404)."""
    body = await request.object() or {}
    if store.get(kinds.SERVICEACCOUNTS, target.namespace, target.name) is None:
        raise errors.not_found("", "serviceaccounts", target.name)
    spec: Obj = body.get("spec") or {}
    seconds = int(spec.get("expirationSeconds") or 3600)
    if seconds < _SHORTEST:
        why = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
        cause = errors.Cause("FieldValueInvalid", why, "spec.expirationSeconds")
        raise errors.invalid("authentication.k8s.io", "TokenRequest", "", [cause])
    bound: Obj = spec.get("boundObjectRef") or {}
    kind = next((each for each in (kinds.PODS, kinds.SECRETS) if each.kind == bound.get("kind")), None)
    if kind is not None and store.get(kind, target.namespace, bound.get("name") or "") is None:
        raise errors.not_found("", kind.plural, bound.get("name") or "")
    made = f"sandbox.{secrets.token_urlsafe(24)}"
    if not request.dry_run:
        users.add(made, service_account(target.namespace, target.name))
    ends = stamp(store.now() + datetime.timedelta(seconds=seconds))
    answer = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": target.name, "namespace": target.namespace},
        "spec": {"audiences": spec.get("audiences") or ["sandbox"], "expirationSeconds": seconds},
        "status": {"token": made, "expirationTimestamp": ends},
    }
    return as_json(answer, 201)


def _success() -> Obj:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
