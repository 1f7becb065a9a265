"""The shell: scripts, exit codes, pipes, what is not there, and a terminal that somebody types at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sealane.sandbox.streams.outcome import CannotStart

Inside = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.mark.parametrize(
    ("script", "code", "out"),
    [
        ("echo $GREETING", 0, "hello\n"),
        ("false; echo $?", 0, "1\n"),
        ("true && echo yes || echo no", 0, "yes\n"),
        ("false && echo yes || echo no", 0, "no\n"),
        ("exit 3; echo never", 3, ""),
        ("A=b; echo $A", 0, "b\n"),
        ("echo one two | wc -w", 0, "2\n"),
        ("printf 'b\\na\\n' | sort | head -n 1", 0, "a\n"),
        ("echo x > /tmp/f; echo y >> /tmp/f; cat /tmp/f", 0, "x\ny\n"),
        ("cd /tmp && pwd", 0, "/tmp\n"),
        ("cat < /etc/hosts | grep -c localhost", 0, "1\n"),
        ("sh -c 'exit 4'; echo $?", 0, "4\n"),
        ("nothing 2> /dev/null; echo $?", 0, "127\n"),
        ("nothing > /tmp/g 2>&1; cat /tmp/g", 0, "sh: 1: nothing: not found\n"),
        ("test -f /etc/hosts && [ a != b ] && echo both", 0, "both\n"),
    ],
)
async def test_scripts_do_what_a_shell_does(inside: Inside, script: str, code: int, out: str) -> None:
    assert (await inside("sh", "-c", script))[:2] == (code, out)


async def test_a_script_is_read_from_the_input_line_by_line(inside: Inside) -> None:
    assert await inside("bash", stdin=b"cd /tmp\npwd\nnothing\n") == (
        127,
        "/tmp\n",
        "bash: nothing: command not found\n",
    )


async def test_what_is_no_shell_syntax_ends_with_2(inside: Inside) -> None:
    code, _, said = await inside("sh", "-c", "echo 'x")
    assert (code, said) == (2, "sh: 1: syntax error: unterminated quoted string\n")


async def test_a_file_that_may_not_be_written_is_an_error_of_the_shell(inside: Inside) -> None:
    code, _, said = await inside("sh", "-c", "echo x > /etc/hosts")
    assert (code, said) == (1, "sh: 1: Read-only file system\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", 'exec: "nothing": executable file not found in $PATH: unknown'),
        ("/bin/nothing", 'exec: "/bin/nothing": stat /bin/nothing: no such file or directory: unknown'),
    ],
)
async def test_a_program_that_is_not_there_cannot_be_started(inside: Inside, name: str, said: str) -> None:
    with pytest.raises(CannotStart, match="OCI runtime exec failed") as caught:
        await inside(name)
    assert str(caught.value).endswith(said)


async def test_a_terminal_greets_says_that_it_is_simulated_echoes_and_edits(typed: Any) -> None:
    shell = typed("bash")
    await shell.until("simulated")
    await shell.until("root@box:/# ")
    await shell.console.feed("echo añx\x7fb\r".encode())
    await shell.until("\r\nañb\r\n")
    await shell.console.feed(b"garbage\x15echo wiped\r")
    await shell.until("\r\nwiped\r\n")
    await shell.console.feed(b"echo two words\x17done\r")
    await shell.until("\r\ntwo done\r\n")
    await shell.console.feed(b"\x1b[Aecho arrow\r")
    await shell.until("\r\narrow\r\n")


async def test_ctrl_c_drops_the_line_or_ends_the_program(typed: Any) -> None:
    shell = typed("sh")
    await shell.until("# ")
    await shell.console.feed(b"never run\x03echo $?\r")
    await shell.until("\r\n130\r\n")
    await shell.console.feed(b"sleep 1000\r")
    await shell.until("sleep 1000\r\n")
    await shell.console.feed(b"\x03")
    await shell.until("^C\r\n# ")
    await shell.console.feed(b"echo again\r")
    await shell.until("\r\nagain\r\n")


async def test_ctrl_d_leaves(typed: Any) -> None:
    shell = typed("sh")
    await shell.until("# ")
    await shell.console.feed(b"\x04")
    await shell.until("exit\r\n")
