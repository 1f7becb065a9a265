"""Checks of work that ends: Job and CronJob, and which of their fields stay as they are."""

from __future__ import annotations

from typing import Final

from sealane.kube import selectors
from sealane.sandbox.api import schedules, validation_pods
from sealane.sandbox.api.causes import at_least, invalid, required, unsupported
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj

_LONGEST_NAME: Final = 52
_COUNTS: Final = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_MODES: Final = ("NonIndexed", "Indexed")
_POLICIES: Final = ("Allow", "Forbid", "Replace")
_OWN_LABEL: Final = "batch.kubernetes.io/controller-uid"


def job(new: Obj, old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a Job."""
    spec = new["spec"]
    _counts(spec, "spec", causes)
    if not spec.get("manualSelector"):
        generated = {"matchLabels": {_OWN_LABEL: new["metadata"].get("uid", "")}}
        if spec.get("selector") and spec["selector"] != generated:
            causes.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if spec.get("selector") and not selectors.of_object(spec["selector"]).matches(labels or {}):
        why = "`selector` does not match template `labels`"
        causes.append(invalid("spec.template.metadata.labels", labels, why))
    _template(spec, "spec", causes)
    if old is not None:
        _fixed(spec, old["spec"], causes)


def cron(new: Obj, _old: Obj | None, causes: list[Cause]) -> None:
    """Add what is wrong with a CronJob."""
    spec, name = new["spec"], new["metadata"].get("name", "")
    if len(name) > _LONGEST_NAME:
        causes.append(invalid("metadata.name", name, f"must be no more than {_LONGEST_NAME} characters"))
    _schedule(str(spec.get("schedule") or ""), causes)
    zone = spec.get("timeZone")
    if zone is not None:
        _zone(str(zone), causes)
    at_least("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"), 0, causes)
    if spec.get("concurrencyPolicy") not in _POLICIES:
        causes.append(unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _POLICIES))
    inside = (spec.get("jobTemplate") or {}).get("spec") or {}
    _counts(inside, "spec.jobTemplate.spec", causes)
    _template(inside, "spec.jobTemplate.spec", causes)
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        at_least(f"spec.{field}", spec.get(field), 0, causes)


def _schedule(text: str, causes: list[Cause]) -> None:
    if not text:
        causes.append(required("spec.schedule"))
        return
    if "TZ" in text:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        causes.append(invalid("spec.schedule", text, why))
        return
    try:
        schedules.read(text)
    except schedules.BadSchedule as problem:
        causes.append(invalid("spec.schedule", text, str(problem)))


def _zone(name: str, causes: list[Cause]) -> None:
    if not name:
        causes.append(invalid("spec.timeZone", name, "timeZone must be nil or non-empty string"))
    elif name.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        causes.append(invalid("spec.timeZone", name, why))
    elif schedules.zone(name) is None:
        causes.append(invalid("spec.timeZone", name, f"unknown time zone {name}"))


def _counts(spec: Obj, place: str, causes: list[Cause]) -> None:
    for field in _COUNTS:
        at_least(f"{place}.{field}", spec.get(field), 0, causes)
    mode = spec.get("completionMode")
    if mode is not None and mode not in _MODES:
        causes.append(unsupported(f"{place}.completionMode", mode, _MODES, as_given=True))
    elif mode == "Indexed" and spec.get("completions") is None:
        causes.append(required(f"{place}.completions", "when completion mode is Indexed"))


def _template(spec: Obj, place: str, causes: list[Cause]) -> None:
    inside = (spec.get("template") or {}).get("spec") or {}
    validation_pods.spec(inside, f"{place}.template.spec", causes)
    if inside.get("restartPolicy") == "Always" and inside.get("containers"):
        causes.append(required(f"{place}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))


def _fixed(spec: Obj, old: Obj, causes: list[Cause]) -> None:
    grows = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for field in ("completions", "selector", "template", "completionMode"):
        if spec.get(field) != old.get(field) and not (field == "completions" and grows):
            causes.append(invalid(f"spec.{field}", spec.get(field), "field is immutable"))
