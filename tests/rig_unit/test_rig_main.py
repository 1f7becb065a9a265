"""`python -m rig`: what it says when it cannot do what was asked."""

from __future__ import annotations

import pytest

from rig import __main__ as cli
from rig import build
from rig.errors import ToolMissing
from sealane.lib.errors import NextStep


def test_what_is_not_built_ends_in_one_sentence_and_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise ToolMissing("etcd is not built.", next_steps=(NextStep(title="Build", command="python -m rig build"),))

    monkeypatch.setattr(build, "require_built", missing)
    assert cli.main(["up"]) == 1
    assert capsys.readouterr().err == "rig: etcd is not built.\nrig: Build: python -m rig build\n"


def test_build_builds_and_enters_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(build, "build_all", lambda: called.append("built"))
    monkeypatch.setattr(cli.namespace, "enter", lambda _arguments: called.append("entered"))
    assert cli.main(["build"]) == 0
    assert called == ["built"]


def test_up_and_run_step_into_the_network_with_the_same_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entered(Exception):
        """Raised instead of replacing this process."""

    def enter(arguments: list[str]) -> None:
        raise Entered(*arguments)

    monkeypatch.setattr(build, "require_built", lambda: None)
    monkeypatch.setattr(cli.doors, "open_outside", lambda _count: None)
    monkeypatch.setattr(cli.namespace, "enter", enter)
    for arguments in (["up", "--clusters", "2"], ["run", "--", "pytest", "-m", "rig"]):
        with pytest.raises(Entered) as caught:
            cli.main(arguments)
        assert list(caught.value.args) == arguments


def test_run_without_a_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["--"]) == 2
    assert "python -m rig run -- COMMAND" in capsys.readouterr().err


def test_run_gives_back_what_the_command_ended_with() -> None:
    assert cli._run(["--", "sh", "-c", "exit 5"]) == 5
