"""Questions about rights and identity: the review kinds, which are answered and never stored."""

from __future__ import annotations

from typing import Any

from sealane.sandbox.api import errors, rbac
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.rbac import Ask
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.wire import Reply, Request, User, as_json


async def answer(store: Store, kind: Kind, request: Request, *, namespace: str = "") -> Reply:
    """The review with its status filled in; a local one is asked in `namespace`. Raises StatusError."""
    body = await request.object() or {}
    if not isinstance(body, dict):
        raise errors.bad_request("the object provided is unrecognized: a review was expected")
    spec: Obj = body.get("spec") or {}
    head = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": body.get("metadata") or {}}
    if kind.kind == "SelfSubjectReview":
        return as_json(head | {"status": {"userInfo": _user_info(request.user)}}, 201)
    if kind.kind == "SelfSubjectRulesReview":
        if not spec.get("namespace"):
            raise errors.bad_request("no namespace on request")
        return as_json(head | {"spec": spec, "status": _rules(store, request.user, spec.get("namespace") or "")}, 201)
    if kind.kind == "TokenReview":
        return as_json(head | {"spec": spec, "status": {"user": {}, "error": "not served by the sandbox"}}, 201)
    user = request.user
    if kind.kind != "SelfSubjectAccessReview":
        user = User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "")
        if not spec.get("user") and not spec.get("groups"):
            raise _invalid("spec.user", 'Invalid value: "": at least one of user or group must be specified')
    within = (spec.get("resourceAttributes") or {}).get("namespace") or ""
    if kind.kind == "LocalSubjectAccessReview" and within != namespace:
        text = f'Invalid value: "{within}": must match metadata.namespace'
        raise _invalid("spec.resourceAttributes.namespace", text)
    return as_json(head | {"spec": spec, "status": _access(store, user, spec)}, 201)


def _invalid(field: str, text: str) -> errors.StatusError:
    return errors.invalid("authorization.k8s.io", "", "", [errors.Cause("FieldValueInvalid", text, field)])


def _access(store: Store, user: User, spec: Obj) -> Obj:
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource and other:
        shown = f'{{"Path":"{other.get("path") or ""}","Verb":"{other.get("verb") or ""}"}}'
        text = f"Invalid value: {shown}: cannot be specified in combination with resourceAttributes"
        raise _invalid("spec.nonResourceAttributes", text)
    if not resource and not other:
        text = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise _invalid("spec.resourceAttributes", text)
    decision = rbac.decide(store, user, _ask(resource or {}, other or {}))
    status: Obj = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return status


def _ask(resource: Obj, other: Obj) -> Ask:
    if other:
        return Ask(verb=other.get("verb") or "", path=other.get("path") or "")
    return Ask(
        verb=resource.get("verb") or "",
        group=resource.get("group") or "",
        resource=resource.get("resource") or "",
        subresource=resource.get("subresource") or "",
        namespace=resource.get("namespace") or "",
        name=resource.get("name") or "",
    )


def _rules(store: Store, user: User, namespace: str) -> Obj:
    resources: list[Any] = []
    paths: list[Any] = []
    if rbac.MASTERS in user.groups and not store.withheld:
        resources.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        paths.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    for rule, _ in rbac.rules_of(store, user, namespace):
        if rule.get("nonResourceURLs"):
            path = {key: rule[key] for key in ("verbs", "nonResourceURLs")}
            if path not in paths:
                paths.append(path)
        else:
            kept = ("verbs", "apiGroups", "resources", "resourceNames")
            resources.append({key: rule[key] for key in kept if key in rule})
    return {"resourceRules": resources, "nonResourceRules": paths, "incomplete": bool(store.withheld)}


def _user_info(user: User) -> Obj:
    info: Obj = {"username": user.name, "groups": list(user.groups)}
    return info | {"uid": user.uid} if user.uid else info
