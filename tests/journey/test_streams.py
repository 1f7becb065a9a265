"""Streams of the command line against a running product: a log, commands with their exit codes, a terminal, a port."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
import urllib.request
from collections.abc import Iterator

import pytest
from product import SEALANE, Product

pytestmark = pytest.mark.xdist_group("journey")

HERE = ("--cluster", "harbor-eu", "-n", "team-code")
WAIT = 30.0
HEARING = ("env", "--default-signal=INT")
"""Tests that run in the background ignore Ctrl-C and hand that on; these commands must hear it."""


@pytest.fixture(scope="module")
def talker(running: Product) -> Iterator[str]:
    """A hosted model that answers; its name."""
    place = ("--cluster", "harbor-eu", "-n", "team-code", "--queue", "research")
    told = running.run("host", "qwen2.5-coder:1.5b", *place, "--gpu", "0.25", "--name", "talker", "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    yield "talker"
    running.run("remove", "talker", "--cluster", "harbor-eu")


def command(running: Product, *words: str) -> list[str]:
    """A whole command line; what follows `--` belongs to the container."""
    at = words.index("--") if "--" in words else len(words)
    return [*SEALANE, *words[:at], *HERE, "--data-dir", str(running.data_dir), *words[at:]]


def run(running: Product, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(running, *words), input=stdin, capture_output=True, text=True, timeout=60, check=False,
        env=running.env,
    )  # fmt: skip


def test_the_log_of_a_model_is_shown_and_followed(running: Product, talker: str) -> None:
    shown = run(running, "logs", talker, "--tail", "5")
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.splitlines()) == 5
    assert all(line.startswith(f"{talker}-") and " | " in line for line in shown.stdout.splitlines())
    words = [*HEARING, *command(running, "logs", talker, "--follow", "--tail", "1", "--json")]
    following = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=running.env)
    try:
        assert following.stdout is not None
        assert set(json.loads(following.stdout.readline())) == {"pod", "container", "time", "text"}
        following.send_signal(signal.SIGINT)
        assert following.wait(WAIT) == 130
    finally:
        following.kill()
        following.communicate(timeout=WAIT)


def test_a_command_gives_its_output_and_its_exit_code(running: Product, talker: str) -> None:
    done = run(running, "exec", talker, "--", "sh", "-c", "echo out; nothing; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert "nothing: not found" in done.stderr
    piped = run(running, "exec", "-i", talker, "--", "wc", "-l", stdin="a\nb\n")
    assert (piped.returncode, piped.stdout) == (0, "2\n")
    missing = run(running, "exec", talker, "--", "no-such-program")
    assert missing.returncode not in (0, 7)
    assert "executable file not found" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_shell_on_a_terminal_is_typed_at_and_gives_the_terminal_back(running: Product, talker: str) -> None:
    outer, inner = pty.openpty()
    before = termios.tcgetattr(inner)
    process = subprocess.Popen(
        command(running, "exec", "-it", talker, "--", "bash"), stdin=inner, stdout=inner, stderr=inner, env=running.env
    )
    try:
        seen = shown(outer, r":/\$ ")
        assert "simulated" in seen
        os.write(outer, b"echo begun-$?; sleep 100000\r")
        shown(outer, "begun-0\r\n")
        os.write(outer, b"\x03")
        shown(outer, r"\^C")
        os.write(outer, b"exit 4\r")
        assert process.wait(WAIT) == 4
        assert termios.tcgetattr(inner) == before
    finally:
        process.kill()
        process.wait(10)
        os.close(inner)
        os.close(outer)


def test_a_port_leads_to_the_model_until_ctrl_c(running: Product, talker: str) -> None:
    words = [*HEARING, *command(running, "forward", talker, ":0", "--json")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=running.env) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            opened = json.loads(process.stdout.readline())
            assert opened["url"] == f"http://127.0.0.1:{opened['local']}"
            with urllib.request.urlopen(f"{opened['url']}/api/tags", timeout=WAIT) as answer:
                assert [model["name"] for model in json.load(answer)["models"]] == ["qwen2.5-coder:1.5b"]
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0, process.stderr.read()
            assert process.stderr.read() == ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def shown(screen: int, pattern: str) -> str:
    """What is on the terminal up to a pattern."""
    seen = ""
    limit = time.monotonic() + WAIT
    while not re.search(pattern, seen):
        ready, _, _ = select.select([screen], [], [], max(0.0, limit - time.monotonic()))
        assert ready, f"{pattern!r} is not on the screen: {seen!r}"
        seen += os.read(screen, 4096).decode("utf-8", "replace")
    return seen
