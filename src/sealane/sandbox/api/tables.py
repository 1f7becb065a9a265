"""Tables: what `kubectl get` prints, computed by the server as a real one does.

Each kind has columns and a function from an object to its cells (`printers`); a CRD brings its own columns as
JSON paths; any other kind shows its name and age.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sealane.sandbox.api import cells, kinds, printers
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.printers import Column
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.versions import shown
from sealane.sandbox.api.wire import Request

Cells = Callable[[Obj, datetime.datetime], Sequence[Any]]
_STEP = re.compile(r"\.([\w-]+)|\['([^']+)'\]|\[(\d+|\*)\]|\[\?\(@\.([\w-]+)\s*==\s*[\"']([^\"']*)[\"']\)\]")


def table(
    store: Store, kind: Kind, objects: Sequence[Obj], request: Request, *, version: str, headed: bool = True
) -> Obj:
    """A `meta.k8s.io/v1` Table of these objects. `headed` says whether the columns are described."""
    columns, fill = _printer(store, kind)
    include = request.query.get("includeObject", "Metadata")
    now = store.now()
    rows = [{"cells": list(fill(obj, now)), "object": _included(kind, obj, include)} for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [column.definition() for column in columns] if headed else [],
        "rows": rows,
    }


def of_scale(scale: Obj, request: Request, now: datetime.datetime) -> Obj:
    """The table of one Scale."""
    meta = scale["metadata"]
    row = [
        meta["name"],
        scale["spec"]["replicas"],
        scale["status"]["replicas"],
        cells.age(meta["creationTimestamp"], now),
    ]
    included = (
        scale if request.query.get("includeObject") == "Object" else _partial("meta.k8s.io/v1") | {"metadata": meta}
    )
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": meta["resourceVersion"]},
        "columnDefinitions": [column.definition() for column in printers.SCALE],
        "rows": [{"cells": row, "object": included}],
    }


def value_at(obj: Any, path: str) -> Any:
    """The value at a simple JSON path (`.spec.x`, `['key']`, `[0]`, `[?(@.type=="Ready")]`), or None."""
    value = obj
    for name, quoted, index, key, wanted in _STEP.findall(path):
        if name or quoted:
            value = value.get(name or quoted) if isinstance(value, dict) else None
        elif not isinstance(value, list):
            return None
        elif key:
            value = next((item for item in value if isinstance(item, dict) and str(item.get(key)) == wanted), None)
        else:
            place = 0 if index == "*" else int(index)
            value = value[place] if place < len(value) else None
        if value is None:
            return None
    return value


def _printer(store: Store, kind: Kind) -> tuple[Sequence[Column], Cells]:
    known = printers.PRINTERS.get(kind.key)
    if known is not None:
        return known
    if kind.custom:
        crd = store.get(kinds.CRDS, "", f"{kind.plural}.{kind.group}")
        for version in (crd or {}).get("spec", {}).get("versions", ()):
            if version["name"] == kind.version and version.get("additionalPrinterColumns"):
                return _custom(version["additionalPrinterColumns"])
    return printers.PLAIN


def _custom(described: Sequence[Obj]) -> tuple[Sequence[Column], Cells]:
    columns = [
        Column(item["name"], item["type"], priority=int(item.get("priority", 0)), about=item.get("description", ""))
        for item in described
    ]
    paths = [(item["jsonPath"], item["type"]) for item in described]

    def row(obj: Obj, now: datetime.datetime) -> Sequence[Any]:
        return [obj["metadata"]["name"], *(_cell(value_at(obj, path), type_, now) for path, type_ in paths)]

    return [printers.NAME, *columns], row


def _cell(value: Any, type_: str, now: datetime.datetime) -> Any:
    if value is None:
        return None
    if type_ == "date":
        return cells.age(str(value), now)
    if type_ == "string" and not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return value


@functools.cache
def _partial(api_version: str) -> Obj:
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version}


def _included(kind: Kind, obj: Obj, include: str) -> Obj | None:
    if include == "None":
        return None
    if include == "Object":
        return shown(kind, obj)
    return _partial("meta.k8s.io/v1") | {"metadata": obj["metadata"]}
