"""LiteLLM's proxy, the peer: installed from PyPI into a virtual environment of its own under .cache/, never into
ours.

One worker, one model, a master key, no database, no logging: the lightest way to run it. Where it cannot be installed
the benchmark goes on without it and says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parents[1] / ".cache" / "bench-litellm"
PYTHON = HOME / "bin" / "python"
WANTED = "litellm[proxy]"
CONFIG = """
model_list:
  - model_name: bench
    litellm_params: {model: openai/bench, api_base: "%s/v1", api_key: none}
general_settings: {master_key: %s}
litellm_settings: {telemetry: false, set_verbose: false}
"""


def install() -> str:
    """Its version once it is installed; "" and a line on stderr where that fails."""
    try:
        if not (HOME / "bin" / "litellm").exists():
            subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True, capture_output=True, timeout=120)
            pip = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", WANTED]
            subprocess.run(pip, check=True, capture_output=True, timeout=900)
        ask = "import importlib.metadata as m; print(m.version('litellm'))"
        return subprocess.run([str(PYTHON), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    except (subprocess.SubprocessError, OSError) as error:
        print(f"SKIPPED: LiteLLM cannot be installed here ({type(error).__name__}); no ratio.", file=sys.stderr)
        return ""


def start(port: int, upstream: str, key: str, folder: Path) -> subprocess.Popen[bytes]:
    """The proxy in front of `upstream`."""
    config = folder / "litellm.yaml"
    config.write_text(CONFIG % (upstream, key))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM_", "DATABASE_"))}
    environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "DO_NOT_TRACK": "1"}
    command = [str(HOME / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(
        [*command, "--num_workers", "1"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
