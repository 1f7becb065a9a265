"""Credential plugins as small shell scripts: what they are told, what they answer, and each way of failing."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealane.kube import plugin
from sealane.kube.config import Context, ExecSpec
from sealane.kube.errors import ExecPluginFailed, ExecPluginMissing

V1 = "client.authentication.k8s.io/v1"
CONTEXT = Context(name="harbor-eu", server="https://harbor:6443", ca_data=b"PEM", tls_server_name="kubernetes")
Script = Callable[..., ExecSpec]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def make(text: str, **more: Any) -> ExecSpec:
        path = tmp_path / "login"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return ExecSpec(**{"api_version": V1, "command": str(path), **more})

    return make


def answer(version: str = V1, kind: str = "ExecCredential", **status: str) -> str:
    return f"echo '{json.dumps({'apiVersion': version, 'kind': kind, 'status': status})}'"


async def test_a_token_is_taken(script: Script) -> None:
    granted = await plugin.run(script(answer(token="t1", expirationTimestamp="2026-01-01T00:10:00Z")), CONTEXT)
    assert granted.token == "t1"
    assert granted.expiration_timestamp is not None
    assert granted.expiration_timestamp.minute == 10
    assert "t1" not in repr(granted)


async def test_a_certificate_with_its_key_is_taken(script: Script) -> None:
    granted = await plugin.run(script(answer(clientCertificateData="C", clientKeyData="K")), CONTEXT)
    assert (granted.client_certificate_data, granted.client_key_data) == ("C", "K")


async def test_the_older_version_is_spoken(script: Script) -> None:
    old = "client.authentication.k8s.io/v1beta1"
    assert (await plugin.run(script(answer(old, token="t"), api_version=old), CONTEXT)).token == "t"


async def test_it_is_told_version_and_cluster_and_gets_its_own_environment(script: Script, tmp_path: Path) -> None:
    text = f'printf "%s|%s|%s" "$KUBERNETES_EXEC_INFO" "$PROFILE" "$1" > {tmp_path}/told\n' + answer(token="t")
    spec = script(text, args=("eu",), env=(("PROFILE", "dev"),), provide_cluster_info=True)
    await plugin.run(spec, CONTEXT)
    told, profile, first = (tmp_path / "told").read_text().split("|")
    info = json.loads(told)
    assert (info["apiVersion"], info["kind"], info["spec"]["interactive"]) == (V1, "ExecCredential", False)
    assert info["spec"]["cluster"]["server"] == "https://harbor:6443"
    assert info["spec"]["cluster"]["certificate-authority-data"] == "UEVN"
    assert info["spec"]["cluster"]["tls-server-name"] == "kubernetes"
    assert (profile, first) == ("dev", "eu")


def test_the_cluster_is_not_told_where_the_kubeconfig_does_not_say_so() -> None:
    info = json.loads(plugin.exec_info(ExecSpec(api_version=V1, command="x"), CONTEXT))
    assert "cluster" not in info["spec"]


async def test_a_missing_plugin_says_how_to_install_it(tmp_path: Path) -> None:
    spec = ExecSpec(
        api_version=V1,
        command="kubelogin-7",
        install_hint="brew install\n  kubelogin",
        file=tmp_path / "config",
        line=9,
    )
    with pytest.raises(
        ExecPluginMissing, match="signs in with the program kubelogin-7, which is not installed"
    ) as caught:
        await plugin.run(spec, CONTEXT)
    assert caught.value.next_steps[0].title == "brew install kubelogin"
    assert caught.value.line == 9


async def test_a_failing_plugin_is_quoted(script: Script) -> None:
    with pytest.raises(ExecPluginFailed, match="failed with exit code 3: the session is over"):
        await plugin.run(script("echo start >&2; echo the session is over >&2; exit 3"), CONTEXT)


async def test_a_failing_plugins_arguments_are_not_told(script: Script) -> None:
    spec = script("exit 3", args=("--client-secret=hush",), env=(("PASSWORD", "hush"),))
    with pytest.raises(ExecPluginFailed) as caught:
        await plugin.run(spec, CONTEXT)
    assert "hush" not in str(caught.value.to_json())
    assert caught.value.next_steps[0].command == "kubectl --context harbor-eu auth whoami"


async def test_a_failing_plugin_may_be_silent(script: Script) -> None:
    with pytest.raises(ExecPluginFailed, match="exit code 1 and said nothing"):
        await plugin.run(script("exit 1"), CONTEXT)


async def test_a_file_that_cannot_be_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("no program")
    with pytest.raises(ExecPluginFailed, match="cannot be started"):
        await plugin.run(ExecSpec(api_version=V1, command=str(tmp_path / "login")), CONTEXT)


async def test_a_plugin_that_hangs_is_ended_with_its_children(script: Script, tmp_path: Path) -> None:
    spec = ExecSpec(
        api_version=V1,
        command=sys.executable,
        args=("-c", f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"),
    )
    with pytest.raises(ExecPluginFailed, match=r"did not answer within 0\.5 s"):
        await plugin.run(spec, CONTEXT, limit=0.5)
    pid = (tmp_path / "pid").read_text()
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_text()


async def test_a_plugin_that_talks_without_end_is_ended(script: Script) -> None:
    with pytest.raises(ExecPluginFailed, match="answered more than 1,048,576 bytes"):
        await plugin.run(script("exec yes"), CONTEXT)


async def test_a_browser_that_a_plugin_leaves_open_is_not_waited_for(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "LINGER", 0.1)
    text = f"sleep 60 >/dev/null & echo $! > {tmp_path}/browser\n" + answer(token="t")
    try:
        assert (await plugin.run(script(text), CONTEXT, limit=30)).token == "t"
        os.kill(int((tmp_path / "browser").read_text()), 0)  # it is the person's: it goes on
    finally:
        os.kill(int((tmp_path / "browser").read_text()), signal.SIGKILL)


async def test_a_plugin_that_complains_at_length_is_heard_to_its_end(script: Script) -> None:
    text = "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo the last word >&2; exit 4"
    with pytest.raises(ExecPluginFailed, match="exit code 4: the last word"):
        await plugin.run(script(text), CONTEXT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo hello", "no ExecCredential"),
        (answer(kind="Secret", token="t"), "answered Secret of"),
        (
            answer("client.authentication.k8s.io/v1beta1", token="t"),
            "where client.authentication.k8s.io/v1 is configured",
        ),
        (answer(), "neither a token nor a client certificate"),
        (answer(clientCertificateData="C"), "without its key"),
    ],
)
async def test_nonsense_is_refused(script: Script, text: str, words: str) -> None:
    with pytest.raises(ExecPluginFailed, match=words):
        await plugin.run(script(text), CONTEXT)


async def test_a_plugin_that_must_ask_is_not_started(script: Script, tmp_path: Path) -> None:
    spec = script(f"touch {tmp_path}/ran", interactive_mode="Always")
    with pytest.raises(ExecPluginFailed, match="needs a terminal") as caught:
        await plugin.run(spec, CONTEXT)
    assert caught.value.next_steps[0].command == "kubectl --context harbor-eu auth whoami"
    assert not (tmp_path / "ran").exists()
