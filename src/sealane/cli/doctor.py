"""`sealane doctor`: checks, each with its fix; reads only."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command("doctor")
@output.shared
@output.acting
async def command(*, as_json: bool, data_dir: Path | None, clusters: str | None) -> int:
    """Check this computer and the clusters. Changes nothing."""
    from sealane.runtime import session

    checks = await session.doctor(data_dir=data_dir, clusters=clusters)
    ok = all(check.state != "fail" for check in checks)
    if as_json:
        output.emit({"ok": ok, "checks": checks})
        return 0 if ok else 1
    for check in checks:
        output.say(f"{_MARKS[check.state]}  {check.name:<24} {check.sentence}")
        if check.fix:
            output.say(f"      → {check.fix}")
    return 0 if ok else 1
