"""What a container is started with: its command line and its environment, as the manifest means them.

Pure but for one thing: values that live in ConfigMaps and Secrets are asked for through `lookup`. The order is
Kubernetes': the image's own variables, envFrom, then env, and `$(NAME)` is replaced by what stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from rig.api import JsonObject

# (kind of "configmaps" or "secrets", name) → its data as text, None when there is no such object
Lookup = Callable[[str, str], Mapping[str, str] | None]
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_ENTRYPOINTS = ("/bin/ollama", "/usr/bin/ollama")


class ConfigMissing(LookupError):
    """A ConfigMap, Secret or key that the container must have is not there."""


def command_line(
    container: JsonObject, env: Mapping[str, str], *, entrypoint: tuple[str, ...] = ("ollama", "serve")
) -> list[str]:
    """The container's argv. Ollama's image has the entry point `ollama` and the argument `serve`."""
    command = [expand(part, env) for part in container.get("command") or []]
    arguments = [expand(part, env) for part in container.get("args") or []]
    if not command:
        command, arguments = list(entrypoint[:1]), arguments or list(entrypoint[1:])
    if command[0] in _ENTRYPOINTS:
        command[0] = "ollama"
    return command + arguments


def environment(
    container: JsonObject, *, pod: JsonObject, image: Mapping[str, str], address: str, lookup: Lookup
) -> dict[str, str]:
    """Every variable of the container; raises ConfigMissing."""
    env = dict(image)
    for source in container.get("envFrom") or []:
        env |= _from_source(source, lookup)
    for entry in container.get("env") or []:
        value = _value(entry, pod=pod, address=address, lookup=lookup, known=env)
        if value is not None:
            env[entry["name"]] = value
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` → its value, `$$` → `$`; a name that is not known stays as it is."""

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return env.get(match[1], match[0])

    return _REFERENCE.sub(one, text)


def _from_source(source: JsonObject, lookup: Lookup) -> dict[str, str]:
    kind = "configmaps" if "configMapRef" in source else "secrets"
    reference = source.get("configMapRef") or source.get("secretRef") or {}
    data = lookup(kind, reference["name"])
    if data is None:
        if reference.get("optional"):
            return {}
        raise ConfigMissing(f'{kind[:-1]} "{reference["name"]}" not found')
    prefix = source.get("prefix", "")
    return {prefix + key: value for key, value in data.items()}


def _value(entry: JsonObject, *, pod: JsonObject, address: str, lookup: Lookup, known: Mapping[str, str]) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return expand(entry.get("value", ""), known)
    if "fieldRef" in source:
        return field_of(pod, source["fieldRef"]["fieldPath"], address=address)
    if "configMapKeyRef" not in source and "secretKeyRef" not in source:
        return ""  # resourceFieldRef: nothing is limited here
    kind = "configmaps" if "configMapKeyRef" in source else "secrets"
    reference = source.get("configMapKeyRef") or source["secretKeyRef"]
    data = lookup(kind, reference["name"])
    if data is not None and reference["key"] in data:
        return data[reference["key"]]
    if reference.get("optional"):
        return None
    missing = "not found" if data is None else f'has no key "{reference["key"]}"'
    raise ConfigMissing(f'{kind[:-1]} "{reference["name"]}" {missing}')


def field_of(pod: JsonObject, path: str, *, address: str) -> str:
    """The downward API's `metadata.name`, `metadata.labels['x']`, `spec.nodeName`, `status.podIP`, …"""
    if path == "status.podIP":
        return address
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if keyed:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    value: object = pod
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)
