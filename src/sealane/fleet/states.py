"""What is known about a cluster and about each kind in it, as values that a page shows and a test compares.

A list without its freshness is a lie waiting to happen: an empty table may mean "nothing", "not loaded yet", "you
may not read it" or "the server has been gone for a minute". `Freshness` tells these apart and is made in one place.
"""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from sealane.kube import errors as kube_errors
from sealane.kube.resources import Resource
from sealane.lib import text
from sealane.lib.errors import SealaneError

StateName = Literal["connecting", "live", "busy", "reconnecting", "unreachable", "unauthorized", "forbidden"]
FreshnessName = Literal["live", "loading", "stale", "reconnecting", "forbidden", "gone"]

STALE_AFTER = 30.0
"""Seconds without a working watch after which what is shown is called stale."""
LIVE_FOR = 100.0
"""Seconds after the last sign of life for which a watch is believed. It finds silence by itself sooner; this is for
when nobody runs it."""
DOUBT_AFTER = 5.0
"""The same while the cluster answers nobody else either."""


_NOT_SIGNED_IN = (
    kube_errors.Unauthorized,
    kube_errors.SignInEnded,
    kube_errors.ExecPluginFailed,
    kube_errors.ExecPluginMissing,
)


class ClusterState(msgspec.Struct, frozen=True, kw_only=True):
    """How a cluster answers now. `since` is when this state began; `error` is its cause, None while all is well."""

    state: StateName
    sentence: str
    since: datetime.datetime
    error: SealaneError | None = None

    @property
    def answers(self) -> bool:
        """True when requests have a chance: live, live with limited rights, or busy."""
        return self.state in {"live", "forbidden", "busy"}


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How far what is shown may be trusted. `age` is seconds since it was last known to be right (0 while live).
    `skipped` objects could not be read and are missing."""

    state: FreshnessName
    age: float
    sentence: str
    skipped: int = 0


def state_of_error(error: SealaneError, *, was_live: bool) -> StateName:
    """The state that a failed probe means. A cluster that was live is `reconnecting` until it says otherwise."""
    if isinstance(error, _NOT_SIGNED_IN):
        return "unauthorized"
    if isinstance(error, kube_errors.Forbidden):
        return "forbidden"
    if isinstance(error, kube_errors.TooManyRequests):
        return "busy"
    return "reconnecting" if was_live else "unreachable"


def freshness(
    resource: Resource,
    *,
    condition: str,
    loaded: bool,
    quiet_for: float,
    cause: SealaneError | None,
    skipped: int = 0,
    doubted: bool = False,
) -> Freshness:
    """From a watch's last condition: `loaded` says whether a full list ever arrived, `quiet_for` is seconds since
    the watch last showed that it works, `doubted` whether the cluster fails to answer otherwise. Conditions are those
    of `kube.watch` plus `loading` and `gone` (kind not served)."""
    kind = resource.plural
    why = f" {cause.sentence}" if cause is not None else ""
    if condition == "gone":
        return Freshness(state="gone", age=0.0, sentence=f"This cluster does not serve {kind}.")
    if condition == "unauthorized" and not loaded:
        return Freshness(state="forbidden", age=quiet_for, sentence=f"You are not signed in to read {kind} here.{why}")
    if condition == "forbidden":
        return Freshness(state="forbidden", age=quiet_for, sentence=f"You may not read {kind} here.{why}")
    if condition == "live" and loaded and quiet_for < (DOUBT_AFTER if doubted else LIVE_FOR):
        sentence = f"The list of {kind} is live."
        if skipped:
            sentence = f"The list of {kind} is live; {skipped} of them could not be read and are missing."
        return Freshness(state="live", age=0.0, sentence=sentence, skipped=skipped)
    if not loaded:
        return Freshness(state="loading", age=quiet_for, sentence=f"The list of {kind} has not arrived yet.{why}")
    age = text.duration(quiet_for)
    if quiet_for >= STALE_AFTER:
        return Freshness(state="stale", age=quiet_for, sentence=f"The list of {kind} is {age} old.{why}")
    now = "Not signed in" if condition == "unauthorized" else "Reconnecting"
    return Freshness(state="reconnecting", age=quiet_for, sentence=f"{now}; {kind} are as of {age} ago.{why}")
