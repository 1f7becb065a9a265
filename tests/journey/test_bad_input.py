"""Bad input as users meet it, on the running product: one sentence, the evidence, the next step; nothing is lost."""

import base64
import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from product import SEALANE, Product, environment, product

pytestmark = pytest.mark.xdist_group("journey")


def kubeconfig(running: Product, path: Path, **user: object) -> Path:
    """The sandbox's kubeconfig with its user replaced."""
    document = yaml.safe_load(Path(running.ready["kubeconfig"]).read_text())
    for entry in document["users"]:
        entry["user"] = user
    path.write_text(yaml.safe_dump(document))
    return path


def command(*args: str, config: Path, data_dir: Path) -> tuple[int, dict]:
    """One command as somebody with that kubeconfig and no running `up`."""
    outcome = subprocess.run(
        [*SEALANE, args[0], *args[1:], "--json", "--data-dir", str(data_dir)],
        capture_output=True, text=True, timeout=60, check=False, env=environment(KUBECONFIG=str(config)),
    )  # fmt: skip
    assert "Traceback" not in outcome.stderr + outcome.stdout
    return outcome.returncode, json.loads(outcome.stdout.strip().splitlines()[-1])


def test_an_expired_token_says_which_cluster_refused_whom(running, tmp_path):
    config = kubeconfig(running, tmp_path / "config", token="expired")
    code, value = command("host", "llama3.2:1b", "--cluster", "harbor-eu", config=config, data_dir=tmp_path)
    assert code in (1, 4)
    assert "harbor-eu" in value["error"]["sentence"]
    assert value["error"]["next_steps"]


def test_an_exec_plugin_that_is_missing_is_named_with_its_install_hint(running, tmp_path):
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sealane-no-such-plugin",
        "installHint": "Install it with: brew install no-such-plugin",
        "interactiveMode": "Never",
    }
    config = kubeconfig(running, tmp_path / "config", exec=plugin)
    code, value = command("host", "llama3.2:1b", "--cluster", "harbor-eu", config=config, data_dir=tmp_path)
    assert code == 1
    assert "sealane-no-such-plugin" in json.dumps(value)
    assert "brew install no-such-plugin" in json.dumps(value)


def test_an_exec_plugin_that_fails_is_quoted(running, tmp_path):
    script = tmp_path / "plugin"
    script.write_text("#!/bin/sh\necho 'your login is over, run: corp login' >&2\nexit 3\n")
    script.chmod(0o755)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    config = kubeconfig(running, tmp_path / "config", exec=plugin)
    code, value = command("host", "llama3.2:1b", "--cluster", "harbor-eu", config=config, data_dir=tmp_path)
    assert code == 1
    assert "corp login" in json.dumps(value)


def test_a_namespace_that_one_may_not_use_is_told_as_forbidden_not_as_missing(running, tmp_path):
    dana = Path(running.ready["kubeconfig"]).with_name("kubeconfig-dana")
    code, value = command(
        "host", "llama3.2:1b", "--cluster", "harbor-eu", "-n", "nlp-prod", config=dana, data_dir=tmp_path
    )
    assert code == 4, value
    assert "nlp-prod" in value["error"]["sentence"]
    assert "may not" in value["error"]["sentence"]


def test_a_limited_user_can_host_where_she_may(running, tmp_path):
    dana = Path(running.ready["kubeconfig"]).with_name("kubeconfig-dana")
    place = ("--cluster", "harbor-eu", "-n", "team-code", "--name", "danas", "--queue", "research", "--gpu", "0.25")
    code, value = command("host", "llama3.2:1b", *place, config=dana, data_dir=tmp_path)
    assert (code, value.get("stage")) == (0, "Answering"), value
    code, value = command("remove", "danas", "--cluster", "harbor-eu", "--with-weights", config=dana, data_dir=tmp_path)
    assert code == 0, value


def test_a_cluster_that_is_down_blocks_nothing_else(running, tmp_path):
    document = yaml.safe_load(Path(running.ready["kubeconfig"]).read_text())
    for entry in document["clusters"]:
        if entry["name"] == "atlas-us":
            entry["cluster"]["server"] = "https://127.0.0.1:1"
    config = tmp_path / "config"
    config.write_text(yaml.safe_dump(document))
    code, rows = command("models", config=config, data_dir=tmp_path)
    assert code == 0
    assert {row["cluster"] for row in rows} == {"harbor-eu", "bench"}
    code, value = command("doctor", config=config, data_dir=tmp_path)
    assert code == 1
    failed = [check for check in value["checks"] if check["state"] == "fail"]
    assert [check["name"] for check in failed] == ["Cluster atlas-us"]
    assert "refused" in failed[0]["sentence"]


def console(running: Product, path: str) -> dict:
    request = urllib.request.Request(running.console + path, headers={"Authorization": f"Bearer {running.token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def break_something(running: Product, cluster: str, fault: dict) -> None:
    """Switch a fault of the sandbox on, asking a cluster that stays up."""
    document = yaml.safe_load(Path(running.ready["kubeconfig"]).read_text())
    server = next(entry["cluster"] for entry in document["clusters"] if entry["name"] == "bench")
    token = document["users"][0]["user"]["token"]
    trusted = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
    request = urllib.request.Request(
        f"{server['server']}/sealane-sandbox/faults/{cluster}",
        data=json.dumps(fault).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
        assert answer.status == 200


def eventually(check: Callable[[], bool], *, seconds: float = 20) -> bool:
    pause = threading.Event()
    for _ in range(int(seconds / 0.2)):
        if check():
            return True
        pause.wait(0.2)
    return False


def test_a_cluster_that_goes_down_in_the_middle_is_told_and_comes_back_with_nothing_lost(running):
    def state(name: str) -> str:
        rows = [column["cluster"] for column in console(running, "/clusters.json")["clusters"]]
        return next(row["state"] for row in rows if row["name"] == name)

    assert eventually(lambda: state("atlas-us") == "live")
    before = {row["name"] for row in console(running, "/models.json")["models"] if row["cluster"] == "atlas-us"}
    break_something(running, "atlas-us", {"down": 4})
    assert eventually(lambda: state("atlas-us") in ("reconnecting", "unreachable"))
    assert state("harbor-eu") == "live"
    shown = {row["name"] for row in console(running, "/models.json")["models"] if row["cluster"] == "atlas-us"}
    assert shown == before, "what was last known stays, with its age"
    assert eventually(lambda: state("atlas-us") == "live"), "it is found again by itself"


def test_watches_that_are_cut_lose_nothing(running):
    break_something(running, "harbor-eu", {"cut": True, "compact": True})
    place = (
        "--cluster",
        "harbor-eu",
        "-n",
        "team-code",
        "--name",
        "after-the-cut",
        "--gpu",
        "0.25",
        "--queue",
        "research",
    )
    assert running.run("host", "llama3.2:1b", *place, "--json").returncode == 0

    def seen() -> bool:
        return any(row["name"] == "after-the-cut" for row in console(running, "/models.json")["models"])

    assert eventually(seen)
    running.json("remove", "after-the-cut", "--cluster", "harbor-eu", "--with-weights")
    assert eventually(lambda: not seen()), "a delete is not lost either"


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b'{"model": "x"}', {"Authorization": "Bearer sk-sealane-wrong"}, 401, "key"),
        (b'{"model": "x"}', {}, 401, "key"),
        (b'{"model": ', None, 400, "JSON"),
        (b"[]", None, 400, "object"),
        (b'{"model": "qwen2.5-coder:8b", "messages": []}', None, 404, "qwen2.5-coder"),
        (b'{"model": "x", "pad": "' + b"y" * (33 << 20) + b'"}', None, 413, "MiB"),
    ],
    ids=["wrong-key", "no-key", "broken-json", "not-an-object", "unknown-model", "too-large"],
)
def test_the_gateway_refuses_in_the_shape_of_the_api_that_was_called(running, body, headers, status, words):
    good = {"Authorization": f"Bearer {running.ready['key']}"}
    url = f"{running.ready['gateway']}/chat/completions"
    request = urllib.request.Request(
        url, data=body, headers={**(good if headers is None else headers), "Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    answer = json.load(caught.value)
    assert caught.value.code == status
    assert answer["error"]["code"]
    assert words in answer["error"]["message"]


def up_on(place: Path, *, options: str, then: str = "true") -> subprocess.CompletedProcess[str]:
    """`sealane up` with its data directory on a file system of its own, mounted in namespaces that need no right."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is needed to mount a file system")
    place.mkdir()
    script = f'mount -t tmpfs -o {options} none {place} && {then}; exec "$@"'
    up = [*SEALANE, "up", "--json", "--port", "0", "--gateway-port", "0", "--data-dir", str(place)]
    return subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, "sh", *up],
        capture_output=True, text=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip


def test_a_full_disk_under_the_data_directory_is_one_sentence(tmp_path):
    place = tmp_path / "small"
    fill = f"dd if=/dev/zero of={place}/full bs=1k count=200 2>/dev/null"
    outcome = up_on(place, options="size=128k", then=fill)
    assert outcome.returncode == 1, outcome.stderr
    assert "full" in json.loads(outcome.stdout)["error"]["sentence"]
    assert "Traceback" not in outcome.stderr


def test_a_read_only_data_directory_is_one_sentence(tmp_path):
    outcome = up_on(tmp_path / "ro", options="ro")
    assert outcome.returncode == 1, outcome.stderr
    assert "may not be written" in json.loads(outcome.stdout)["error"]["sentence"]


def test_a_sandbox_that_is_killed_is_started_again_with_what_it_held(tmp_path):
    with product(tmp_path) as found:
        place = ("--cluster", "bench", "--name", "kept", "--gpu", "0")
        assert found.run("host", "all-minilm", *place, "--json").returncode == 0
        saved = tmp_path / "sandbox" / "snapshots"
        assert eventually(lambda: any(b"kept" in item.read_bytes() for item in saved.rglob("*") if item.is_file()))
        children = subprocess.run(
            ["pgrep", "-P", str(found.process.pid), "-f", "sealane.sandbox"], capture_output=True, text=True, check=True
        )
        os.kill(int(children.stdout), signal.SIGKILL)

        def back() -> bool:
            with contextlib.suppress(urllib.error.HTTPError):  # between two sandboxes one is told to come again
                return any(row["name"] == "kept" for row in console(found, "/models.json")["models"])
            return False

        assert eventually(lambda: children.stdout.strip() not in _pids(found.process.pid) and back())


def _pids(parent: int) -> list[str]:
    command = ["pgrep", "-P", str(parent), "-f", "sealane.sandbox"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()


def test_killing_up_leaves_no_process_and_the_next_start_finds_everything(tmp_path):
    with product(tmp_path) as first:
        place = ("--cluster", "bench", "--name", "survivor", "--gpu", "0")
        assert first.run("host", "all-minilm", *place, "--json").returncode == 0
        sandbox = [line for line in _processes() if f"--dir {tmp_path}" in line]
        assert sandbox
    assert not [line for line in _processes() if f"--dir {tmp_path}" in line]


def _processes() -> list[str]:
    return subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
