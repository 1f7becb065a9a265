"""What is wrong with the finalizers and owners of an object: names that are nobody's, and what comes too late.

Custom kinds may have short finalizers; an object that is being deleted gets no new ones, whatever its kind.
"""

from __future__ import annotations

import re
from typing import Final

from sealane.sandbox.api.causes import forbidden, invalid
from sealane.sandbox.api.errors import Cause
from sealane.sandbox.api.kinds import Kind
from sealane.sandbox.api.values import Obj

_NAME: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME_WORDS: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_NAME}')"
)
_STANDARD: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_OWNED_BY: Final = ("apiVersion", "kind", "name", "uid")


def check(kind: Kind, meta: Obj, old: Obj | None) -> list[Cause]:
    """The causes, in the server's order."""
    causes: list[Cause] = []
    for owner in meta.get("ownerReferences") or ():
        missing = [key for key in _OWNED_BY if not owner.get(key)]
        causes += [invalid(f"metadata.ownerReferences.{key}", "", "must not be empty") for key in missing]
    finalizers = meta.get("finalizers") or []
    for each in finalizers:
        if not re.fullmatch(f"([^/]+/)?{_NAME}", each):
            causes.append(invalid("metadata.finalizers", each, _NAME_WORDS))
    before = (old or {}).get("metadata") or {}
    late = [each for each in finalizers if each not in (before.get("finalizers") or ())]
    if before.get("deletionTimestamp") and late:
        shown = ", ".join(f'"{each}"' for each in late)
        why = "no new finalizers can be added if the object is being deleted, found new finalizers "
        causes.append(forbidden("metadata.finalizers", f"{why}[]string{{{shown}}}"))
    if not kind.custom:
        why = "name is neither a standard finalizer name nor is it fully qualified"
        short = [(index, each) for index, each in enumerate(finalizers) if "/" not in each and each not in _STANDARD]
        causes += [invalid(f"metadata.finalizers[{index}]", each, why) for index, each in short]
    return causes
