"""The cluster's admission plugins, which the world brings, as the API server calls them.

The world speaks of refusals in its own exception; here they become the 403 that a client sees.
"""

from __future__ import annotations

from typing import Any

from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.values import Obj
from sealane.sandbox.api.writing import Admit, Warn


def of(world: Any, cluster: str) -> Admit:
    """The admission of one cluster; lets everything in where there is no world or it brings none."""
    if world is None:
        return lambda _verb, _plural, obj: obj

    def admit(verb: str, plural: str, obj: Obj) -> Obj:
        try:
            admitted: Obj = world.admit(cluster, verb, plural, obj)
        except StatusError:
            raise
        except Exception as error:
            if type(error).__name__ != "AdmissionDenied":
                raise
            raise StatusError(int(getattr(error, "code", 403)), "Forbidden", str(error)) from error
        return admitted

    return admit


def warner(world: Any, cluster: str) -> Warn:
    """What the admission of one cluster says beside an answer; nothing where there is no world."""
    if world is None:
        return lambda _plural, _obj: []

    def warn(plural: str, obj: Obj) -> list[str]:
        said: list[str] = world.warnings(cluster, plural, obj)
        return said

    return warn
