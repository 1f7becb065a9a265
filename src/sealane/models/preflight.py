"""Asking the API server before anything is created: would it take these objects, and the pods that they lead to?

A Deployment is accepted whatever its pods ask for; the refusal comes minutes later as an event that nobody reads. So
the pod template is dry-run as a pod too: that is where Pod Security, quotas and KAI's admission speak. A dry run that
cannot be made (no right to create pods, a webhook without dry-run support) is no refusal.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from sealane.kube import errors as kube_errors
from sealane.kube import resources
from sealane.kube.client import Client
from sealane.lib.errors import Evidence, NextStep, SealaneError
from sealane.models import errors, failures, rights
from sealane.models.action_errors import FieldConflict, PodRefused
from sealane.models.labels import MANAGED_BY, MANAGER, MODEL_ANNOTATION
from sealane.models.types import ModelSpec, Plan

_MANAGER = re.compile(r'conflict with "([^"]+)"')
_RIGHT = re.compile(r'cannot \w+ resource "')
_RIGHT_VERB = re.compile(r'cannot (\w+) resource "')
_SHARING_OFF = "while gpu sharing is disabled"


async def check(client: Client, plan: Plan) -> tuple[str, ...]:
    """Dry-run the whole plan. Returns warnings; raises the first refusal: NamespaceMissing, NamespaceForbidden,
    NameTaken, FieldConflict, PodRefused, SharingOff, or the API server's own error."""
    await namespace(client, plan.spec)
    for manifest in plan.manifests:
        await free_name(client, plan.spec, manifest)
    for manifest in plan.manifests:
        await apply(client, plan.spec, manifest, dry_run=True)
    for manifest in plan.manifests:
        if manifest.get("kind") == "Deployment":
            return await _pod(client, plan.spec, manifest)
    return ()


async def namespace(client: Client, spec: ModelSpec) -> None:
    """Raise NamespaceMissing when it is known not to exist. Not being allowed to look is no answer."""
    try:
        await client.get(resources.NAMESPACES, spec.namespace)
    except kube_errors.NotFound as error:
        raise errors.NamespaceMissing(
            f"There is no namespace {spec.namespace} in {spec.cluster}.",
            next_steps=(NextStep(title="Create it", command=_kubectl(spec, f"create namespace {spec.namespace}")),),
        ) from error
    except kube_errors.Forbidden:
        return


async def free_name(client: Client, spec: ModelSpec, manifest: Mapping[str, Any]) -> None:
    """Raise NameTaken when an object of that kind and name is somebody else's, or another model's."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    try:
        found = await client.get(resources.of(manifest), name, namespace=spec.namespace)
    except (kube_errors.NotFound, kube_errors.Forbidden):
        return
    meta = found.get("metadata", {})
    maker = (meta.get("labels") or {}).get(MANAGED_BY, "")
    model = (meta.get("annotations") or {}).get(MODEL_ANNOTATION, "")
    if maker == MANAGER and model in {"", spec.model}:
        return
    whose = f"for the model {model}" if maker == MANAGER else f"made by {maker or 'somebody else'}"
    raise errors.NameTaken(
        f"There is already a {kind} {name} in {spec.namespace} of {spec.cluster}, {whose}.",
        evidence=(Evidence(label="object", value=f"{kind} {name}", object=f"{kind.lower()}/{name}"),),
        next_steps=(
            NextStep(title="Choose another name", command=f"sealane host {spec.model} --name {spec.name}-2"),
            NextStep(title="Look at it", command=_kubectl(spec, f"-n {spec.namespace} get {kind.lower()} {name}")),
        ),
    )


async def apply(
    client: Client, spec: ModelSpec, manifest: Mapping[str, Any], *, dry_run: bool = False
) -> dict[str, Any]:
    """Server-side apply as `sealane`. Fields that Sealane itself set in another way (scaling, restarting) are taken
    back; fields that somebody else set are a FieldConflict."""
    try:
        return await client.apply(manifest, dry_run=dry_run)
    except kube_errors.Conflict as error:
        others = set(_managers(error)) - {"sealane"}
        if others or not _managers(error):
            raise _conflict(spec, manifest, error, others) from error
        return await client.apply(manifest, dry_run=dry_run, force=True)
    except kube_errors.Forbidden as error:
        raise _refused(spec, manifest, error) from error
    except kube_errors.NotFound as error:
        if error.details.kind == "namespaces" or "namespaces" in error.message:
            raise errors.NamespaceMissing(
                f"There is no namespace {spec.namespace} in {spec.cluster}.",
                next_steps=(NextStep(title="Create it", command=_kubectl(spec, f"create namespace {spec.namespace}")),),
            ) from error
        raise


def _managers(error: kube_errors.Conflict) -> list[str]:
    said = [error.message, *(cause.message for cause in error.details.causes)]
    return [name for text in said for name in _MANAGER.findall(text)]


def _conflict(
    spec: ModelSpec, manifest: Mapping[str, Any], error: kube_errors.Conflict, others: set[str]
) -> FieldConflict:
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    fields = [cause.field for cause in error.details.causes if cause.field]
    who = ", ".join(sorted(others)) or "somebody else"
    what = f"{', '.join(fields[:3])}{' and more' if len(fields) > 3 else ''}" if fields else "fields of it"
    return FieldConflict(
        f"{name} in {spec.namespace} was changed by {who}: {what}. Nothing was overwritten.",
        evidence=error.evidence,
        next_steps=(
            NextStep(
                title="See who set what",
                command=_kubectl(
                    spec,
                    f"-n {spec.namespace} get {manifest['kind'].lower()} {manifest['metadata']['name']} "
                    "-o yaml --show-managed-fields",
                ),
            ),
        ),
    )


def _refused(spec: ModelSpec, manifest: Mapping[str, Any], error: kube_errors.Forbidden) -> SealaneError:
    """403 means a missing right, unless it is admission's or a quota's word."""
    if _is_right(error.message):
        verb = _RIGHT_VERB.search(error.message)
        need = rights.Need(verb[1] if verb else "create", resources.of(manifest))
        return rights.refused(spec.cluster, spec.namespace, need, error)
    return PodRefused(failures.creation(error.message), evidence=error.evidence)


def _is_right(message: str) -> bool:
    """RBAC's own wording: `User "x" cannot create resource "y"`."""
    return _RIGHT.search(message) is not None


async def _pod(client: Client, spec: ModelSpec, deployment: Mapping[str, Any]) -> tuple[str, ...]:
    template = deployment["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **template.get("metadata", {}),
            "name": f"{spec.name}-dry-run",
            "namespace": spec.namespace,
        },
        "spec": template["spec"],
    }
    try:
        await client.create(pod, dry_run=True)
    except kube_errors.AlreadyExists:
        return ()
    except (kube_errors.Forbidden, kube_errors.Invalid, kube_errors.ServerError) as error:
        return _pod_refusal(spec, error)
    return ()


def _pod_refusal(spec: ModelSpec, error: kube_errors.ApiError) -> tuple[str, ...]:
    """A warning for what may pass; raises for what will not."""
    said = error.message
    if _is_right(said) or "dry run" in said.lower() or "dryrun" in said.lower():
        return ()
    if _SHARING_OFF in said.lower():
        raise errors.SharingOff(
            f"KAI's GPU sharing is switched off in {spec.cluster}, so {spec.share.text} of a card cannot be asked for.",
            evidence=(Evidence(label="admission", value=said),),
            next_steps=(
                NextStep(title="Ask for a whole card", command=f"sealane host {spec.model} --gpu 1"),
                NextStep(
                    title="Have sharing switched on",
                    command="helm upgrade kai-scheduler … --reuse-values --set global.gpuSharing=true",
                ),
            ),
        ) from error
    if failures.is_quota(said) and not failures.quota_is_too_small(said):
        return (f"{failures.creation(said)} The copies wait until there is room.",)
    if isinstance(error, kube_errors.ServerError) and "denied the request" not in said:
        return (f"The cluster could not be asked about the pods: {said.rstrip('.')}.",)
    raise PodRefused(
        failures.creation(said),
        evidence=error.evidence,
        next_steps=(
            NextStep(
                title="See the namespace's rules",
                command=_kubectl(spec, f"-n {spec.namespace} get resourcequota,limitrange"),
            ),
        ),
    ) from error


def _kubectl(spec: ModelSpec, words: str) -> str:
    return f"kubectl --context {shlex.quote(spec.cluster)} {words}"
