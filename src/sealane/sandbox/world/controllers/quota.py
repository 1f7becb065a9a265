"""ResourceQuota status: what of each hard limit is used now. Admission reads it, people see it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from sealane.sandbox.world import admission, objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

_COUNTED = ("pods", "services", "persistentvolumeclaims", "configmaps", "secrets", "deployments", "jobs")


class QuotaController(Controller):
    """Counts every namespace that has a quota."""

    name = "resourcequota"
    kinds = ("resourcequotas", *_COUNTED)
    warm_pace = 0.1

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        namespace = obj["metadata"].get("namespace", "")
        return ((namespace,),) if self.cluster.list("resourcequotas", namespace) else ()

    def reconcile(self, key: Key) -> float | None:
        used: dict[str, Fraction] = {}
        for plural in _COUNTED:
            amounts = [admission.usage_of(plural, obj) for obj in self.cluster.list(plural, key[0])]
            used = objects.total([used, *amounts])
        for quota in self.cluster.list("resourcequotas", key[0]):
            self._write(quota, used)
        return None

    def _write(self, quota: Obj, used: dict[str, Fraction]) -> None:
        hard = quota["spec"].get("hard") or {}
        counted = {name: admission.spell(name, used.get(name, Fraction(0))) for name in hard}

        def change(obj: Obj) -> None:
            obj["status"] = {"hard": dict(hard), "used": counted}

        self.cluster.change("resourcequotas", *objects.key(quota), change, subresource="status")
