"""The arithmetic of autoscaling: from figures to a number of pods, and how fast that number may change. Pure.

Pods that are not ready or have no figure count as the careful choice would have it: as idle when the wish is to grow,
as busy when it is to shrink. A wish within a tenth of the target changes nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from sealane.kube import quantities
from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj

_TOLERANCE: Final = 0.1
_LONGEST: Final = 3600.0
_CALM_DOWN: Final = 300
_UP: Final[tuple[Obj, ...]] = (
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
)
_DOWN: Final[tuple[Obj, ...]] = ({"type": "Percent", "value": 100, "periodSeconds": 15},)
Measure = Callable[[Obj], Mapping[str, Any] | None]


class NoFigure(Exception):
    """A metric that gives no number; `reason` is the event's, `resource` what was measured."""

    def __init__(self, text: str, *, resource: str, reason: str = "FailedGetResourceMetric") -> None:
        super().__init__(text)
        self.resource = resource
        self.reason = reason


class Measured(msgspec.Struct, frozen=True):
    """What follows from one metric: the number of pods, its name in sentences, and its status."""

    replicas: int
    title: str
    status: Obj


class Decision(msgspec.Struct, frozen=True):
    """The number of pods, and why it is that: `(reason, message)` and `(status, reason, message)` of two conditions."""

    replicas: int
    able: tuple[str, str]
    limited: tuple[str, str, str]


@dataclasses.dataclass
class History:
    """Mutable: what was wished for and what was done, as `(simulated seconds, pods)`."""

    wishes: list[tuple[float, int]] = dataclasses.field(default_factory=list)
    steps: list[tuple[float, int]] = dataclasses.field(default_factory=list)

    def wished(self, now: float, replicas: int) -> None:
        """Remember a wish, for an hour."""
        self.wishes = [(at, number) for at, number in self.wishes if now - at <= _LONGEST] + [(now, replicas)]

    def changed(self, now: float, by: int) -> None:
        """Remember a change, for an hour."""
        self.steps = [(at, number) for at, number in self.steps if now - at <= _LONGEST] + [(now, by)]

    def since(self, moment: float, *, up: bool) -> int:
        """By how much the number went up, or down, after a moment."""
        return sum(abs(number) for at, number in self.steps if at > moment and (number > 0) is up)


def measured(metric: Obj, pods: list[Obj], current: int, measure: Measure) -> Measured:
    """What one metric asks for. Raises NoFigure."""
    kind = metric["type"]
    if kind not in {"Resource", "ContainerResource"}:
        text = f"unable to get {kind.lower()} metric: no custom metrics API is served here"
        raise NoFigure(text, resource=kind, reason=f"FailedGet{kind}Metric")
    field = "resource" if kind == "Resource" else "containerResource"
    source = metric[field]
    name, only, target = source["name"], source.get("container", ""), source["target"]
    alive = [pod for pod in pods if objects.active(pod)]
    uses = {pod["metadata"]["name"]: _use(measure(pod), name, only) for pod in alive}
    known = {pod_name: use for pod_name, use in uses.items() if use is not None}
    if not alive or not known:
        text = f"unable to get metrics for resource {name}: no metrics returned from resource metrics API"
        text = text if alive else "no pods returned by selector while calculating replica count"
        raise NoFigure(f"failed to get {name} utilization: {text}", resource=name)
    percent = target.get("averageUtilization")
    whole = _asked(alive, name, only) if percent is not None else {}
    ready = [pod["metadata"]["name"] for pod in alive if objects.ready(pod) and pod["metadata"]["name"] in known]
    if not ready:
        text = f"failed to get {name} utilization: did not receive metrics for targeted pods (pods might be unready)"
        raise NoFigure(text, resource=name)
    used = sum(known[item] for item in ready)
    aim = percent / 100 * sum(whole[item] for item in ready) / len(ready) if percent is not None else _aim(target)
    other = [pod["metadata"]["name"] for pod in alive if pod["metadata"]["name"] not in ready]
    replicas = _replicas(used, aim, current, ready=len(ready), others=len(other))
    value: Obj = {"averageValue": _spelled(name, used / len(ready))}
    title = f"{name} resource"
    if percent is not None:
        value = {"averageUtilization": int(used * 100 / max(1e-9, sum(whole[item] for item in ready)))} | value
        title = f"{name} resource utilization (percentage of request)"
    status = {"name": name, "current": value} | ({"container": only} if only else {})
    return Measured(replicas, title, {"type": kind, field: status})


def _replicas(used: float, aim: float, current: int, *, ready: int, others: int) -> int:
    ratio = used / (aim * ready) if aim else 1.0
    if abs(1 - ratio) <= _TOLERANCE:
        return current
    if not others:
        return math.ceil(ratio * ready - 1e-9)
    together = used + (0.0 if ratio > 1 else aim * others)
    careful = together / (aim * (ready + others)) if aim else 1.0
    if abs(1 - careful) <= _TOLERANCE or (ratio > 1) is not (careful > 1):
        return current
    wanted = math.ceil(careful * (ready + others) - 1e-9)
    return current if (ratio > 1) is not (wanted > current) else wanted


def _use(found: Mapping[str, Any] | None, name: str, only: str) -> float | None:
    if found is None or (only and only not in found):
        return None
    field = "cpu" if name == "cpu" else "memory"
    return float(sum(getattr(use, field) for container, use in found.items() if not only or container == only))


def _asked(pods: list[Obj], name: str, only: str) -> dict[str, float]:
    """What each pod asks for. Raises NoFigure for a container that says nothing."""
    asked = {}
    for pod in pods:
        total = 0.0
        for container in pod["spec"].get("containers") or ():
            if only and container["name"] != only:
                continue
            amount = ((container.get("resources") or {}).get("requests") or {}).get(name)
            if amount is None:
                where = f"container {container['name']} of Pod {pod['metadata']['name']}"
                text = f"failed to get {name} utilization: missing request for {name} in {where}"
                raise NoFigure(text, resource=name)
            total += float(objects.number(amount))
        asked[pod["metadata"]["name"]] = total
    return asked


def _aim(target: Obj) -> float:
    return float(objects.number(target.get("averageValue", 0)))


def _spelled(name: str, amount: float) -> str:
    if name == "cpu":
        return f"{math.ceil(amount * 1000)}m"
    return quantities.spell(objects.number(math.ceil(amount)), style=quantities.Style.DECIMAL)


def decide(spec: Obj, history: History, *, current: int, wanted: int, now: float) -> Decision:
    """Stabilise the wish, limit how fast it is followed, keep it within the bounds. Writes the wish down."""
    history.wished(now, wanted)
    behavior = spec.get("behavior") or {}
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    calm = _calmed(history, up, down, current=current, wanted=wanted, now=now)
    able = ("ReadyForNewScale", "recommended size matches current size")
    if calm < wanted:
        able = (
            "ScaleUpStabilized",
            "recent recommendations were lower than current one, applying the lowest recent recommendation",
        )
    elif calm > wanted:
        able = (
            "ScaleDownStabilized",
            "recent recommendations were higher than current one, applying the highest recent recommendation",
        )
    least, most = int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])
    limited = ("False", "DesiredWithinRange", "the desired count is within the acceptable range")
    if calm > current:
        limit = _limit(history, up, _UP, current=current, now=now, is_up=True)
        if calm > min(limit, most):
            limited = (
                ("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
                if most <= limit
                else (
                    "True",
                    "ScaleUpLimit",
                    "the desired replica count is increasing faster than the maximum scale rate",
                )
            )
        calm = min(calm, limit, most)
    elif calm < current:
        limit = _limit(history, down, _DOWN, current=current, now=now, is_up=False)
        if calm < max(limit, least):
            limited = (
                ("True", "TooFewReplicas", "the desired replica count is less than the minimum replica count")
                if least >= limit
                else (
                    "True",
                    "ScaleDownLimit",
                    "the desired replica count is decreasing faster than the maximum scale rate",
                )
            )
        calm = max(calm, limit, least)
    elif wanted < least:
        limited = ("True", "TooFewReplicas", "the desired replica count is less than the minimum replica count")
    elif wanted > most:
        limited = ("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
    return Decision(calm, able, limited)


def _calmed(history: History, up: Obj, down: Obj, *, current: int, wanted: int, now: float) -> int:
    """Between the lowest wish of the upward window and the highest of the downward one, as near to now as may be."""
    up_window, down_window = up.get("stabilizationWindowSeconds", 0), down.get("stabilizationWindowSeconds", _CALM_DOWN)
    lowest = min((number for at, number in history.wishes if now - at <= (up_window or 0)), default=wanted)
    highest = max((number for at, number in history.wishes if now - at <= down_window), default=wanted)
    if current < lowest:
        return lowest
    return highest if current > highest else current


def _limit(history: History, rules: Obj, fallback: tuple[Obj, ...], *, current: int, now: float, is_up: bool) -> int:
    """The number of pods that the policies allow by now."""
    select = rules.get("selectPolicy", "Max")
    if select == "Disabled":
        return current
    found = []
    for policy in rules.get("policies") or fallback:
        done = history.since(now - float(policy["periodSeconds"]), up=is_up)
        begun = current - done if is_up else current + done
        part = policy["value"]
        if policy["type"] == "Pods":
            found.append(begun + part if is_up else begun - part)
        elif is_up:
            found.append(math.ceil(begun * (1 + part / 100)))
        else:
            found.append(int(begun * (1 - part / 100)))
    furthest = max(found) if is_up is (select != "Min") else min(found)
    return max(0, int(furthest))
