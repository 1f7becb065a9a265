"""Programs that are not Ollama are read for a few words of their command."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sealane.sandbox.world.programs import generic, ollama

Obj = dict[str, Any]


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 3", 3), ("echo hi; exit 12", 12), ("/bin/false", 1), ("run && false", 1), ("true", 0), ("falsehood", 0)],
)
def test_the_exit_code_is_what_the_command_says(command: str, code: int) -> None:
    assert generic.exit_code(command) == code


@pytest.mark.parametrize(
    ("image", "restart", "command", "ends"),
    [
        ("nginx:1", "Always", "", False),
        ("nginx:1", "Never", "", True),
        ("busybox:1", "Always", "", True),
        ("nginx:1", "Always", "sh -c exit 1", True),
        ("python:3", "Always", "python server.py", False),
    ],
)
def test_servers_run_on_and_batch_work_ends(image: str, restart: str, command: str, *, ends: bool) -> None:
    container = {"image": image, "command": command.split()}
    around: Any = SimpleNamespace(pod={"spec": {"restartPolicy": restart}}, container=container)
    assert generic.ends_at_once(around, command) is ends


def test_command_and_arguments_are_one_line() -> None:
    assert generic.command_line({"command": ["sh", "-c"], "args": ["sleep 5"]}) == "sh -c sleep 5"
    assert generic.command_line({}) == ""


def test_the_program_is_chosen_by_image_and_place() -> None:
    image = {"image": "docker.io/ollama/ollama:0.23.0"}
    assert ollama.of(image, init=True) is ollama.pull
    assert ollama.of(image, init=False) is ollama.serve
    assert ollama.of({"image": "nginx"}, init=True) is generic.run
