"""What an object must be to be stored: the server's checks for the mistakes that people make, in the server's words.

First what the schema says of every kind (required fields, closed sets of values), then names and labels, then what only
one kind knows. All causes are collected, so that one answer names everything that is wrong.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sealane.kube import quantities
from sealane.kube.selectors import Selector
from sealane.sandbox.api import (
    errors,
    kinds,
    ownership,
    validation_batch,
    validation_core,
    validation_custom,
    validation_meta,
    validation_network,
    validation_pods,
    validation_policy,
    validation_roles,
    validation_scaling,
)
from sealane.sandbox.api.causes import LABEL, SUBDOMAIN, forbidden, invalid, label_selector, required, unsupported
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.schema import Node
from sealane.sandbox.api.values import Obj, same_but

_SERVICE: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_LABEL_VALUE: Final = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_LABEL_KEY: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_FREE_NAMES: Final = frozenset(
    {kinds.ROLES.key, kinds.ROLEBINDINGS.key, kinds.CLUSTERROLES.key, kinds.CLUSTERROLEBINDINGS.key}
)
_CHANGEABLE_OF_SETS: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_IMMUTABLE_SELECTOR: Final = frozenset(
    {kinds.DEPLOYMENTS.key, kinds.REPLICASETS.key, kinds.STATEFULSETS.key, kinds.DAEMONSETS.key}
)
_OWN_CHECKS: Final = frozenset(
    {
        kinds.PDBS.key, kinds.HPAS.key, kinds.LIMITRANGES.key, kinds.RESOURCEQUOTAS.key, kinds.INGRESSES.key,
        kinds.NETWORKPOLICIES.key, kinds.ROLES.key, kinds.CLUSTERROLES.key, kinds.ROLEBINDINGS.key,
        kinds.CLUSTERROLEBINDINGS.key, kinds.CRONJOBS.key, kinds.NODES.key,
    }
)  # fmt: skip
"""Kinds whose own checks say what is missing, in better words than the schema could."""


def check(kind: Kind, new: Obj, old: Obj | None, *, shape: Node | None = None) -> None:
    """Raises StatusError (422) with everything that is wrong."""
    if old is not None and same_but(old, new, "metadata", "status") and _same_meta(old, new):
        return
    causes = [*_metadata(kind, new["metadata"]), *validation_meta.check(kind, new["metadata"], old)]
    named = len(causes)
    node = shape or ownership.shape_of(kind)
    if kind.custom and node.raw is not None:
        validation_custom.check(new, node.raw, "", causes)
    elif kind.key not in _OWN_CHECKS:
        spec_only = {key: value for key, value in new.items() if key not in {"metadata", "status"}}
        _schema(spec_only, node, "", causes)
    if kind.key in _IMMUTABLE_SELECTOR:
        # The server has made an empty template of a missing one, and goes on where the selector is missing.
        causes = [cause for cause in causes if cause.field != "spec.template"]
        if [cause.field for cause in causes] == ["spec.selector"]:
            _template(new["spec"], None, causes)
    checker = _CHECKERS.get(kind.key)
    if checker is not None and len(causes) == named:
        checker(new, old, causes)
    if kind.key in _IMMUTABLE_SELECTOR and not causes:
        _workload(kind, new, old, causes)
    if causes:
        raise errors.invalid(kind.group, kind.kind, new["metadata"].get("name", ""), causes)


def _same_meta(old: Obj, new: Obj) -> bool:
    checked = ("labels", "finalizers", "ownerReferences")
    return all(old["metadata"].get(key) == new["metadata"].get(key) for key in checked)


def _metadata(kind: Kind, meta: Obj) -> list[Cause]:
    causes = []
    name = meta.get("name") or ""
    if kind.key in _FREE_NAMES:
        if "/" in name or "%" in name:
            causes.append(invalid("metadata.name", name, "may not contain '/' or '%'"))
    elif kind.key in {kinds.NAMESPACES.key}:
        causes += _name(name, LABEL, 63, "label", "'my-name',  or '123-abc'")
    elif kind.key == kinds.SERVICES.key:
        if not re.fullmatch(_SERVICE, name) or len(name) > 63:
            why = (
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
                "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
                "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
            )
            causes.append(invalid("metadata.name", name, why))
    else:
        causes += _name(name, SUBDOMAIN, 253, "subdomain", "'example.com'")
    for key, value in (meta.get("labels") or {}).items():
        causes += _label(key, value)
    return causes


def _name(name: str, pattern: str, longest: int, what: str, example: str) -> list[Cause]:
    if len(name) > longest:
        return [invalid("metadata.name", name, f"must be no more than {longest} characters")]
    if re.fullmatch(pattern, name):
        return []
    dot = ", '-' or '.'," if what == "subdomain" else " or '-',"
    why = (
        f"a lowercase RFC 1123 {what} must consist of lower case alphanumeric characters{dot} and must start and end "
        f"with an alphanumeric character (e.g. {example}, regex used for validation is '{pattern}')"
    )
    return [invalid("metadata.name", name, why)]


def _label(key: str, value: Any) -> list[Cause]:
    prefix, _, name = key.rpartition("/")
    if not re.fullmatch(_LABEL_KEY, name) or len(name) > 63 or (prefix and not re.fullmatch(SUBDOMAIN, prefix)):
        why = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            f"'{_LABEL_KEY}')"
        )
        return [invalid("metadata.labels", key, why)]
    if len(str(value)) > 63:
        return [invalid("metadata.labels", value, "must be no more than 63 characters")]
    if not re.fullmatch(_LABEL_VALUE, str(value)):
        why = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
            f"validation is '{_LABEL_VALUE}')"
        )
        return [invalid("metadata.labels", value, why)]
    return []


def _schema(value: Any, node: Node, path: str, causes: list[Cause]) -> None:
    if isinstance(value, dict) and node.type in {"object", "map"}:
        for key in sorted(node.required):
            if value.get(key) in (None, ""):
                causes.append(required(f"{path}.{key}" if path else key))
        for key, item in value.items():
            below = node.child(key)
            place = f"{path}[{key}]" if node.type == "map" else f"{path}.{key}" if path else key
            if key not in {"apiVersion", "kind", "metadata", "status"} or path:
                _schema(item, below, place, causes)
    elif isinstance(value, list) and node.type == "list":
        for index, item in enumerate(value):
            _schema(item, node.element, f"{path}[{index}]", causes)
    elif node.enum and value is not None and str(value) not in node.enum:
        as_given = node.raw is not None or path.endswith(("restartPolicy", "completionMode"))
        causes.append(unsupported(path, value, node.enum, as_given=as_given))
    elif node.raw and isinstance(value, (int, float)) and value < node.raw.get("minimum", value):
        least = node.raw["minimum"]
        causes.append(invalid(path, value, f"{path} in body should be greater than or equal to {least}"))


def _workload(kind: Kind, new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    spec, before = new["spec"], list(causes)
    replicas = spec.get("replicas", 1)
    if isinstance(replicas, int) and replicas < 0:
        causes.append(invalid("spec.replicas", replicas, "must be greater than or equal to 0"))
    wanted = label_selector(spec.get("selector"), "spec.selector", causes)
    if wanted is not None and not wanted.requirements:
        causes.append(invalid("spec.selector", spec.get("selector"), "empty selector is invalid for deployment"))
    else:
        _template(spec, wanted, causes)
    if old is not None and kind.key == kinds.STATEFULSETS.key:
        if not same_but(old["spec"], spec, *_CHANGEABLE_OF_SETS):
            listed = ", ".join(f"'{name}'" for name in _CHANGEABLE_OF_SETS[:-1])
            why = (
                f"updates to statefulset spec for fields other than {listed} and '{_CHANGEABLE_OF_SETS[-1]}' are "
                "forbidden"
            )
            causes.append(forbidden("spec", why))
    elif old is not None and old["spec"].get("selector") != spec.get("selector"):
        at = len(before) if kind.key == kinds.DAEMONSETS.key else len(causes)
        causes.insert(at, invalid("spec.selector", spec.get("selector"), "field is immutable"))


def _template(spec: Obj, wanted: Selector | None, causes: list[Cause]) -> None:
    """The pod template of a workload; `wanted` is its selector, None where that cannot be read."""
    given = spec.get("template") or {}
    labels = (given.get("metadata") or {}).get("labels")
    if wanted is None or not wanted.matches(labels or {}):
        causes.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    template = given.get("spec") or {}
    validation_pods.spec(template, "spec.template.spec", causes)
    if template and template.get("restartPolicy") != "Always":
        causes.append(unsupported("spec.template.spec.restartPolicy", template.get("restartPolicy"), ("Always",)))
    for key, value in (labels or {}).items():
        causes.extend(Cause(c.reason, c.message, "spec.template.labels") for c in _label(key, value))


def _deployment(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    strategy = new["spec"].get("strategy") or {}
    if strategy.get("type") not in {"Recreate", "RollingUpdate"}:
        given = {"Type": strategy.get("type"), "RollingUpdate": strategy.get("rollingUpdate")}
        causes.append(unsupported("spec.strategy", given, ("Recreate", "RollingUpdate")))
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        why = "may not be specified when strategy `type` is 'Recreate'"
        causes.append(Cause("FieldValueForbidden", f"Forbidden: {why}", "spec.strategy.rollingUpdate"))


def _statefulset(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    strategy = new["spec"].get("updateStrategy") or {}
    if strategy.get("type") not in {"RollingUpdate", "OnDelete"}:
        rolling = strategy.get("rollingUpdate") or {}
        given = {
            "Type": strategy.get("type"),
            "RollingUpdate": {
                "Partition": rolling.get("partition", 0),
                "MaxUnavailable": rolling.get("maxUnavailable"),
            },
        }
        causes.append(invalid("spec.updateStrategy", given, "must be 'RollingUpdate' or 'OnDelete'"))


def _daemonset(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    strategy = new["spec"].get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    place = "spec.updateStrategy"
    if strategy.get("type") not in {"RollingUpdate", "OnDelete"}:
        causes.append(unsupported(f"{place}.type", strategy.get("type"), ("OnDelete", "RollingUpdate")))
    elif (
        strategy["type"] == "RollingUpdate"
        and not _some(rolling.get("maxUnavailable"))
        and not _some(rolling.get("maxSurge"))
    ):
        causes.append(required(f"{place}.rollingUpdate.maxUnavailable", "cannot be 0 when maxSurge is 0"))


def _some(amount: Any) -> bool:
    return amount not in (None, 0, "0%")


def _pod(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    validation_pods.spec(new.get("spec") or {}, "spec", causes)
    if old is not None:
        validation_pods.update(new["spec"], old["spec"], causes)


def _service(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    spec = new["spec"]
    if not spec.get("ports") and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        causes.append(required("spec.ports"))
    validation_core.service_ports(spec, causes)
    validation_core.service_kind(spec, causes)
    if old is not None:
        before, now = old["spec"].get("clusterIP"), spec.get("clusterIP")
        if before and before not in {"None", now} and spec.get("type") != "ExternalName":
            causes.append(invalid("spec.clusterIPs[0]", [now], "may not change once set"))


def _claim(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    spec = new["spec"]
    if not spec.get("accessModes"):
        causes.append(required("spec.accessModes", "at least 1 access mode is required"))
    for mode in spec.get("accessModes") or ():
        if mode not in _ACCESS_MODES:
            causes.append(unsupported("spec.accessModes", mode, _ACCESS_MODES))
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        causes.append(required("spec.resources[storage]"))
    elif quantities.parse(size) <= 0:
        causes.append(invalid("spec.resources[storage]", size, "must be greater than zero"))
    if old is not None and old["spec"].get("volumeName") and not same_but(old["spec"], spec, "resources"):
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        causes.append(Cause("FieldValueForbidden", f"Forbidden: {why}", "spec"))


_CHECKERS: Final = {
    kinds.PODS.key: _pod,
    kinds.DEPLOYMENTS.key: _deployment,
    kinds.STATEFULSETS.key: _statefulset,
    kinds.DAEMONSETS.key: _daemonset,
    kinds.JOBS.key: validation_batch.job,
    kinds.CRONJOBS.key: validation_batch.cron,
    kinds.PDBS.key: validation_policy.budget,
    kinds.LIMITRANGES.key: validation_policy.limit_range,
    kinds.RESOURCEQUOTAS.key: validation_policy.quota,
    kinds.PRIORITYCLASSES.key: validation_policy.priority,
    kinds.INGRESSES.key: validation_network.ingress,
    kinds.NETWORKPOLICIES.key: validation_network.policy,
    kinds.ROLES.key: validation_roles.role,
    kinds.CLUSTERROLES.key: validation_roles.cluster_role,
    kinds.ROLEBINDINGS.key: validation_roles.binding,
    kinds.CLUSTERROLEBINDINGS.key: validation_roles.cluster_binding,
    kinds.HPAS.key: validation_scaling.autoscaler,
    kinds.SERVICES.key: _service,
    kinds.PVCS.key: _claim,
    kinds.CONFIGMAPS.key: validation_core.config,
    kinds.SECRETS.key: validation_core.secret,
    kinds.ENDPOINTS.key: validation_core.endpoints,
    kinds.NODES.key: validation_core.node,
    kinds.PVS.key: validation_core.volume,
    kinds.LEASES.key: validation_core.lease,
    kinds.STORAGECLASSES.key: validation_core.storage_class,
    kinds.EVENTS.key: validation_core.event,
    kinds.NEW_EVENTS.key: validation_core.event,
}
