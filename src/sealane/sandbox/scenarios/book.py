"""The shipped scenarios: YAML files, read once and checked strictly, so that a wrong one fails a test and no user.

Texts may name what a scenario is about as `{cluster}`, `{namespace}`, `{name}`, `{model}`, `{node}`, `{queue}`; the
names are found when it starts (`targets`), so that one file serves every cluster and every hosted model.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import yaml

from sealane.sandbox.scenarios.faults import AnyFault

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
MOST_WORDS = 25
FIELDS = ("cluster", "namespace", "name", "model", "node", "queue")
_FIELD = re.compile(r"\{([a-zA-Z_]+)\}")


class BadScenario(ValueError):
    """A scenario's file that cannot be used; says which and why."""


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the effect is seen: a sentence, and a page of the console."""

    say: Text
    at: Annotated[str, msgspec.Meta(pattern=r"^/")]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said, and perhaps broken, so many (simulated) seconds after the start."""

    after: Seconds = 0.0
    say: Text
    do: AnyFault | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scenario. `seconds` is how long it lasts unless told otherwise; `needs` is what must be there to break."""

    name: Name
    title: Text
    teaches: Text
    cluster: Text
    needs: Literal["nothing", "model", "queue"] = "nothing"
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)]
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]
    heals: Text
    look: Annotated[tuple[Look, ...], msgspec.Meta(min_length=1)]

    def about(self, names: Mapping[str, str]) -> Scenario:
        """The same scenario with the names put in."""
        filled = _filled(msgspec.to_builtins(self), names)
        return msgspec.convert(filled, Scenario)


@functools.cache
def shipped() -> dict[str, Scenario]:
    """All shipped scenarios by name, in the order of their files. Raises BadScenario."""
    folder = importlib.resources.files("sealane.sandbox.scenarios").joinpath("data")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    found: dict[str, Scenario] = {}
    for file in files:
        scenario = read(file.read_text("utf-8"), where=file.name)
        if scenario.name in found:
            raise BadScenario(f"{file.name}: there is a scenario {scenario.name} already")
        found[scenario.name] = scenario
    return found


def read(text: str, *, where: str) -> Scenario:
    """The scenario that a YAML text holds. Raises BadScenario with `where` and the reason."""
    try:
        scenario = msgspec.convert(yaml.safe_load(text), Scenario)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadScenario(f"{where}: {error}") from error
    words = len(scenario.teaches.split())
    if words > MOST_WORDS:
        raise BadScenario(f"{where}: what it teaches takes {words} words; {MOST_WORDS} is the most")
    delays = [step.after for step in scenario.steps]
    if delays != sorted(delays):
        raise BadScenario(f"{where}: the steps are not in the order of their time")
    if not any(step.do for step in scenario.steps):
        raise BadScenario(f"{where}: no step breaks anything")
    if delays[-1] >= scenario.seconds:
        raise BadScenario(f"{where}: a step comes after its {scenario.seconds:g} s are over")
    unknown = sorted(set(_FIELD.findall(text)) - set(FIELDS))
    if unknown:
        raise BadScenario(f"{where}: {{{unknown[0]}}} is none of {', '.join(FIELDS)}")
    return scenario


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _FIELD.sub(lambda found: names.get(found.group(1), found.group(0)), value)
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, names) for item in value]
    return value
