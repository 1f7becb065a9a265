"""What the real server answered, kept so that the sandbox can be held against it where there is no rig.

One JSON file a scene, in lines, so that a change of an answer reads as a change of lines. Each says what answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talks.speak import Said

FOLDER = Path(__file__).parents[2] / "sandbox" / "golden"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The answers of one scene and the versions that gave them ({"kubectl": …, "kube-apiserver": …, "kai": …})."""

    versions: Mapping[str, str]
    said: Mapping[str, Said]


def read(scene: str) -> Recorded:
    """What is recorded of a scene; raises FileNotFoundError."""
    found = json.loads((FOLDER / f"{scene}.json").read_text("utf-8"))
    said = {
        name: Said(code=each.get("code", 0), out="\n".join(each.get("out", ())), err="\n".join(each.get("err", ())))
        for name, each in found["said"].items()
    }
    return Recorded(versions=found["versions"], said=said)


def write(scene: str, recorded: Recorded) -> Path:
    """Keep the answers of a scene."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    said = {name: _lines(each) for name, each in recorded.said.items()}
    path = FOLDER / f"{scene}.json"
    text = json.dumps({"versions": dict(recorded.versions), "said": said}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", "utf-8")
    return path


def _lines(said: Said) -> dict[str, object]:
    """Without what is empty: most answers have no error and code 0."""
    whole = {"code": said.code, "out": said.out.splitlines(), "err": said.err.splitlines()}
    return {name: value for name, value in whole.items() if value}
