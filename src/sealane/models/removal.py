"""Removing a model, and saying before and after what goes and what stays.

Weights are the point: a claim of many gigabytes outlives its Deployment unless it is asked for, and nobody should find
out from the storage bill. Only objects that carry our labels are touched, each by its uid, so that a thing made anew
under the same name meanwhile is safe.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from sealane.fleet import Cluster, Fleet
from sealane.kube import errors as kube_errors
from sealane.kube import quantities, resources
from sealane.kube.resources import Resource
from sealane.lib import text
from sealane.lib.errors import Evidence, NextStep
from sealane.models import hosted, rights
from sealane.models.action_errors import NamespaceForbidden, StillLeaving
from sealane.models.hosted import Key

KINDS = (resources.DEPLOYMENTS, resources.SERVICES, resources.SECRETS, resources.PVCS)
GONE_WITHIN = 60.0
_LOOK_EVERY = 0.5


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What goes (or went) and what stays, as `Kind name (note)`. `unseen` are kinds that the caller may not list, so
    nothing is known of them."""

    key: Key
    went: tuple[str, ...]
    stayed: tuple[str, ...]
    unseen: tuple[str, ...] = ()


class _Found(msgspec.Struct, frozen=True):
    resource: Resource
    name: str
    uid: str
    note: str = ""

    @property
    def text(self) -> str:
        return f"{self.resource.kind} {self.name}" + (f" ({self.note})" if self.note else "")


async def preview_removal(fleet: Fleet, key: Key, *, with_weights: bool) -> Removal:
    """What `remove` would do. Raises NotHosted when nothing of that name is there."""
    cluster = fleet.cluster(key.cluster)
    found, unseen = await _find(cluster, key)
    return _split(key, found, unseen, with_weights=with_weights)


async def remove(fleet: Fleet, key: Key, *, with_weights: bool, timeout: float = GONE_WITHIN) -> Removal:
    """Delete the model's objects and wait until its pods are gone. Raises NotHosted, NamespaceForbidden, StillLeaving
    (accepted, but not gone within `timeout` seconds)."""
    cluster = fleet.cluster(key.cluster)
    rights.demand(cluster, "remove", key.namespace, name=key.name, weights=with_weights)
    found, unseen = await _find(cluster, key)
    done = _split(key, found, unseen, with_weights=with_weights)
    for each in found:
        if each.text in done.went:
            await _delete(cluster, key, each)
    await _gone(cluster, fleet, key, timeout)
    return done


async def _find(cluster: Cluster, key: Key) -> tuple[Sequence[_Found], tuple[str, ...]]:
    selector = hosted.selector(key.name)
    found: list[_Found] = []
    unseen: list[str] = []
    for resource in KINDS:
        try:
            listing = await cluster.client.list(resource, namespace=key.namespace, label_selector=selector)
        except kube_errors.Forbidden:
            unseen.append(resource.plural)
            continue
        found += [_found(resource, obj) for obj in listing.items if not _owned(obj)]
    if not found:
        raise hosted.not_hosted(key, [each.metadata.name for each in hosted.deployments(cluster)])
    return found, tuple(unseen)


def _owned(obj: dict[str, Any]) -> bool:
    """Objects with an owner go with it (a volume that belongs to one pod)."""
    return bool(obj["metadata"].get("ownerReferences"))


def _found(resource: Resource, obj: dict[str, Any]) -> _Found:
    note = ""
    if resource == resources.PVCS:
        size = obj.get("status", {}).get("capacity", {}) or obj.get("spec", {}).get("resources", {}).get("requests", {})
        note = f"weights, {text.binary_bytes(float(quantities.parse(size.get('storage', '0'))))}"
    meta = obj["metadata"]
    return _Found(resource, meta["name"], meta.get("uid", ""), note)


def _split(key: Key, found: Sequence[_Found], unseen: tuple[str, ...], *, with_weights: bool) -> Removal:
    went = [each.text for each in found if with_weights or each.resource != resources.PVCS]
    stayed = [each.text for each in found if each.text not in went]
    return Removal(key=key, went=tuple(went), stayed=tuple(stayed), unseen=unseen)


async def _delete(cluster: Cluster, key: Key, each: _Found) -> None:
    try:
        await cluster.client.delete(each.resource, each.name, namespace=key.namespace, uid=each.uid)
    except kube_errors.NotFound:
        return
    except kube_errors.Conflict:
        return  # made anew under the same name since we looked: not ours to remove
    except kube_errors.Forbidden as error:
        cluster.doubt()
        refused = rights.refused(cluster.name, key.namespace, rights.Need("delete", each.resource), error)
        raise NamespaceForbidden(
            f"{refused.sentence} {each.text} is still there.",
            evidence=refused.evidence,
            next_steps=refused.next_steps,
        ) from error


async def _gone(cluster: Cluster, fleet: Fleet, key: Key, timeout: float) -> None:
    selector = hosted.selector(key.name)
    end = fleet.clock.monotonic() + timeout
    while True:
        try:
            pods = await cluster.client.list(resources.PODS, namespace=key.namespace, label_selector=selector)
        except kube_errors.Forbidden:
            return
        if not pods.items:
            return
        if fleet.clock.monotonic() >= end:
            break
        await fleet.clock.sleep(_LOOK_EVERY)
    names = [pod["metadata"]["name"] for pod in pods.items]
    raise StillLeaving(
        f"{key.name} is deleted, but after {text.duration(timeout)} {text.count(len(names), 'pod')} of it "
        f"{'is' if len(names) == 1 else 'are'} still leaving: {text.listing(names[:3])}.",
        evidence=tuple(Evidence(label="pod", value=name, object=f"pod/{name}") for name in names[:10]),
        next_steps=(
            NextStep(
                title="Look at what holds it",
                command=f"kubectl --context {shlex.quote(key.cluster)} -n {key.namespace} describe pod {names[0]}",
            ),
        ),
    )
