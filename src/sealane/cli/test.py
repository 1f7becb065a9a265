"""`sealane test MODEL`: the requests that an editor would send, performed, each with its outcome and time."""

from __future__ import annotations

from pathlib import Path

import click

from sealane.cli import output


@click.command("test")
@click.argument("model")
@click.option("--editor", default="curl", show_default=True, help="Send what this editor would send.")
@output.shared
@output.acting
async def command(*, model: str, editor: str, as_json: bool, data_dir: Path | None, clusters: str | None) -> int:
    """Prove that MODEL answers through the gateway, with a real completion and its latency."""
    from sealane.editors import probe
    from sealane.runtime import editing

    connection = await editing.connection(data_dir=data_dir, clusters=clusters, model=model, may_be_missing=True)
    checks = await probe.run(editor, connection)
    ok = all(check.ok for check in checks)
    if as_json:
        output.emit({"ok": ok, "checks": checks})
        return 0 if ok else 1
    for check in checks:
        ms = f"{check.ms:8.0f} ms" if check.ms is not None else " " * 11
        output.say(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<13}{ms}  {check.sentence}")
        for step in check.fix:
            output.say(f"       → {step.title}" + (f":  {step.command}" if step.command else ""))
    return 0 if ok else 1
