"""The pull script, run by a real shell against an `ollama` that does as told: what it leaves behind and says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from model_samples import spec

from sealane.models.engines import ollama
from sealane.models.types import Share

FAKE = """#!/bin/sh
echo "$@" >>"$OLLAMA_MODELS/calls"
case "$1" in
  serve)
    [ -e "$OLLAMA_MODELS/broken" ] && { echo "Error: listen: address in use"; exit 1; }
    trap 'echo stopped >>"$OLLAMA_MODELS/calls"; exit 0' TERM
    touch "$OLLAMA_MODELS/up"
    while :; do read -r _ <"$OLLAMA_MODELS/never"; done;;
  list) [ -e "$OLLAMA_MODELS/up" ];;
  pull)
    for last; do :; done
    case "$last" in
      missing*) printf 'pulling manifest \\033[K\\rError: pull model manifest: file does not exist\\n' >&2; exit 1;;
      silent*) echo "no reason given" >&2; exit 1;;
      slow*) touch "$OLLAMA_MODELS/pulling"; read -r _ <"$OLLAMA_MODELS/never";;
    esac;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "ollama").write_text(FAKE)
    (tmp_path / "ollama").chmod(0o755)
    os.mkfifo(tmp_path / "never")
    return tmp_path


def start(home: Path, model: str, flags: str = "") -> subprocess.Popen[str]:
    shell = shutil.which("dash") or shutil.which("sh")
    assert shell is not None
    environment = {
        "PATH": f"{home}:/usr/local/bin:/usr/bin:/bin",
        "OLLAMA_MODELS": str(home),
        "SEALANE_MODEL": model,
        "SEALANE_PULL_FLAGS": flags,
    }
    return subprocess.Popen(
        [shell, "-c", ollama.PULL_SCRIPT], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_model_is_pulled_and_the_server_stopped(home: Path) -> None:
    out, err = (running := start(home, "qwen2.5-coder:7b", "--insecure")).communicate(timeout=20)
    assert running.returncode == 0
    assert out == "sealane: qwen2.5-coder:7b is on the volume\n"
    assert err == ""
    calls = (home / "calls").read_text().splitlines()
    assert "serve" in calls[:2], "the server and the first question to it start side by side"
    assert "pull --insecure qwen2.5-coder:7b" in calls
    assert calls[-1] == "stopped"


def test_a_missing_tag_ends_with_the_engines_own_words(home: Path) -> None:
    out, err = (running := start(home, "missing:tag")).communicate(timeout=20)
    assert running.returncode == 1
    assert out == ""
    assert err == ("sealane: missing:tag could not be pulled\nError: pull model manifest: file does not exist\n")


def test_a_failure_without_the_word_error_shows_what_there_is(home: Path) -> None:
    _, err = (running := start(home, "silent:tag")).communicate(timeout=20)
    assert running.returncode == 1
    assert err.endswith("no reason given\n")


def test_a_server_that_does_not_start_is_said_so(home: Path) -> None:
    (home / "broken").touch()
    _, err = (running := start(home, "any:tag")).communicate(timeout=20)
    assert running.returncode == 1
    assert "address in use" in err
    assert err.endswith("sealane: ollama did not start, so any:tag could not be pulled\n")


def test_a_stop_in_the_middle_stops_everything_at_once(home: Path) -> None:
    running = start(home, "slow:tag")
    assert running.stderr is not None
    while not (home / "pulling").exists():
        assert running.poll() is None
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=20)
    assert running.returncode == 143
    assert (home / "calls").read_text().endswith("stopped\n")


def test_the_init_container_never_sees_a_gpu_and_the_server_only_when_it_has_a_share() -> None:
    def seen(pairs: list[dict[str, str]]) -> str:
        return {pair["name"]: pair["value"] for pair in pairs}.get("NVIDIA_VISIBLE_DEVICES", "all of its own")

    on_gpu, on_cpu = spec(share=Share(devices=1)), spec(share=Share(devices=0))
    assert seen(ollama.pull_env(on_gpu)) == "void"
    assert seen(ollama.serve_env(on_gpu, overhead=0)) == "all of its own"
    assert seen(ollama.serve_env(on_cpu, overhead=0)) == "void"


def test_probes_wait_for_the_server_and_not_for_the_model() -> None:
    probes = ollama.probes()
    assert set(probes) == {"startupProbe", "readinessProbe", "livenessProbe"}
    assert all(probe["httpGet"] == {"path": "/", "port": "http"} for probe in probes.values())
    assert probes["startupProbe"]["periodSeconds"] * probes["startupProbe"]["failureThreshold"] == 120
