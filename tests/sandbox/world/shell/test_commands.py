"""The programs: each says what the container is, and that it is simulated."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Awaitable, Callable

import pytest

from sealane.sandbox.world.shell import commands
from sealane.sandbox.world.shell.machine import Machine

Inside = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("whoami", "root\n"),
        ("id -u", "0\n"),
        ("hostname", "box\n"),
        ("uname -r", "0.0.0-sealane-sandbox\n"),
        ("date +%Y", "2026\n"),
        ("nproc", "4\n"),
        ("printenv GREETING", "hello\n"),
        ("which ollama sh", "/usr/bin/ollama\n/usr/bin/sh\n"),
        ("ls /etc", "hosts\n"),
        ("cat /etc/hosts", "127.0.0.1\tlocalhost\n"),
        ("curl -s localhost:11434/", "Ollama is running"),
        ("nvidia-smi -L", "GPU 0: NVIDIA-L40S (simulated) (UUID: GPU-u-1)\n"),
        ("nvidia-smi --query-gpu=memory.total,memory.used --format=csv,noheader,nounits", "24576, 0\n"),
    ],
)
async def test_programs_say_what_the_container_is(inside: Inside, command: str, out: str) -> None:
    assert await inside(*command.split()) == (0, out, "")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("cat /none", 1, "cat: /none: No such file or directory"),
        ("ls /none", 2, "ls: cannot access '/none': No such file or directory"),
        ("rm /etc/hosts", 1, "rm: cannot remove '/etc/hosts': Read-only file system"),
        ("mkdir /etc/x/y", 1, "mkdir: cannot create directory '/etc/x/y': No such file or directory"),
        ("touch /etc/new", 1, "touch: cannot touch '/etc/new': Read-only file system"),
        ("grep x /none", 2, "grep: /none: No such file or directory"),
        ("sleep long", 1, "sleep: invalid time interval 'long'"),
        ("curl localhost:99/", 7, "curl: (7) Failed to connect to localhost port 99: Connection refused"),
        ("curl https://example.com/", 7, "simulates no network beyond the pod"),
        ("curl -f localhost:11434/none", 22, "curl: (22) The requested URL returned error: 404"),
        ("kill 99", 1, "No such process"),
        ("tar z", 2, "tar: You must specify one of"),
        ("ollama show nothing", 1, "Error: model 'nothing' not found"),
        ("ollama pull no-such-model", 1, "Error: "),
        ("ollama serve", 1, "address already in use"),
    ],
)
async def test_what_fails_says_why_and_has_its_code(inside: Inside, command: str, code: int, said: str) -> None:
    got, _, errors = await inside(*command.split())
    assert got == code
    assert said in errors


async def test_the_environment_has_what_the_container_was_given(inside: Inside) -> None:
    lines = (await inside("env"))[1].splitlines()
    assert {"GREETING=hello", "HOSTNAME=box", "PWD=/"} <= set(lines)


async def test_df_shows_the_volume_with_its_size_and_what_the_models_take(inside: Inside) -> None:
    line = (await inside("df", "-h"))[1].splitlines()[-1].split()
    assert line == ["/dev/sim-models", "50G", "4.6G", "45G", "9%", "/models"]


async def test_ps_shows_process_1_and_kill_ends_it(inside: Inside, stopped: list[int]) -> None:
    assert "/bin/ollama serve" in (await inside("ps", "aux"))[1]
    await inside("kill", "1")
    await inside("kill", "-9", "1")
    assert stopped == [0]


async def test_ollama_lists_runs_shows_pulls_and_removes_through_the_server(inside: Inside) -> None:
    assert "llama3.1:8b" in (await inside("ollama", "list"))[1]
    assert (await inside("ollama", "ps"))[1].splitlines()[1:] == []
    code, said, _ = await inside("ollama", "run", "llama3.1:8b", "Say", "hello.")
    assert code == 0
    assert said.strip()
    assert "100% GPU" in (await inside("ollama", "ps"))[1]
    assert "MiB / 24576MiB" in (await inside("nvidia-smi"))[1]
    assert "architecture" in (await inside("ollama", "show", "llama3.1:8b"))[1]
    code, _, progress = await inside("ollama", "pull", "all-minilm:22m")
    assert code == 0
    assert "success" in progress
    assert await inside("ollama", "rm", "all-minilm:22m") == (0, "deleted 'all-minilm:22m'\n", "")
    assert "simulated" in (await inside("ollama", "--version"))[1]


async def test_a_prompt_can_be_piped_into_ollama(inside: Inside) -> None:
    code, said, _ = await inside("ollama", "run", "llama3.1:8b", stdin=b"Say hello.\n")
    assert code == 0
    assert said.strip()


async def test_curl_posts_and_shows_headers_and_keeps_answers_in_files(inside: Inside) -> None:
    _, said, _ = await inside("curl", "-s", "-i", "-d", '{"model": "llama3.1:8b"}', "localhost:11434/api/show")
    assert said.startswith("HTTP/1.1 200\n")
    assert "model_info" in said
    script = "curl -s -o /tmp/v localhost:11434/api/version && cat /tmp/v"
    assert "simulated" in (await inside("sh", "-c", script))[1]
    assert "simulated" in (await inside("wget", "-qO-", "http://localhost:11434/api/version"))[1]


async def test_tar_gives_and_takes_what_kubectl_cp_wants(inside: Inside) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        info = tarfile.TarInfo("folder/file")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"kept"))
    assert (await inside("tar", "-xmf", "-", "-C", "/tmp", stdin=held.getvalue()))[0] == 0
    assert (await inside("cat", "/tmp/folder/file"))[1] == "kept"
    code, packed, _ = await inside("tar", "cf", "-", "/tmp/folder")
    with tarfile.open(fileobj=io.BytesIO(packed.encode())) as archive:
        assert (code, archive.getnames()) == (0, ["tmp/folder", "tmp/folder/file"])
    code, _, said = await inside("tar", "cf", "-", "/none")
    assert (code, said) == (2, "tar: /none: Cannot stat: No such file or directory\n")


async def test_help_names_the_programs_and_says_what_they_are(inside: Inside) -> None:
    said = (await inside("help"))[1]
    assert "simulated by the Sealane sandbox" in said
    assert " nvidia-smi " in said


def test_what_a_container_has_depends_on_its_image_and_its_card(machine: Machine) -> None:
    assert {"ollama", "nvidia-smi"} <= set(commands.programs(machine))
    plain = dataclasses.replace(machine, container={"image": "nginx"}, gpu_memory=None)
    assert not {"ollama", "nvidia-smi"} & set(commands.programs(plain))
