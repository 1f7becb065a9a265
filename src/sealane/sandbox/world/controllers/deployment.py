"""Deployment: rolling updates over ReplicaSets, with the revision history and conditions that kubectl reads.

Follows the real controller's rules for maxSurge and maxUnavailable (percentages: surge rounds up, unavailable down),
revision annotations, progress deadline and the texts of the Available and Progressing conditions, because
`kubectl rollout status` and people alike read them.
"""

from __future__ import annotations

import copy
import datetime
import math
from collections.abc import Iterable
from typing import Any

from sealane.sandbox.world import objects
from sealane.sandbox.world.controllers.replicaset import adopt
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

COMPONENT = "deployment-controller"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_OWN_NOTES = frozenset({REVISION, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration"})


class DeploymentController(Controller):
    """Moves replicas from old ReplicaSets to the one of the current template."""

    name = "deployment"
    kinds = ("deployments", "replicasets", "pods")

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "deployments":
            return (objects.key(obj),)
        if plural == "pods":
            return self._of_pod(change, obj)
        reference = objects.controller_of(obj)
        return () if reference is None else ((obj["metadata"]["namespace"], reference["name"]),)

    def _of_pod(self, change: str, pod: Obj) -> Iterable[Key]:
        """Only a pod that went matters by itself: Recreate waits for it."""
        reference = objects.controller_of(pod)
        if change != "DELETED" or reference is None or reference["kind"] != "ReplicaSet":
            return ()
        namespace = pod["metadata"]["namespace"]
        owner = objects.controller_of(self.cluster.get("replicasets", namespace, reference["name"]) or {"metadata": {}})
        return () if owner is None else ((namespace, owner["name"]),)

    def reconcile(self, key: Key) -> float | None:
        deployment = self.cluster.get("deployments", key[0], key[1])
        if deployment is None or objects.deleting(deployment):
            return None
        adopt(self.cluster, deployment, "replicasets", api_version="apps/v1", kind="Deployment")
        every = self._replica_sets(deployment)
        current = next((item for item in every if _same_template(item, deployment)), None)
        if not deployment["spec"].get("paused") or current is not None:
            current = self._current(deployment, current, every)
            every = self._replica_sets(deployment)
        old = [item for item in every if current is None or objects.uid(item) != objects.uid(current)]
        if current is not None:
            self._roll(deployment, current, old)
        self._forget(deployment, old)
        return self._status(deployment)

    def _replica_sets(self, deployment: Obj) -> list[Obj]:
        found = self.cluster.list("replicasets", deployment["metadata"]["namespace"])
        mine = [item for item in found if objects.owned_by(item, objects.uid(deployment))]
        return sorted(mine, key=_revision)

    def _current(self, deployment: Obj, current: Obj | None, every: list[Obj]) -> Obj:
        """The ReplicaSet of the present template, made if need be, carrying the newest revision."""
        newest = max((_revision(item) for item in every), default=0)
        if current is None:
            current = self._create(deployment, newest + 1)
        elif _revision(current) < newest:
            self._note(current, {REVISION: str(newest + 1)})
        revision = max(newest, 1) if current is None else _revision(current)
        current = self.cluster.get("replicasets", *objects.key(current)) or current
        revision = _revision(current)
        self._note(current, _passed_on(deployment))

        def change(obj: Obj) -> None:
            obj["metadata"].setdefault("annotations", {})[REVISION] = str(revision)

        if objects.notes(deployment).get(REVISION) != str(revision):
            # The real controller writes the revision with the status; managedFields tell.
            self.cluster.change("deployments", *objects.key(deployment), change, subresource="status")
        return current

    def _create(self, deployment: Obj, revision: int) -> Obj:
        spec, meta = deployment["spec"], deployment["metadata"]
        template = copy.deepcopy(spec["template"])
        digest = objects.template_hash(_without_empty(spec["template"]))
        template.setdefault("metadata", {}).setdefault("labels", {})["pod-template-hash"] = digest
        selector = copy.deepcopy(spec["selector"])
        selector.setdefault("matchLabels", {})["pod-template-hash"] = digest
        surge, _ = _room(spec)
        wanted = int(spec.get("replicas", 1))
        return self.cluster.create(
            "replicasets",
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{meta['name']}-{digest}",
                    "namespace": meta["namespace"],
                    "labels": dict(template["metadata"]["labels"]),
                    "annotations": _passed_on(deployment)
                    | {REVISION: str(revision), DESIRED: str(wanted), MAXIMUM: str(wanted + surge)},
                    "ownerReferences": [objects.owner_reference(deployment, api_version="apps/v1", kind="Deployment")],
                },
                "spec": {"replicas": 0, "selector": selector, "template": template},
            },
        )

    def _roll(self, deployment: Obj, current: Obj, old: list[Obj]) -> None:
        spec = deployment["spec"]
        wanted = int(spec.get("replicas", 1))
        if spec.get("paused") and any(_replicas(item) for item in old):
            return
        if (spec.get("strategy") or {}).get("type") == "Recreate":
            self._recreate(deployment, current, old, wanted)
            return
        surge, unavailable = _room(spec)
        total = _replicas(current) + sum(_replicas(item) for item in old)
        if _replicas(current) > wanted or not any(_replicas(item) for item in old):
            self._scale(deployment, current, wanted)
        elif _replicas(current) < wanted:
            self._scale(deployment, current, min(wanted, _replicas(current) + max(0, wanted + surge - total)))
        self._shrink(deployment, old, wanted - unavailable)

    def _recreate(self, deployment: Obj, current: Obj, old: list[Obj], wanted: int) -> None:
        for item in old:
            self._scale(deployment, item, 0)
        owners = {objects.uid(item) for item in old}
        pods = self.cluster.list("pods", deployment["metadata"]["namespace"])
        if not any((objects.controller_of(pod) or {}).get("uid") in owners for pod in pods):
            self._scale(deployment, current, wanted)

    def _shrink(self, deployment: Obj, old: list[Obj], least_available: int) -> None:
        """Take old replicas down: unhealthy ones first, then as many as availability allows."""
        every = self._replica_sets(deployment)
        available = sum(_available(item) for item in every)
        for item in old:
            fresh = self.cluster.get("replicasets", *objects.key(item))
            if fresh is None or not _replicas(fresh):
                continue
            unhealthy = _replicas(fresh) - _available(fresh)
            spare = max(0, available - least_available)
            healthy = min(spare, _available(fresh))
            available -= healthy
            self._scale(deployment, fresh, _replicas(fresh) - unhealthy - healthy)

    def _scale(self, deployment: Obj, replica_set: Obj, replicas: int) -> None:
        before = _replicas(self.cluster.get("replicasets", *objects.key(replica_set)) or replica_set)
        wanted = int(deployment["spec"].get("replicas", 1))
        surge, _ = _room(deployment["spec"])

        def change(obj: Obj) -> None:
            obj["spec"]["replicas"] = replicas
            notes = obj["metadata"].setdefault("annotations", {})
            notes[DESIRED], notes[MAXIMUM] = str(wanted), str(wanted + surge)

        self.cluster.change("replicasets", *objects.key(replica_set), change)
        if before != replicas:
            way = "up" if replicas > before else "down"
            name = replica_set["metadata"]["name"]
            text = f"Scaled {way} replica set {name} from {before} to {replicas}"
            self.cluster.event(deployment, "ScalingReplicaSet", text, component=COMPONENT)

    def _note(self, replica_set: Obj, notes: dict[str, str]) -> None:
        def change(obj: Obj) -> None:
            obj["metadata"].setdefault("annotations", {}).update(notes)

        self.cluster.change("replicasets", *objects.key(replica_set), change)

    def _forget(self, deployment: Obj, old: list[Obj]) -> None:
        keep = int(deployment["spec"].get("revisionHistoryLimit", 10))
        idle = [item for item in old if not _replicas(item) and not item.get("status", {}).get("replicas")]
        for item in idle[: max(0, len(idle) - keep)]:
            self.cluster.delete("replicasets", item)

    def _status(self, deployment: Obj) -> float | None:
        namespace, name = objects.key(deployment)
        fresh = self.cluster.get("deployments", namespace, name)
        if fresh is None:
            return None
        every = self._replica_sets(fresh)
        current = next((item for item in every if _same_template(item, fresh)), None)
        now = self.cluster.clock.now()

        def change(obj: Obj) -> None:
            _write_status(obj, every, current, now=now)

        self.cluster.change("deployments", namespace, name, change, subresource="status")
        return None if _complete(fresh, every, current) else 5.0


def _passed_on(deployment: Obj) -> dict[str, str]:
    """Annotations that the ReplicaSet of the present template has too, a change cause among them."""
    return {name: value for name, value in objects.notes(deployment).items() if name not in _OWN_NOTES}


def _write_status(obj: Obj, every: list[Obj], current: Obj | None, *, now: datetime.datetime) -> None:
    wanted = int(obj["spec"].get("replicas", 1))
    status = obj.setdefault("status", {})
    replicas = sum(int(item.get("status", {}).get("replicas", 0)) for item in every)
    ready = sum(int(item.get("status", {}).get("readyReplicas", 0)) for item in every)
    available = sum(_available(item) for item in every)
    updated = 0 if current is None else int(current.get("status", {}).get("replicas", 0))
    values = {
        "replicas": replicas,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": available,
        "unavailableReplicas": max(0, max(wanted, replicas) - available),
    }
    before = {name: status.get(name, 0) for name in values}
    status["observedGeneration"] = obj["metadata"].get("generation", 1)
    for name, value in values.items():
        if value:
            status[name] = value
        else:
            status.pop(name, None)
    _conditions(obj, every, current, moved=before != values, now=now)


def _conditions(obj: Obj, every: list[Obj], current: Obj | None, *, moved: bool, now: datetime.datetime) -> None:
    text = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = int(obj["spec"].get("replicas", 1))
    _, unavailable = _room(obj["spec"])
    enough = sum(_available(item) for item in every) >= wanted - unavailable
    words = (
        ("MinimumReplicasAvailable", "Deployment has minimum availability.")
        if enough
        else ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    _put(obj, "Available", "True" if enough else "False", words, text)
    failure = next(filter(None, (objects.condition(item, "ReplicaFailure") for item in every)), None)
    if failure:
        _put(obj, "ReplicaFailure", "True", (failure["reason"], failure["message"]), text)
    else:
        objects.drop_condition(obj, "ReplicaFailure")
    _progress(obj, every, current, moved=moved, now=now)


def _progress(obj: Obj, every: list[Obj], current: Obj | None, *, moved: bool, now: datetime.datetime) -> None:
    text = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    name = "" if current is None else current["metadata"]["name"]
    known = objects.condition(obj, "Progressing")
    if obj["spec"].get("paused"):
        _put(obj, "Progressing", "Unknown", ("DeploymentPaused", "Deployment is paused"), text)
        return
    if _complete(obj, every, current):
        words = ("NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        _put(obj, "Progressing", "True", words, text)
        return
    if known is None or name not in known.get("message", ""):
        words = ("NewReplicaSetCreated", f'Created new replica set "{name}"')
        _put(obj, "Progressing", "True", words, text)
        return
    deadline = int(obj["spec"].get("progressDeadlineSeconds", 600))
    since = datetime.datetime.fromisoformat(known.get("lastUpdateTime", text))
    if moved or known["reason"] == "NewReplicaSetAvailable":
        _put(obj, "Progressing", "True", ("ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'), text)
        for item in obj["status"]["conditions"]:
            if item["type"] == "Progressing":
                item["lastUpdateTime"] = text
    elif (now - since).total_seconds() > deadline:
        words = ("ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
        _put(obj, "Progressing", "False", words, text)


def _put(obj: Obj, kind: str, status: str, words: tuple[str, str], now: str) -> None:
    known = objects.condition(obj, kind)
    if known and (known["status"], known.get("reason"), known.get("message")) == (status, *words):
        return
    objects.set_condition(obj, kind, status, now=now, reason=words[0], message=words[1], lastUpdateTime=now)


def _complete(obj: Obj, every: list[Obj], current: Obj | None) -> bool:
    wanted = int(obj["spec"].get("replicas", 1))
    status = {} if current is None else current.get("status", {})
    others = sum(int(item.get("status", {}).get("replicas", 0)) for item in every if item is not current)
    return (
        current is not None
        and int(status.get("replicas", 0)) == wanted
        and int(status.get("availableReplicas", 0)) == wanted
        and not others
    )


def _same_template(replica_set: Obj, deployment: Obj) -> bool:
    template = _without_empty(replica_set["spec"]["template"])
    template.get("metadata", {}).get("labels", {}).pop("pod-template-hash", None)
    return bool(_without_empty(template) == _without_empty(deployment["spec"]["template"]))


def _without_empty(value: Any) -> Any:
    """Without what Go leaves out when it is empty: clients drop it when they send a template back."""
    if isinstance(value, dict):
        kept = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ("", None, {}, [])}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


def _revision(replica_set: Obj) -> int:
    text = objects.notes(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def _replicas(replica_set: Obj) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def _available(replica_set: Obj) -> int:
    return int(replica_set.get("status", {}).get("availableReplicas", 0))


def _room(spec: Obj) -> tuple[int, int]:
    """`(maxSurge, maxUnavailable)` in pods; never both 0."""
    strategy = spec.get("strategy") or {}
    wanted = int(spec.get("replicas", 1))
    if strategy.get("type") == "Recreate":
        return 0, wanted
    rolling = strategy.get("rollingUpdate") or {}
    surge = _amount(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _amount(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _amount(value: int | str, wanted: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        exact = wanted * float(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)
