"""What `up` tells, and to whom."""

from __future__ import annotations

import os
import types
from pathlib import Path
from typing import Any

import pytest

from sealane.console.security import Sessions
from sealane.runtime import running, up
from sealane.runtime.contexts import Chosen
from sealane.runtime.stack import Stack


def test_the_browsers_command_line_tells_nothing_that_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions("lasting")
    built: Any = types.SimpleNamespace(
        data_dir=tmp_path,
        console_url="http://127.0.0.1:1",
        gateway_url="http://127.0.0.1:2",
        token="lasting",
        local_key="sk-sealane-lasting",
        sessions=sessions,
    )
    chosen = Chosen(contexts=(), kubeconfig="", sandbox=True)
    opened: list[str] = []
    printed: list[up.Ready] = []
    monkeypatch.setattr(up, "_open_browser", opened.append)
    up._announce(built, chosen, up.Options(open_browser=True), printed.append)
    assert "lasting" not in opened[0]
    ticket = opened[0].partition("token=")[2]
    assert sessions.open_with_link(ticket)
    assert not sessions.open_with_link(ticket)
    assert not sessions.is_token(ticket)
    assert printed[0].console.endswith("token=lasting")


async def test_what_a_dead_process_of_the_same_number_left_behind_does_not_silence_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = running.Running(pid=os.getpid(), console="", gateway="", kubeconfig="", clusters=(), sandbox=True)
    running.write(tmp_path, left)
    app: Any = None
    told: list[up.Ready] = []

    async def serve(options: up.Options, built: Any, *, ready: Any, away: Any) -> None:
        ready(Stack(chosen=Chosen(contexts=(), kubeconfig="", sandbox=True), console=app, gateway=app))

    monkeypatch.setattr(up, "_serve_choices", serve)
    await up._run(up.Options(port=0, gateway_port=0, data_dir=tmp_path), on_ready=told.append)
    assert [ready.sandbox for ready in told] == [True]
    assert running.read(tmp_path) is None
