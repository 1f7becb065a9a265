"""Streams of a whole sandbox through those who use them: kubectl in both its protocols, the official Python client."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: default}
spec:
  containers:
  - name: main
    image: nginx:1.27
    command: [sh, -c, "echo one; echo two"]
    ports: [{containerPort: 8080}]
    env: [{name: GREETING, value: hello}]
    volumeMounts: [{name: secret, mountPath: /secrets, readOnly: true}, {name: work, mountPath: /work}]
  - name: side
    image: nginx:1.27
  volumes:
  - {name: secret, secret: {secretName: NAME}}
  - {name: work, emptyDir: {}}
"""
TALKER = """
apiVersion: v1
kind: Pod
metadata: {name: talker, namespace: default}
spec: {containers: [{name: main, image: "ollama/ollama:0.23.0"}]}
"""
SECRET = '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "NAME"}, "stringData": {"password": "hunter2"}}'
SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


@pytest.fixture(scope="module")
def pod(sandbox: Any) -> str:
    """A running pod of two containers that listens on 8080 and mounts a secret; its name."""
    name = "streams"
    sandbox.kubectl("apply", "-f", "-", stdin=SECRET.replace("NAME", name))
    sandbox.kubectl("apply", "-f", "-", stdin=POD.replace("NAME", name))
    sandbox.kubectl("wait", "pod", name, "--for=condition=Ready", "--timeout=20s")
    return name


@pytest.fixture(params=["websocket", "spdy"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """kubectl speaks one, then the other."""
    if request.param == "spdy":
        for key, value in SPDY.items():
            monkeypatch.setenv(key, value)
    return str(request.param)


@pytest.fixture
def official(sandbox: Any) -> Iterator[Any]:
    """The official client and its `stream`. It leaves sockets open; they are let go here."""
    from kubernetes import client, config, stream

    load: Any = config.load_kube_config  # it has no types
    load(sandbox.kubeconfig)
    yield client.CoreV1Api(), stream
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def run(sandbox: Any, pod: str, *words: str, stdin: str = "", fails: bool = False) -> str:
    answer: str = sandbox.kubectl(
        "exec", *(["-i"] if stdin else []), pod, "-c", "main", "--", *words, stdin=stdin, fails=fails
    )
    return answer


def test_exec_runs_programs_that_see_the_pod(sandbox: Any, pod: str, protocol: str) -> None:
    assert run(sandbox, pod, "cat", "/secrets/password") == "hunter2"
    assert run(sandbox, pod, "sh", "-c", "echo $GREETING; hostname") == f"hello\n{pod}\n"
    assert '"simulated":true' in run(sandbox, pod, "curl", "-s", "localhost:8080/").replace(" ", "")


def test_exit_codes_arrive(sandbox: Any, pod: str, protocol: str) -> None:
    assert "command terminated with exit code 7" in run(sandbox, pod, "sh", "-c", "exit 7", fails=True)
    said = run(sandbox, pod, "sh", "-c", "no-such-program", fails=True)
    assert "no-such-program: not found" in said
    assert "exit code 127" in said


def test_a_program_that_is_not_there_is_the_runtime_s_error(sandbox: Any, pod: str, protocol: str) -> None:
    said = run(sandbox, pod, "no-such-program", fails=True)
    assert 'exec: "no-such-program": executable file not found in $PATH' in said
    assert "Internal error occurred: error executing command in container" in said


def test_input_is_piped_in(sandbox: Any, pod: str, protocol: str) -> None:
    assert run(sandbox, pod, "wc", "-l", stdin="a\nb\nc\n") == "3\n"
    assert run(sandbox, pod, "sh", stdin="cd /tmp\npwd\nexit\n") == "/tmp\n"


def test_much_input_comes_back_whole(sandbox: Any, pod: str, protocol: str) -> None:
    text = "".join(f"line {number}\n" for number in range(60_000))
    assert run(sandbox, pod, "cat", stdin=text) == text


def test_a_terminal_has_a_prompt_an_echo_and_ctrl_c(sandbox: Any, pod: str) -> None:
    with terminal(sandbox, "exec", "-it", pod, "-c", "main", "--", "bash") as (keys, screen):
        screen("simulated")
        screen(f"@{pod}:/# ")
        keys("echo $GREETING-typex\x7fd\r")
        screen("hello-typed")
        keys("echo begun-$?; sleep 100000\r")
        screen("begun-0\r\n")
        keys("\x03")
        screen(r"\^C")
        keys("echo $?\r")
        screen("130")
        keys("exit 4\r")
        screen("exit code 4")


def test_files_are_copied_in_and_out(sandbox: Any, pod: str, tmp_path: Any) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("kept\n")
    sandbox.kubectl("cp", str(source), f"{pod}:/work/notes.txt", "-c", "main")
    assert run(sandbox, pod, "cat", "/work/notes.txt") == "kept\n"
    sandbox.kubectl("cp", f"{pod}:/work/notes.txt", str(tmp_path / "back.txt"), "-c", "main")
    assert (tmp_path / "back.txt").read_text() == "kept\n"
    assert "Read-only file system" in run(sandbox, pod, "sh", "-c", "echo x > /secrets/password", fails=True)


def test_ports_are_forwarded_and_a_closed_one_is_told_of(sandbox: Any, pod: str, protocol: str) -> None:
    with forwarded(sandbox, pod, "8080") as port:
        for path in ("/a", "/b"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                assert json.load(answer)["path"] == path
    with forwarded(sandbox, pod, "81") as port, socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100) == b""


def test_a_service_and_a_deployment_can_be_forwarded_and_many_connections_share_one_tunnel(
    sandbox: Any, pod: str
) -> None:
    with forwarded(sandbox, pod, "8080") as port:
        found: list[str] = []

        def ask(number: int) -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{number}", timeout=10) as answer:
                found.append(json.load(answer)["path"])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
        assert sorted(found) == sorted(f"/{number}" for number in range(20))


def test_attach_follows_what_the_container_says_and_ends_with_it(sandbox: Any) -> None:
    sandbox.kubectl("apply", "-f", "-", stdin=TALKER)
    sandbox.kubectl("wait", "pod", "talker", "--for=condition=Ready", "--timeout=20s")
    attached = sandbox.start_kubectl("attach", "talker")
    try:
        for _ in range(40):  # a request is a line of its log, which only who is attached by then gets to see
            sandbox.kubectl("exec", "talker", "--", "curl", "-s", "localhost:11434/v1/models")
            if select.select([attached.stdout], [], [], 0.05)[0]:
                break
        else:
            pytest.fail("attach showed nothing of what the container said")
        assert '"/v1/models"' in attached.stdout.readline()
        sandbox.kubectl("exec", "talker", "--", "kill", "1")
        rest, _ = attached.communicate(timeout=15)
    finally:
        attached.kill()
        attached.wait(10)
    assert attached.returncode == 0
    assert "Listening on" not in rest  # that would be the next run's beginning
    sandbox.kubectl("wait", "pod", "talker", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1")


def test_a_shell_that_is_run_with_a_terminal_is_attached_to_and_its_exit_code_is_the_pod_s(sandbox: Any) -> None:
    words = ["run", "visitor", "-it", "--rm", "--restart=Never", "--image=busybox", "--", "sh"]
    with terminal(sandbox, *words) as (keys, screen):
        screen("# ")
        keys("hostname\r")
        screen("visitor")
        keys("exit 5\r")
        screen('pod "visitor" deleted')
    assert "NotFound" in sandbox.kubectl("get", "pod", "visitor", fails=True)


def test_who_may_create_but_not_get_still_gets_in_by_spdy(sandbox: Any, pod: str) -> None:
    rule = ["create", "role", "exec-only", "--verb=create", "--resource=pods/exec"]
    sandbox.kubectl(*rule)
    sandbox.kubectl("create", "role", "see", "--verb=get", "--resource=pods")
    for name in ("exec-only", "see"):
        sandbox.kubectl("create", "rolebinding", name, f"--role={name}", "--user=dana")
    assert sandbox.kubectl("exec", pod, "-c", "main", "--", "whoami", user="dana") == "root\n"
    said = sandbox.kubectl("attach", pod, "-c", "main", user="dana", fails=True)
    assert 'cannot create resource "pods/attach"' in said


def test_the_official_client_streams(official: Any, pod: str) -> None:
    core, stream = official
    answer = stream.stream(
        core.connect_get_namespaced_pod_exec, pod, "default", container="main",
        command=["sh", "-c", "cat; nothing; exit 3"], stderr=True, stdin=True, stdout=True, tty=False,
        _preload_content=False,
    )  # fmt: skip
    try:
        answer.write_stdin("typed\n")
        answer.close_channel(0)
        answer.run_forever(timeout=10)
        assert answer.subprotocol == "v5.channel.k8s.io"
        assert answer.read_stdout() == "typed\n"
        assert "nothing: not found" in answer.read_stderr()
        assert answer.returncode == 3
    finally:
        answer.close()


def test_the_official_client_reads_what_a_command_writes_in_one_call(official: Any, pod: str) -> None:
    core, stream = official
    said = stream.stream(
        core.connect_get_namespaced_pod_exec, pod, "default", container="main", command=["hostname"],
        stderr=True, stdin=False, stdout=True, tty=False,
    )  # fmt: skip
    assert said == f"{pod}\n"


def test_the_official_client_forwards_ports(official: Any, pod: str) -> None:
    core, stream = official
    call = core.connect_get_namespaced_pod_portforward
    forward = stream.portforward(call, pod, "default", ports="8080")
    connection = forward.socket(8080)
    connection.settimeout(10)
    connection.sendall(b"GET /official HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    data = b""
    while b"official" not in data:
        data += connection.recv(4096)
    assert data.startswith(b"HTTP/1.1 200 OK")
    assert forward.error(8080) is None
    connection.close()
    forward.close()


def test_logs_in_all_the_ways_that_kubectl_reads_them(sandbox: Any, pod: str) -> None:
    log = sandbox.kubectl("logs", pod, "-c", "main")
    assert log.splitlines()[1:] == ["one", "two"]
    assert sandbox.kubectl("logs", pod, "-c", "main", "--tail=1") == "two\n"
    assert len(sandbox.kubectl("logs", pod, "-c", "main", "--limit-bytes=10").encode()) == 10
    stamped = sandbox.kubectl("logs", pod, "-c", "main", "--timestamps", "--tail=1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z two\n", stamped)
    assert "one" in sandbox.kubectl("logs", pod, "-c", "main", "--since=1h")
    assert sandbox.kubectl("logs", pod, "-c", "main", "--since-time=2999-01-01T00:00:00Z") == ""
    both = sandbox.kubectl("logs", pod, "--all-containers", "--prefix")
    assert f"[pod/{pod}/main] two" in both
    assert f"[pod/{pod}/side]" in both
    assert "at most one of" in sandbox.kubectl(
        "logs", pod, "-c", "main", "--since=1h", "--since-time=2020-01-01T00:00:00Z", fails=True
    )


@contextlib.contextmanager
def forwarded(sandbox: Any, pod: str, port: str) -> Iterator[int]:
    """A local port that kubectl forwards."""
    process = sandbox.start_kubectl("port-forward", f"pod/{pod}", f":{port}", "--address", "127.0.0.1")
    try:
        found = re.search(r":(\d+) ->", process.stdout.readline())
        assert found is not None
        yield int(found.group(1))
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@contextlib.contextmanager
def terminal(sandbox: Any, *arguments: str) -> Iterator[Any]:
    """kubectl on a terminal of its own: what types keys, and what waits for a text on the screen."""
    from_pod, ours = pty.openpty()
    environment = os.environ | {"KUBECONFIG": sandbox.kubeconfig, "HOME": str(sandbox.folder)}
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    process = subprocess.Popen([kubectl, *arguments], stdin=ours, stdout=ours, stderr=ours, env=environment)
    os.close(ours)
    seen = ""

    def screen(text: str) -> None:
        nonlocal seen
        limit = time.monotonic() + 10
        while not (found := re.search(text, seen)):
            ready, _, _ = select.select([from_pod], [], [], max(0.0, limit - time.monotonic()))
            assert ready, f"{text!r} is not on the screen: {seen!r}"
            try:
                seen += os.read(from_pod, 4096).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"{text!r} is not on the screen: {seen!r}") from None
        seen = seen[found.end() :]

    try:
        yield lambda text: os.write(from_pod, text.encode()), screen
    finally:
        process.terminate()
        process.wait(10)
        os.close(from_pod)
