"""What a reflector says: objects that appear, change and go, and how far to trust what was said.

Kept apart from `kube.watch`, which makes these from a server's answers, and `kube.known`, which compares them with what
was known before. They are plain frozen values; readers match on their type.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sealane.kube.wire import Meta, RawObject
from sealane.lib.errors import SealaneError

State = Literal["live", "reconnecting", "forbidden", "unauthorized", "unreachable", "gone"]


class Synced(msgspec.Struct, frozen=True):
    """Everything that exists, once: before it nothing is known, "empty" included."""

    objects: list[RawObject]


class Upsert(msgspec.Struct, frozen=True, gc=False):
    """An object appeared or changed. `raw` is its JSON without managedFields."""

    meta: Meta
    raw: bytes


class Gone(msgspec.Struct, frozen=True, gc=False):
    """An object was deleted; its last known header."""

    meta: Meta


class Condition(msgspec.Struct, frozen=True):
    """How far to trust what was said so far. `live` is repeated with each bookmark and each resumed watch, as a sign of
    life.

    `reconnecting`: it was live, and is being mended. `unreachable`, `unauthorized`, `forbidden`: `error` says why.
    `gone`: the server does not serve this kind (a CRD that is not installed); tried again now and then. `skipped` are
    objects that the server sent and nobody could read: what is shown lacks them.
    """

    state: State
    error: SealaneError | None = None
    skipped: int = 0


Change = Synced | Upsert | Gone | Condition
LIVE = Condition("live")
