"""Streams through the real API server to the rig's kubelet: our client and kubectl, side by side.

A real kube-apiserver translates exec and attach of version 5 to SPDY, hands version 4 on as it is and tunnels kubectl's
port-forward; each of these ways is taken here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import pty
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rig_manifests import IMAGE, SECURITY

from rig.cluster import Cluster
from rig.processes import wait_until
from sealane.kube import config, errors, merging, portforward, tailing
from sealane.kube import exec as execution
from sealane.kube.client import Client
from sealane.kube.portforward import PortRefused
from sealane.kube.tailing import Source, Wish

pytestmark = pytest.mark.rig

SPACE = "team-a"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
RunPod = Callable[..., str]
ECHO = r"""
my ($sec, $port) = ('258EAFA5-E914-47DA-95CA-C5AB0DC85B11', 8888);
use IO::Socket::INET; use Digest::SHA qw(sha1_base64);
my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $port, Listen => 5, ReuseAddr => 1) or die;
while (my $c = $l->accept) {
  my $key = '';
  while (<$c>) { s/\r?\n$//; last unless length; $key = $1 if /^sec-websocket-key: (.*)/i; }
  print $c "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    "Sec-WebSocket-Accept: ", sha1_base64($key . $sec), "=\r\n\r\n";
  $c->flush;
  while (read($c, my $h, 2) == 2) {
    my ($o, $n) = unpack('CC', $h); $n &= 127;
    read($c, my $m, 4); read($c, my $d, $n);
    $d ^= substr($m x (1 + $n / 4), 0, $n);
    print $c pack('CC', $o, $n), $d; $c->flush;
    last if ($o & 15) == 8;
  }
  close $c;
}
"""


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    async with client_of(cluster) as opened:
        yield opened


def client_of(cluster: Cluster, user: str = "admin", **changes: Any) -> Client:
    context = config.load([cluster.plane.kubeconfig(user)]).context(cluster.name)
    return Client(msgspec.structs.replace(context, **changes))


@pytest.fixture
def pod(cluster: Cluster) -> Iterator[RunPod]:
    """Starts a pod with one container and waits until it runs; gives its name and removes it afterwards."""
    made: list[str] = []

    def start(script: str, *, policy: str = "Always", wait: str = "running", **container: object) -> str:
        name = f"s-{secrets.token_hex(3)}"
        main = {"name": "main", "image": IMAGE, "securityContext": SECURITY, **container}
        main["command"] = ["sh", "-c", script]
        spec = {"restartPolicy": policy, "terminationGracePeriodSeconds": 1, "containers": [main]}
        cluster.api.post(PODS, {"metadata": {"name": name}, "spec": spec})
        made.append(name)
        path = f"{PODS}/{name}"
        wait_until(
            f"{name} {wait}",
            lambda: wait in cluster.api.get(path)["status"].get("containerStatuses", [{"state": {}}])[0]["state"],
            limit=30,
        )
        return name

    yield start
    for name in made:
        with contextlib.suppress(Exception):
            cluster.api.delete(f"{PODS}/{name}")


@pytest.fixture
def kubectl(cluster: Cluster) -> list[str]:
    """The real kubectl as administrator."""
    program = str(Path(sys.executable).with_name("kubectl"))
    return [program, "--kubeconfig", str(cluster.plane.kubeconfig("admin")), "-n", SPACE]


def said(kubectl: list[str], *words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*kubectl, *words], input=data, capture_output=True, timeout=60, check=False)


# ---- exec


async def test_exec_separates_outputs_and_brings_the_exit_code(client: Client, pod: RunPod) -> None:
    name = pod("sleep 600")
    async with (
        asyncio.timeout(30),
        client.exec(name, namespace=SPACE, command=["sh", "-c", "echo out; echo err >&2; exit 7"]) as term,
    ):
        chunks = [chunk async for chunk in term]
        assert await term.exit_code() == 7
    assert b"".join(chunk.data for chunk in chunks if chunk.stream == "stdout") == b"out\n"
    assert b"".join(chunk.data for chunk in chunks if chunk.stream == "stderr") == b"err\n"


@pytest.mark.parametrize("protocols", [(execution.V5, execution.V4), (execution.V4,)], ids=["v5", "v4"])
async def test_input_and_large_output_pass_whole_in_both_versions(
    client: Client, pod: RunPod, monkeypatch: pytest.MonkeyPatch, protocols: tuple[str, ...]
) -> None:
    monkeypatch.setattr(execution, "PROTOCOLS", protocols)
    name = pod("sleep 600")
    sent = secrets.token_bytes(300_000)
    command = ["sh", "-c", f"head -c {len(sent)} | sha256sum; head -c 3000000 /dev/zero"]
    async with asyncio.timeout(60), client.exec(name, namespace=SPACE, command=command, stdin=True) as term:
        assert term.can_end_input == (execution.V5 in protocols)
        await term.write(sent)
        output = b"".join([chunk.data async for chunk in term])
        assert await term.exit_code() == 0
    assert output[:64].decode() == hashlib.sha256(sent).hexdigest()
    assert output[68:] == bytes(3_000_000)


async def test_a_command_that_reads_to_the_end_comes_back_when_the_input_is_closed(client: Client, pod: RunPod) -> None:
    name = pod("sleep 600")
    async with asyncio.timeout(30), client.exec(name, namespace=SPACE, command=["cat"], stdin=True) as term:
        await term.write(b"to the end")
        await term.close_input()
        assert b"".join([chunk.data async for chunk in term]) == b"to the end"
        assert await term.exit_code() == 0


async def test_a_terminal_has_its_size_and_hears_of_a_new_one(client: Client, pod: RunPod) -> None:
    name = pod("sleep 600")
    async with asyncio.timeout(30), client.exec(name, namespace=SPACE, command=["sh"], stdin=True, tty=True) as term:
        await term.resize(91, 33)
        await term.write(b"while [ $(stty size | cut -d' ' -f2) != 91 ]; do sleep 0.1; done; stty size; exit 4\n")
        output = b"".join([chunk.data async for chunk in term])
        assert await term.exit_code() == 4
    assert output.endswith(b"33 91\r\n")


async def test_what_is_not_in_the_image_or_not_running_is_a_sentence(client: Client, pod: RunPod) -> None:
    name = pod("sleep 600")
    async with asyncio.timeout(30):
        async with client.exec(name, namespace=SPACE, command=["no-such-program"]) as term:
            with pytest.raises(execution.CommandNotRun, match=r"executable file not found in \$PATH"):
                await term.exit_code()
        with pytest.raises(errors.Invalid, match="container nope is not valid"):
            async with client.exec(name, namespace=SPACE, container="nope", command=["true"]) as term:
                await term.exit_code()
        with pytest.raises(errors.NotFound, match='pods "nope" not found'):
            async with client.exec("nope", namespace=SPACE, command=["true"]):
                pass


async def test_who_may_not_is_told_which_right_is_missing(cluster: Cluster, pod: RunPod) -> None:
    name = pod("sleep 600")
    async with asyncio.timeout(30), client_of(cluster, "bob") as bob:
        with pytest.raises(errors.Forbidden, match='resource "pods/exec"') as caught:
            async with bob.exec(name, namespace=SPACE, command=["true"]):
                pass
        with pytest.raises(errors.Forbidden, match='resource "pods/portforward"'):
            async with bob.port_forward(name, namespace=SPACE, port=80):
                pass
    assert "auth can-i" in caught.value.next_steps[0].command
    assert "pods/exec" in caught.value.next_steps[0].command


async def test_leaving_kills_the_command_where_the_api_server_hands_the_stream_on(
    client: Client, pod: RunPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With version 5 a real API server keeps its own stream to the kubelet open until the command ends."""
    monkeypatch.setattr(execution, "PROTOCOLS", (execution.V4,))
    name = pod("sleep 600")
    mark = f"0.{secrets.randbelow(10**6) + 10**6}"
    async with asyncio.timeout(30):
        speak = f"while :; do echo on; sleep {mark}; done"
        async with client.exec(name, namespace=SPACE, command=["sh", "-c", speak]) as term:
            assert (await anext(term)).data.startswith(b"on\n")
        await asyncio.to_thread(wait_until, "the command gone", lambda: not _runs(mark), limit=20)


def _runs(mark: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"sleep {mark}"], capture_output=True, check=False).returncode == 0


async def test_attach_reads_and_writes_the_containers_own_process(client: Client, pod: RunPod) -> None:
    name = pod("while read line; do echo got $line; done", stdin=True)
    async with asyncio.timeout(30), client.attach(name, namespace=SPACE, stdin=True) as term:
        await term.write(b"hello\n")
        assert (await anext(term)).data == b"got hello\n"


async def test_kubectl_exec_and_attach_work_as_on_any_cluster(kubectl: list[str], pod: RunPod) -> None:
    name = pod("while read line; do echo got $line; exit 0; done", stdin=True, policy="Never")
    done = await asyncio.to_thread(said, kubectl, "exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 9")
    assert (done.returncode, done.stdout) == (9, b"out\n")
    assert done.stderr.startswith(b"err\n")
    done = await asyncio.to_thread(said, kubectl, "exec", "-i", name, "--", "cat", data=b"piped\n" * 10_000)
    assert (done.returncode, done.stdout) == (0, b"piped\n" * 10_000)
    done = await asyncio.to_thread(said, kubectl, "exec", name, "--", "no-such-program")
    assert done.returncode != 0
    assert b"executable file not found" in done.stderr
    done = await asyncio.to_thread(said, kubectl, "attach", "-i", name, data=b"hello\n")
    assert b"got hello" in done.stdout


async def test_kubectl_has_a_terminal(kubectl: list[str], pod: RunPod) -> None:
    name = pod("sleep 600")

    def talk() -> bytes:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*kubectl, "exec", "-it", name, "--", "sh"], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        os.write(ours, b"test -t 0 && echo is-a-$((40 + 2))-terminal; exit 5\n")
        output = b""
        with contextlib.suppress(OSError):
            while part := os.read(ours, 4096):
                output += part
        os.close(ours)
        assert process.wait(20) == 5
        return output

    assert b"is-a-42-terminal" in await asyncio.to_thread(talk)


# ---- port-forward


async def fetch(url: str) -> bytes:
    def get() -> bytes:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            return bytes(answer.read())

    return await asyncio.to_thread(get)


async def test_a_port_of_the_pods_own_localhost_serves_several_at_once(client: Client, pod: RunPod) -> None:
    name = pod("OLLAMA_HOST=127.0.0.1:11434 exec ollama serve")
    opener = lambda: client.port_forward(name, namespace=SPACE, port=11434)  # noqa: E731
    async with asyncio.timeout(60), portforward.listening(opener) as listener:
        for _ in range(100):
            with contextlib.suppress(OSError):
                await fetch(listener.url)
                break
            await asyncio.sleep(0.1)
        answers = await asyncio.gather(*(fetch(listener.url) for _ in range(8)))
        assert answers == [b"Ollama is running"] * 8


async def test_nobody_listening_and_no_pod_are_one_sentence_each(client: Client, pod: RunPod) -> None:
    name = pod("sleep 600")
    async with asyncio.timeout(30):
        async with client.port_forward(name, namespace=SPACE, port=4) as tunnel:
            with pytest.raises(PortRefused, match=r"port 4 of the pod cannot be reached: .*[Cc]onnection refused"):
                await tunnel.read()
        with pytest.raises(errors.NotFound, match='pods "nope" not found'):
            async with client.port_forward("nope", namespace=SPACE, port=4):
                pass


async def test_a_pod_that_goes_ends_its_connections(client: Client, cluster: Cluster, pod: RunPod) -> None:
    name = pod("OLLAMA_HOST=127.0.0.1:11434 exec ollama serve")
    async with asyncio.timeout(60):
        for _ in range(100):
            async with client.port_forward(name, namespace=SPACE, port=11434) as tunnel:
                await tunnel.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                with contextlib.suppress(errors.SealaneError):
                    if b"Ollama is running" in await tunnel.read():
                        await asyncio.to_thread(cluster.api.delete, f"{PODS}/{name}")
                        assert await tunnel.read() == b""
                        return
            await asyncio.sleep(0.1)


async def test_kubectl_port_forward_serves_several_at_once(kubectl: list[str], pod: RunPod) -> None:
    name = pod("OLLAMA_HOST=127.0.0.1:11434 exec ollama serve")
    process = await asyncio.create_subprocess_exec(
        *kubectl, "port-forward", name, ":11434", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            url = f"http://{line.split()[2]}"
            answers: list[bytes] = []
            while len(answers) < 8:
                with contextlib.suppress(OSError):
                    answers += await asyncio.gather(*(fetch(url) for _ in range(4)))
            assert answers == [b"Ollama is running"] * 8
    finally:
        process.terminate()
        await process.wait()


# ---- logs


async def test_a_log_is_followed_through_a_restart_and_cuts_without_a_line_twice(
    client: Client, cluster: Cluster, pod: RunPod
) -> None:
    name = pod("i=0; while [ $i -lt 60 ]; do echo line-$i; i=$((i+1)); sleep 0.05; done", policy="Never")
    found: list[str] = []
    tail = tailing.follow(client.http, Source(SPACE, name), Wish(follow=True), clock=client.clock)
    async with asyncio.timeout(60), aclosing(tail) as lines:
        async for line in lines:
            found.append(line.text)
            if len(found) in (10, 25, 40):
                await client.hang_up()
    assert found == [f"line-{number}" for number in range(60)]


async def test_the_log_of_the_run_before_and_of_the_one_after(client: Client, pod: RunPod) -> None:
    name = pod("echo run; echo secret-$$; sleep 1; exit 1", wait="waiting")
    read = tailing.read(client.http, Source(SPACE, name), Wish(previous=True))
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(errors.Invalid):
                assert "run" in [line.text async for line in read]
                break
            await asyncio.sleep(0.2)
            read = tailing.read(client.http, Source(SPACE, name), Wish(previous=True))
    tail = tailing.follow(client.http, Source(SPACE, name), Wish(follow=True), clock=client.clock)
    runs = 0
    async with asyncio.timeout(40), aclosing(tail) as lines:
        async for line in lines:
            runs += line.text == "run"
            if runs == 2:
                break


async def test_two_pods_are_merged_and_a_third_joins(client: Client, pod: RunPod) -> None:
    speak = "i=0; while [ $i -lt 20 ]; do echo $HOSTNAME $i; i=$((i+1)); sleep 0.05; done"
    names = [pod(speak, policy="Never"), pod(speak, policy="Never")]
    third = asyncio.get_running_loop().create_future()

    async def sources() -> AsyncIterator[list[Source]]:
        yield [Source(SPACE, name) for name in names]
        yield [*(Source(SPACE, name) for name in names), Source(SPACE, await third)]

    lines = merging.merged(client.http, sources(), Wish(follow=True), clock=client.clock)
    by_pod: dict[str, list[int]] = {}
    async with asyncio.timeout(60), aclosing(lines):
        async for line in lines:
            by_pod.setdefault(line.pod, []).append(int(line.text.split()[1]))
            if not third.done():
                third.set_result(await asyncio.to_thread(pod, speak, policy="Never"))
    assert len(by_pod) == 3
    assert all(numbers == list(range(20)) for numbers in by_pod.values())


async def test_kubectl_logs_follow_previous_and_since(kubectl: list[str], pod: RunPod) -> None:
    name = pod("for i in 1 2 3 4 5; do echo line-$i; sleep 0.3; done", policy="Never")
    done = await asyncio.to_thread(said, kubectl, "logs", "-f", name)
    assert done.stdout.split() == [f"line-{number}".encode() for number in range(1, 6)]
    done = await asyncio.to_thread(said, kubectl, "logs", "--tail", "1", "--timestamps", name)
    assert done.stdout.endswith(b"Z line-5\n")
    done = await asyncio.to_thread(said, kubectl, "logs", "--limit-bytes", "4", name)
    assert done.stdout == b"line"
    done = await asyncio.to_thread(said, kubectl, "logs", "-p", name)
    assert b'previous terminated container "main"' in done.stderr


# ---- the proxy


async def test_a_websocket_that_a_pod_serves_is_reached_through_the_api_server(client: Client, pod: RunPod) -> None:
    name = pod(f"cat >/tmp/echo.pl <<'EOF'\n{ECHO}\nEOF\nexec perl /tmp/echo.pl")
    async with asyncio.timeout(60):
        while True:
            try:
                async with client.proxy_websocket(name, namespace=SPACE, port=8888, path="/ws?x=1") as socket:
                    await socket.send_text("grüße")
                    await socket.send(b"\x00\x01")
                    first, second = await socket.receive(), await socket.receive()
                    break
            except errors.PodUnreachable:
                await asyncio.sleep(0.2)
    assert first is not None
    assert second is not None
    assert (first.data.decode(), first.text, second.data, second.text) == ("grüße", True, b"\x00\x01", False)
