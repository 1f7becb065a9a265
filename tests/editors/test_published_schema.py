"""Continue's configuration against the schema that Continue publishes, run in Node; a visible skip without Node."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from sealane import editors
from sealane.editors.types import Connection, ServedModel

HERE = Path(__file__).parent / "published"
ROOT = Path(__file__).parents[2]
CODER = ServedModel(name="qwen2.5-coder:7b", capabilities=("chat", "fim", "tools", "vision"), context=16384)
EMBED = ServedModel(name="nomic-embed-text:latest", capabilities=("embedding",), context=2048)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The published package, installed once a lock file into .cache."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("Node and npm are needed to run Continue's published schema")
    lock = HERE / "package-lock.json"
    place = ROOT / ".cache" / f"published-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not (place / "node_modules").is_dir():
        draft = tmp_path_factory.mktemp("published")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, draft / name)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=draft, check=True, timeout=120)
        place.parent.mkdir(exist_ok=True)
        shutil.copytree(draft, place, dirs_exist_ok=True)
    return place


def check(content: str, place: Path) -> subprocess.CompletedProcess[str]:
    script = place / "check.mjs"
    shutil.copy(HERE / "check.mjs", script)
    command = ["node", str(script), str(place)]
    return subprocess.run(command, input=content, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "connection",
    [
        Connection(root="http://127.0.0.1:8701", key="k", chat=CODER, autocomplete=CODER, embed=EMBED),
        Connection(root="http://127.0.0.1:8701", key="k", chat=ServedModel(name="gemma3:4b")),
        Connection(root="http://127.0.0.1:8701", key="k", chat=None, embed=EMBED),
    ],
    ids=["all-roles", "chat-only", "embed-only"],
)
def test_continues_configuration_obeys_the_published_schema(connection, installed):
    outcome = check(editors.render("continue", connection).content, installed)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_check_itself_finds_a_key_that_continue_does_not_know(installed):
    broken = "name: x\nversion: 1.0.0\nschema: v1\nmodels:\n- name: a\n  provider: openai\n  model: b\n  apiBass: z\n"
    outcome = check(broken, installed)
    assert outcome.returncode == 1
    assert "apiBass" in outcome.stdout
