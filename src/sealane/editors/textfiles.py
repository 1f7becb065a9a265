"""Settings files as people have them: JSON with two spaces, YAML in the order in which it is thought of."""

from __future__ import annotations

import json
from typing import Any

import yaml


def to_json(value: Any) -> str:
    """Readable JSON text, plain characters unescaped, a newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def to_yaml(value: Any) -> str:
    """Readable YAML text in the given order of keys; never folds a line, so that keys and addresses stay whole."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)
