"""What is particular to Ollama: image, environment, how it pulls, how it says that it is well.

Ollama has no flag for "this model only": its need is fixed by naming one context, one parallelism and one loaded model,
which the plan has checked against the share. OLLAMA_GPU_OVERHEAD is taken from what is *free* on the card, not from its
size (0.23 `llm/server.go`), so it may only be what the share has beyond the need: more would push the model itself off
a card whose neighbours have filled their parts.
"""

from __future__ import annotations

from typing import Any, Final

from sealane.models.types import ModelSpec

IMAGE: Final = "ollama/ollama:0.23.0"
PORT: Final = 11434
MODELS: Final = "/models"

PULL_SCRIPT: Final = """\
set -eu
pull=
exec 9>"$OLLAMA_MODELS/.sealane-pull.lock"
if command -v flock >/dev/null 2>&1; then flock 9; fi
log=$(mktemp)
out=$(mktemp)
ollama serve >"$log" 2>&1 9>&- &
server=$!
trap 'kill $server $pull 2>/dev/null || true; wait' EXIT
trap 'exit 143' TERM INT
tries=0
until ollama list >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -ge 120 ] || ! kill -0 "$server" 2>/dev/null; then
    tail -n 5 "$log" >&2
    echo "sealane: ollama did not start, so $SEALANE_MODEL could not be pulled" >&2
    exit 1
  fi
  sleep 0.5
done
ollama pull $SEALANE_PULL_FLAGS "$SEALANE_MODEL" >"$out" 2>&1 9>&- &
pull=$!
if ! wait "$pull"; then
  pull=
  why=$(tr '\\r' '\\n' <"$out" | sed 's/\\x1b\\[[?0-9;]*[a-zA-Z]//g' | grep -i 'error' | tail -n 3)
  [ -n "$why" ] || why=$(tail -c 400 "$out")
  printf '%s\\n' "sealane: $SEALANE_MODEL could not be pulled" "$why" >&2
  exit 1
fi
pull=
echo "sealane: $SEALANE_MODEL is on the volume"
"""
"""Run by the init container. One copy pulls at a time where copies share a volume; a tag that is there is quick.

A failed pull ends with Ollama's own error as the last lines, which Kubernetes keeps as the termination message.
"""

SINGLE_REQUEST: Final = ("qwen3vl", "qwen35", "qwen3next", "lfm2", "nemotron_h", "mllama")
"""Architectures that Ollama serves one request at a time whatever OLLAMA_NUM_PARALLEL says (`server/sched.go`)."""


def serve_env(spec: ModelSpec, *, overhead: int) -> list[dict[str, Any]]:
    """The server's environment. `overhead` is bytes of each card to leave alone, 0 for none."""
    pairs = {
        **_common(spec),
        "OLLAMA_CONTEXT_LENGTH": str(spec.context),
        "OLLAMA_NUM_PARALLEL": str(spec.parallel),
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_LOAD_TIMEOUT": "15m",
        "OLLAMA_FLASH_ATTENTION": "1",
        "OLLAMA_KV_CACHE_TYPE": spec.kv,
    }
    if overhead > 0:
        pairs["OLLAMA_GPU_OVERHEAD"] = str(overhead)
    if not spec.share.on_gpu:
        pairs["NVIDIA_VISIBLE_DEVICES"] = "void"
    return _env(pairs)


def pull_env(spec: ModelSpec) -> list[dict[str, Any]]:
    """The init container's environment: it never sees a GPU."""
    flags = "--insecure" if spec.insecure_registry else ""
    return _env({**_common(spec), "SEALANE_PULL_FLAGS": flags, "NVIDIA_VISIBLE_DEVICES": "void"})


def pull_command() -> list[str]:
    """The init container's command."""
    return ["/bin/sh", "-c", PULL_SCRIPT]


def probes() -> dict[str, Any]:
    """Startup, readiness and liveness: `GET /` answers as soon as the server listens, also while a model loads."""
    return {
        "startupProbe": _probe(period=2, failures=60, timeout=2),
        "readinessProbe": _probe(period=5, failures=3, timeout=3),
        "livenessProbe": _probe(period=20, failures=6, timeout=5),
    }


def _probe(*, period: int, failures: int, timeout: int) -> dict[str, Any]:
    get = {"path": "/", "port": "http"}
    return {"httpGet": get, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": timeout}


def _common(spec: ModelSpec) -> dict[str, str]:
    return {
        "SEALANE_MODEL": spec.model,
        "OLLAMA_HOST": f"0.0.0.0:{PORT}",
        "OLLAMA_MODELS": MODELS,
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NO_CLOUD": "1",
        "HOME": MODELS,
    }


def _env(pairs: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in pairs.items()]
