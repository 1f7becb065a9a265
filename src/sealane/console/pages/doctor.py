"""Doctor: checks that read only, each with its fix, the worst first. The same lines as `sealane doctor`."""

from __future__ import annotations

import msgspec

from sealane.console.services import DoctorCheck
from sealane.console.views import Ask, Desk, View

_ORDER = {"fail": 0, "warn": 1, "ok": 2}


class DoctorContext(msgspec.Struct, frozen=True, kw_only=True):
    """All checks; `ok` when none failed. `seconds` is how long they took."""

    ok: bool
    checks: tuple[DoctorCheck, ...]
    seconds: float
    heading: str


async def context(desk: Desk, ask: Ask) -> DoctorContext:
    """Run every check once."""
    del ask
    clock = desk.services.clock
    start = clock.monotonic()
    found = await desk.services.doctor.checks()
    checks = tuple(sorted(found, key=lambda check: _ORDER[check.state]))
    return DoctorContext(
        ok=all(check.state != "fail" for check in checks),
        checks=checks,
        seconds=round(clock.monotonic() - start, 1),
        heading=_heading(checks),
    )


def _heading(checks: tuple[DoctorCheck, ...]) -> str:
    fails = sum(1 for check in checks if check.state == "fail")
    warns = sum(1 for check in checks if check.state == "warn")
    if fails:
        return f"{fails} of {len(checks)} checks failed."
    if warns:
        return f"Nothing is broken; {warns} of {len(checks)} checks {'asks' if warns == 1 else 'ask'} for a look."
    return f"All {len(checks)} checks are well."


VIEW = View(
    name="doctor",
    path="/doctor",
    template="doctor.html",
    rail="doctor",
    title=lambda _: "Doctor",
    context=context,
)
