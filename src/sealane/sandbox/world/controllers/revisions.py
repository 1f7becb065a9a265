"""ControllerRevisions: the past templates of StatefulSets and DaemonSets, from which `kubectl rollout undo` restores.

One object a template, named by its hash and numbered; a template that comes back gets the newest number again. Old ones
beyond the history limit go, but never one that a pod still runs.
"""

from __future__ import annotations

from collections.abc import Collection

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj


def current(cluster: Cluster, owner: Obj, *, kind: str, hash_label: str) -> str:
    """The hash under which the owner's present template is kept, with a revision made or renumbered if need be."""
    digest = objects.template_hash(owner["spec"]["template"])
    known = of(cluster, owner)
    newest = max((int(item.get("revision", 0)) for item in known), default=0)
    found = next((item for item in known if item["metadata"]["labels"].get(hash_label) == digest), None)
    if found is None:
        _create(cluster, owner, kind=kind, labels={hash_label: digest}, number=newest + 1)
    elif int(found.get("revision", 0)) < newest:

        def change(obj: Obj) -> None:
            obj["revision"] = newest + 1

        cluster.change("controllerrevisions", *objects.key(found), change)
    return digest


def of(cluster: Cluster, owner: Obj) -> list[Obj]:
    """The owner's revisions, oldest first."""
    found = cluster.list("controllerrevisions", owner["metadata"]["namespace"])
    mine = [item for item in found if objects.owned_by(item, objects.uid(owner))]
    return sorted(mine, key=lambda item: int(item.get("revision", 0)))


def forget(cluster: Cluster, owner: Obj, *, live: Collection[str], hash_label: str) -> None:
    """Delete the oldest ones beyond the history limit; `live` are hashes that pods or the owner have."""
    keep = int(owner["spec"].get("revisionHistoryLimit", 10))
    old = [item for item in of(cluster, owner) if item["metadata"]["labels"].get(hash_label) not in live]
    for item in old[: max(0, len(old) - keep)]:
        cluster.delete("controllerrevisions", item)


def _create(cluster: Cluster, owner: Obj, *, kind: str, labels: dict[str, str], number: int) -> None:
    (digest,) = labels.values()
    template = {**owner["spec"]["template"], "$patch": "replace"}
    wanted = dict((owner["spec"].get("selector") or {}).get("matchLabels") or {})
    meta: Obj = {
        "name": f"{owner['metadata']['name']}-{digest}",
        "namespace": owner["metadata"]["namespace"],
        "labels": wanted | labels,
        "ownerReferences": [objects.owner_reference(owner, api_version="apps/v1", kind=kind)],
    }
    if objects.notes(owner):
        meta["annotations"] = dict(objects.notes(owner))
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "revision": number}
    if cluster.kind("controllerrevisions") is not None:
        cluster.create("controllerrevisions", body | {"data": {"spec": {"template": template}}})
