"""Credentials that run out and are had anew from somewhere: a plugin, an OIDC issuer.

A dozen watches use one identity, and all of them are refused in the same moment. So there is one renewal at a time,
shared by everybody; and one that does not help (it fails, its answer is refused again, or has ended already) is
repeated ever more slowly, because running a login program each second opens browser windows and locks accounts.

People and time servers set the wall clock, so the end of a grant is kept on both clocks. It is renewed when either says
that it ends, and is useless only when both do: a clock that is set back keeps nothing for ever, and one that jumps
ahead signs nobody out.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Protocol

import msgspec

from sealane.kube.errors import ConfigError
from sealane.kube.identity import Identity
from sealane.lib.clock import Clock

PAUSE, LONGEST = 5.0, 300.0
EARLY = datetime.timedelta(seconds=10)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """An identity and until when it is good; None means for as long as the server accepts it."""

    identity: Identity
    until: datetime.datetime | None = None


class Source(Protocol):
    """Where a grant comes from. `name` is for sentences: `the credential plugin kubelogin`."""

    @property
    def name(self) -> str: ...

    async def fetch(self) -> Grant:
        """A new grant; `ConfigError` or its kin when there is none."""


class Renewed:
    """A `Provider` over a source. `first` is a grant to begin with, which the kubeconfig may hold."""

    def __init__(self, source: Source, *, clock: Clock, first: Grant | None = None) -> None:
        self._source = source
        self._clock = clock
        self._lock = asyncio.Lock()
        self._grant: Grant | None = None
        self._ends_at = float("inf")  # when the grant ends by the steady clock
        self._failure: ConfigError | None = None
        self._in_vain = 0  # renewals in a row that did not help
        self._not_before = float("-inf")
        self._again = clock.now()
        if first is not None:
            self._hold(first)

    async def current(self) -> Identity:
        """The identity, renewed when it ends; while renewing is not due again, the last failure is raised anew."""
        async with self._lock:
            if self._grant is not None and not any(self._ends_within(EARLY)):
                return self._grant.identity
            if self._clock.monotonic() < self._not_before:
                return self._meanwhile().identity
            return (await self._fetched_early()).identity

    async def renew(self, refused: Identity) -> bool:
        """See `auth.Provider`."""
        async with self._lock:
            if self._grant is not None and self._grant.identity != refused:
                return True  # somebody else has renewed it meanwhile
            if self._clock.monotonic() < self._not_before:
                if self._failure is not None:
                    raise self._failure
                return False
            grant = await self._fetch()
            self._wait()  # until it is accepted
            return grant.identity != refused

    def accepted(self, identity: Identity) -> None:
        """See `auth.Provider`."""
        if self._grant is not None and identity == self._grant.identity and not any(self._ends_within(EARLY)):
            self._in_vain = 0

    @property
    def trouble(self) -> str:
        """See `auth.Provider`."""
        if not self._in_vain:
            return ""
        return f"{self._source.name} was asked anew in vain, and is not asked again before {self._again:%H:%M:%S} UTC"

    def _meanwhile(self) -> Grant:
        """What there is until the next renewal is due: also one that had ended when it came, for clocks differ."""
        if self._grant is not None and (self._failure is None or self._still_good()):
            return self._grant
        raise self._failure or ConfigError(f"{self._source.name} has given nothing yet.")

    async def _fetched_early(self) -> Grant:
        """Renew before the end; until the end itself a failure is no harm."""
        try:
            grant = await self._fetch()
        except ConfigError:
            if self._grant is not None and self._still_good():
                return self._grant
            raise
        if any(self._ends_within(EARLY)):
            self._wait()
        return grant

    async def _fetch(self) -> Grant:
        try:
            self._hold(grant := await self._source.fetch())
        except ConfigError as error:
            self._failure = error
            self._wait()
            if not self._still_good():
                self._grant = None
            raise
        self._failure = None
        return grant

    def _hold(self, grant: Grant) -> None:
        """Keep it, and note what its end is on the clock that nobody sets."""
        self._grant, self._ends_at = grant, float("inf")
        if grant.until is not None:
            left = (grant.until - self._clock.now()) / datetime.timedelta(seconds=1)
            self._ends_at = self._clock.monotonic() + left

    def _wait(self) -> None:
        """Count a renewal that has not helped yet, and ask no sooner than after a pause that doubles."""
        self._in_vain += 1
        pause = min(PAUSE * 2.0 ** min(self._in_vain - 1, 16), LONGEST)
        self._not_before = self._clock.monotonic() + pause
        self._again = self._clock.now() + datetime.timedelta(seconds=pause)

    def _still_good(self) -> bool:
        """Whether what we hold has an end, and has not come to it by one clock at least."""
        return self._grant is not None and self._grant.until is not None and not all(self._ends_within())

    def _ends_within(self, margin: datetime.timedelta = datetime.timedelta()) -> tuple[bool, bool]:
        """Whether what we hold ends so soon, by the wall clock and by the steady one."""
        if self._grant is None or self._grant.until is None:
            return False, False
        by_wall = self._clock.now() >= self._grant.until - margin
        return by_wall, self._clock.monotonic() >= self._ends_at - margin.total_seconds()
