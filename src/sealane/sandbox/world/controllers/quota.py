"""ResourceQuota status: what of each hard limit is used now. Admission reads it, people see it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from sealane.sandbox.world import objects, quotas
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

_NEVER_COUNTED = frozenset({"events", "leases"})


class QuotaController(Controller):
    """Counts every namespace that has a quota; a quota may be about any kind."""

    name = "resourcequota"
    kinds = ("*",)
    warm_pace = 0.1

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        namespace = obj["metadata"].get("namespace", "")
        if not namespace or plural in _NEVER_COUNTED:
            return ()
        return ((namespace,),) if self.cluster.list("resourcequotas", namespace) else ()

    def reconcile(self, key: Key) -> float | None:
        for quota in self.cluster.list("resourcequotas", key[0]):
            self._write(quota, self._used(quota, key[0]))
        return None

    def _used(self, quota: Obj, namespace: str) -> dict[str, Fraction]:
        used: dict[str, Fraction] = {}
        for plural in sorted(quotas.counted_in(quota["spec"].get("hard") or {})):
            group = str(getattr(self.cluster.kind(plural), "group", ""))
            mine = (obj for obj in self.cluster.list(plural, namespace) if quotas.is_about(quota, plural, obj))
            used = objects.total([used, *(quotas.usage_of(plural, obj, group=group) for obj in mine)])
        return used

    def _write(self, quota: Obj, used: dict[str, Fraction]) -> None:
        hard = quota["spec"].get("hard") or {}
        counted = {name: quotas.spell(name, used.get(name, Fraction(0))) for name in hard}

        def change(obj: Obj) -> None:
            obj["status"] = {"hard": dict(hard), "used": counted}

        self.cluster.change("resourcequotas", *objects.key(quota), change, subresource="status")
