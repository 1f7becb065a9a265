"""One object in two versions: Events are stored as `v1` and shown as `events.k8s.io/v1`, autoscalers are stored as
`autoscaling/v2` and shown as `v1`, to who asks for that.

What the older version of an autoscaler cannot say travels in annotations, as the real server has it: metrics other than
the processor, the behaviour and the conditions.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sealane.sandbox.api.kinds import NEW_EVENTS, OLD_HPAS, Kind
from sealane.sandbox.api.values import Obj

_RENAMED = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("source", "deprecatedSource"),
)


def shown(kind: Kind, obj: Obj) -> Obj:
    """The stored object in the version of `kind`."""
    if kind is OLD_HPAS:
        return _old_autoscaler(obj)
    if kind is not NEW_EVENTS:
        return obj
    names = dict(_RENAMED)
    return {names.get(key, key): value for key, value in obj.items()} | {"apiVersion": kind.api_version}


def stored(kind: Kind, obj: Obj) -> Obj:
    """What a client sent, in the version that is stored."""
    if kind is OLD_HPAS:
        return _new_autoscaler(obj)
    if kind is not NEW_EVENTS:
        return obj
    names = {new: old for old, new in _RENAMED}
    return {"source": {}} | {names.get(key, key): value for key, value in obj.items()} | {"apiVersion": "v1"}


_NOTES: Final = "autoscaling.alpha.kubernetes.io/"


def _is_processor(metric: Obj) -> bool:
    source = metric.get("resource") or {}
    target = source.get("target") or {}
    return metric.get("type") == "Resource" and source.get("name") == "cpu" and "averageUtilization" in target


def _old_autoscaler(obj: Obj) -> Obj:
    """An `autoscaling/v2` autoscaler as v1."""
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    notes = dict(obj["metadata"].get("annotations") or {})
    metrics: list[Obj] = spec.pop("metrics", None) or []
    processor = next((item for item in metrics if _is_processor(item)), None)
    if processor is not None:
        spec["targetCPUUtilizationPercentage"] = processor["resource"]["target"]["averageUtilization"]
    _note(notes, "metrics", [item for item in metrics if item is not processor])
    _note(notes, "behavior", spec.pop("behavior", None))
    _note(notes, "conditions", status.pop("conditions", None))
    measured = status.pop("currentMetrics", None) or []
    for item in measured:
        percent = ((item.get("resource") or {}).get("current") or {}).get("averageUtilization")
        if percent is not None and item["resource"].get("name") == "cpu":
            status["currentCPUUtilizationPercentage"] = percent
    _note(notes, "current-metrics", measured)
    status = {"currentReplicas": 0, "desiredReplicas": 0} | status
    meta = {**obj["metadata"], **({"annotations": notes} if notes else {})}
    return obj | {"apiVersion": OLD_HPAS.api_version, "metadata": meta, "spec": spec, "status": status}


def _new_autoscaler(obj: Obj) -> Obj:
    """An `autoscaling/v1` autoscaler as v2."""
    spec = dict(obj.get("spec") or {})
    meta = dict(obj.get("metadata") or {})
    notes = dict(meta.get("annotations") or {})
    metrics: list[Obj] = _noted(notes, "metrics") or []
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    behavior = _noted(notes, "behavior")
    if behavior is not None:
        spec["behavior"] = behavior
    for name in ("conditions", "current-metrics"):
        _noted(notes, name)
    if "annotations" in meta:
        meta["annotations"] = notes
        if not notes:
            del meta["annotations"]
    kept = {key: value for key, value in obj.items() if key != "status"}
    return kept | {"apiVersion": "autoscaling/v2", "metadata": meta, "spec": spec}


def _note(notes: dict[str, str], name: str, value: Any) -> None:
    if value:
        notes[_NOTES + name] = json.dumps(value, separators=(",", ":"))


def _noted(notes: dict[str, str], name: str) -> Any:
    text = notes.pop(_NOTES + name, None)
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
