"""The checks of a pod's spec, alone or inside a workload's template."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from sealane.kube import quantities
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.values import Obj, same_but

_CHANGEABLE: Final = (
    "tolerations",
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "schedulingGates",
)
_LABEL: Final = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_VARIABLE: Final = re.compile("[ -<>-~]+")
_HANDLERS: Final = frozenset({"httpGet", "tcpSocket", "exec", "grpc"})
_OVERCOMMIT: Final = frozenset({"cpu", "memory", "ephemeral-storage"})


def spec(spec: Obj, path: str, causes: list[Cause]) -> None:
    """Add what is wrong with a pod's spec."""
    if not spec.get("containers"):
        causes.append(Cause("FieldValueRequired", "Required value", f"{path}.containers"))
        return
    volumes = {item.get("name") for item in spec.get("volumes") or ()}
    seen: set[str] = set()
    for key in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(key) or ()):
            _container(container, f"{path}.{key}[{index}]", volumes, causes)
            image = container.get("image") or ""
            if path == "spec" and image != image.strip():
                why = "must not have leading or trailing whitespace"
                causes.append(_invalid(f"{path}.{key}[{index}].image", image, why))
            if container["name"] in seen:
                causes.append(_duplicate(f"{path}.{key}[{index}].name", container["name"]))
            seen.add(container["name"])
    _added(spec, seen, f"{path}.ephemeralContainers", causes)
    _volumes(spec.get("volumes") or [], f"{path}.volumes", causes)


def _added(spec: Obj, names: set[str], path: str, causes: list[Cause]) -> None:
    """Containers that somebody adds to look inside: a name of their own, no ports, and a target that is there."""
    targets = {item["name"] for item in spec["containers"]}
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        target = container.get("targetContainerName") or ""
        if target and target not in targets:
            text = f'Not found: "{target}"'
            causes.append(Cause("FieldValueNotFound", text, f"{path}[{index}].targetContainerName"))
        if container["name"] in names:
            causes.append(_duplicate(f"{path}[{index}].name", container["name"]))
        names.add(container["name"])
        if container.get("ports"):
            why = "Forbidden: cannot be set for an Ephemeral Container"
            causes.append(Cause("FieldValueForbidden", why, f"{path}[{index}].ports"))


def update(new: Obj, old: Obj, causes: list[Cause]) -> None:
    """Add what may not change in a pod that exists."""
    bound = () if old.get("nodeName") else ("nodeName",)  # binding sets it, once
    if same_but(_without_images(old), _without_images(new), *_CHANGEABLE, *bound):
        return
    why = (
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    causes.append(Cause("FieldValueForbidden", f"Forbidden: {why}", "spec"))


def _without_images(spec: Obj) -> Obj:
    return spec | {
        key: [{name: value for name, value in item.items() if name != "image"} for item in spec.get(key) or ()]
        for key in ("containers", "initContainers")
    }


def _container(container: Obj, path: str, volumes: set[Any], causes: list[Cause]) -> None:
    name = container.get("name") or ""
    if not _LABEL.fullmatch(name) or len(name) > 63:
        why = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
        causes.append(_invalid(f"{path}.name", name, why))
    image = container.get("image") or ""
    if not image:
        causes.append(Cause("FieldValueRequired", "Required value", f"{path}.image"))
    for index, port in enumerate(container.get("ports") or ()):
        if not port.get("containerPort"):
            causes.append(Cause("FieldValueRequired", "Required value", f"{path}.ports[{index}].containerPort"))
        elif not 1 <= int(port["containerPort"]) <= 65535:
            why = "must be between 1 and 65535, inclusive"
            causes.append(_invalid(f"{path}.ports[{index}].containerPort", port.get("containerPort"), why))
    _variables(container.get("env") or [], f"{path}.env", causes)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container and not _HANDLERS & set(container[probe] or {}):
            why = "Required value: must specify a handler type"
            causes.append(Cause("FieldValueRequired", why, f"{path}.{probe}"))
    mounted: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        place = f"{path}.volumeMounts[{index}]"
        if mount.get("name") not in volumes:
            causes.append(Cause("FieldValueNotFound", f"Not found: {json.dumps(mount.get('name'))}", f"{place}.name"))
        if mount.get("mountPath") in mounted:
            causes.append(_invalid(f"{place}.mountPath", mount.get("mountPath"), "must be unique"))
        mounted.add(mount.get("mountPath", ""))
    _resources(container.get("resources") or {}, f"{path}.resources", causes)


def _variables(variables: list[Obj], path: str, causes: list[Cause]) -> None:
    for index, item in enumerate(variables):
        name = item.get("name") or ""
        if not name:
            causes.append(Cause("FieldValueRequired", "Required value", f"{path}[{index}].name"))
        elif not _VARIABLE.fullmatch(name):
            why = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            causes.append(_invalid(f"{path}[{index}].name", name, why))


def _resources(resources: Obj, path: str, causes: list[Cause]) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for side, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            place = f"{path}.{side}.{name}" if name in _OVERCOMMIT else f"{path}.{side}[{name}]"
            value = quantities.parse(amount)
            if value < 0:
                causes.append(_invalid(f"{path}.{side}[{name}]", amount, "must be greater than or equal to 0"))
            elif name not in _OVERCOMMIT and value.denominator != 1:
                causes.append(_invalid(place, amount, "must be an integer"))
            elif "/" not in name and name not in _OVERCOMMIT and not name.startswith("hugepages-"):
                for why in (
                    "must be a standard resource type or fully qualified",
                    "must be a standard resource for containers",
                ):
                    causes.append(_invalid(f"{path}.{side}[{name}]", name, why))
    for name, amount in requests.items():
        if name not in limits:
            if name not in _OVERCOMMIT:
                why = "Limit must be set for non overcommitable resources"
                causes.append(Cause("FieldValueRequired", f"Required value: {why}", f"{path}.limits"))
        elif name in _OVERCOMMIT and quantities.parse(amount) > quantities.parse(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(_invalid(f"{path}.requests", str(amount), why))
        elif name not in _OVERCOMMIT and quantities.parse(amount) != quantities.parse(limits[name]):
            why = f"must be equal to {name} limit of {limits[name]}"
            causes.append(_invalid(f"{path}.requests", str(amount), why))


def _volumes(volumes: list[Obj], path: str, causes: list[Cause]) -> None:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        name = volume.get("name", "")
        if name in seen:
            causes.append(_duplicate(f"{path}[{index}].name", name))
        seen.add(name)
        sources = [key for key in volume if key != "name"]
        if len(sources) > 1:
            why = "may not specify more than 1 volume type"
            causes.append(Cause("FieldValueForbidden", f"Forbidden: {why}", f"{path}[{index}].{sorted(sources)[1]}"))


def _invalid(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {json.dumps(value, separators=(',', ':'))}: {why}", field)


def _duplicate(field: str, value: str) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {json.dumps(value)}", field)
