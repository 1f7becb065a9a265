"""LimitRanges at the door: what a namespace gives to containers that ask for nothing, and the bounds it sets.

Defaults come first, for all LimitRanges of the namespace, and are noted in an annotation; then each bound is checked
and all that is wrong is said at once, in the plugin's own words. Amounts are compared exactly, and shown as written.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from sealane.kube import quantities
from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj

NOTE: Final = "kubernetes.io/limit-ranger"


def fill(pod: Obj, ranges: list[Obj]) -> None:
    """Give the containers of a pod the defaults of all ranges, in place."""
    notes: list[str] = []
    for item in _items(ranges, "Container"):
        asked, allowed = item.get("defaultRequest") or {}, item.get("default") or {}
        for part, word in (("containers", "container"), ("initContainers", "init container")):
            for container in pod["spec"].get(part) or ():
                resources = container.setdefault("resources", {})
                for side, given, name in (("requests", asked, "request"), ("limits", allowed, "limit")):
                    added = sorted(key for key in given if key not in (resources.get(side) or {}))
                    if added:
                        resources[side] = (resources.get(side) or {}) | {key: given[key] for key in added}
                        notes.append(f"{', '.join(added)} {name} for {word} {container['name']}")
    if notes:
        annotations = pod["metadata"].get("annotations") or {}
        pod["metadata"]["annotations"] = annotations | {NOTE: f"LimitRanger plugin set: {'; '.join(notes)}"}


def problems_of_pod(pod: Obj, ranges: list[Obj]) -> list[str]:
    """What in a pod is outside of the bounds."""
    found: list[str] = []
    containers = [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]
    for item in _items(ranges, "Container"):
        for container in containers:
            resources = container.get("resources") or {}
            asked, allowed = resources.get("requests") or {}, resources.get("limits") or {}
            found += _outside(item, "Container", _numbers(asked), _numbers(allowed))
    for item in _items(ranges, "Pod"):
        found += _outside(item, "Pod", _summed(pod, "requests"), _summed(pod, "limits"))
    return found


def problems_of_claim(claim: Obj, ranges: list[Obj]) -> list[str]:
    """What in a claim for storage is outside of the bounds."""
    asked = _numbers(((claim.get("spec") or {}).get("resources") or {}).get("requests") or {})
    found: list[str] = []
    for item in _items(ranges, "PersistentVolumeClaim"):
        kind = "PersistentVolumeClaim"
        found += _too_little(item, kind, asked, {})
        for name, most in sorted((item.get("max") or {}).items()):
            head = f"maximum {name} usage per {kind} is {most}"
            if name not in asked:
                found.append(f"{head}.  No request is specified")
            elif asked[name] > objects.number(most):
                found.append(f"{head}, but request is {_shown(name, asked[name])}")
    return found


def _items(ranges: list[Obj], kind: str) -> Iterator[Obj]:
    for each in ranges:
        for item in (each.get("spec") or {}).get("limits") or ():
            if item.get("type") == kind:
                yield item


def _outside(item: Obj, kind: str, asked: dict[str, Fraction], allowed: dict[str, Fraction]) -> list[str]:
    found = _too_little(item, kind, asked, allowed)
    for name, most in sorted((item.get("max") or {}).items()):
        head = f"maximum {name} usage per {kind} is {most}"
        if name not in allowed:
            found.append(f"{head}.  No limit is specified")
        elif allowed[name] > objects.number(most):
            found.append(f"{head}, but limit is {_shown(name, allowed[name])}")
        elif name in asked and asked[name] > objects.number(most):
            found.append(f"{head}, but request is {_shown(name, asked[name])}")
    for name, most in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        head = f"{name} max limit to request ratio per {kind} is {most}, but"
        if not asked.get(name):
            found.append(f"{head} no request is specified or request is 0")
        elif not allowed.get(name):
            found.append(f"{head} no limit is specified or limit is 0")
        elif allowed[name] / asked[name] > objects.number(most):
            found.append(f"{head} provided ratio is {float(allowed[name] / asked[name]):f}")
    return found


def _too_little(item: Obj, kind: str, asked: dict[str, Fraction], allowed: dict[str, Fraction]) -> list[str]:
    found = []
    for name, least in sorted((item.get("min") or {}).items()):
        head = f"minimum {name} usage per {kind} is {least}"
        if name not in asked:
            found.append(f"{head}.  No request is specified")
        elif asked[name] < objects.number(least):
            found.append(f"{head}, but request is {_shown(name, asked[name])}")
        elif name in allowed and allowed[name] < objects.number(least):
            found.append(f"{head}, but limit is {_shown(name, allowed[name])}")
    return found


def _numbers(amounts: Obj) -> dict[str, Fraction]:
    return {name: objects.number(amount) for name, amount in amounts.items()}


def _summed(pod: Obj, side: str) -> dict[str, Fraction]:
    """Of all containers; an init container counts where it asks for more than the others together."""
    parts = [_numbers((each.get("resources") or {}).get(side) or {}) for each in pod["spec"].get("containers") or ()]
    whole = objects.total(parts)
    for container in pod["spec"].get("initContainers") or ():
        for name, amount in _numbers((container.get("resources") or {}).get(side) or {}).items():
            whole[name] = max(whole.get(name, Fraction(0)), amount)
    return whole


def _shown(name: str, amount: Fraction) -> str:
    style = quantities.Style.BINARY if name in {"memory", "storage"} else quantities.Style.DECIMAL
    return quantities.spell(amount, style=style)
