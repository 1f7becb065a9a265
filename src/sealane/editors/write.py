"""Writes an editor's settings file without losing what is in it.

Only files whose shape we know are written: ours are merged in (models named "(Sealane)", the `sealane` provider, the
`env` block), everything else stays, and the file as it was is kept beside it. A file that cannot be read as what it
should be is left alone, with one sentence.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sealane.editors import textfiles
from sealane.editors.types import EditorConfig
from sealane.lib.errors import NextStep, SealaneError

Document = dict[str, Any]


class SettingsUnwritable(SealaneError):
    """An editor's settings file cannot be read, merged or written."""

    code = "editor-settings-unwritable"
    http_status = 409


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What happened: the file, whether it changed, and where its former content is kept ("" when it was new)."""

    path: str
    changed: bool
    backup: str = ""


def write(config: EditorConfig, *, home: Path) -> Written:
    """Merge `config` into its file under `home`. Raises SettingsUnwritable; then nothing was changed."""
    if config.editor not in _MERGES:
        raise SettingsUnwritable(
            f"{config.editor} keeps its settings in a place that only it writes: {config.path}.",
            next_steps=(NextStep(title="Copy the fields by hand", command=f"sealane connect {config.editor}"),),
        )
    path = home / config.path.removeprefix("~/")
    if path.is_symlink():  # dotfiles are often kept in a repository that others see
        raise _unwritable(path, f"it is a link to {os.readlink(path)}, and the key would be written there")
    former = _read(path)
    fresh = _parse(config.content, config.format, path)
    merged = fresh if former is None else _MERGES[config.editor](_parse(former, config.format, path), fresh)
    content = textfiles.to_yaml(merged) if config.format == "yaml" else textfiles.to_json(merged)
    if content == former:
        return Written(path=str(path), changed=False)
    return _replace(path, content, former)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unwritable(path, str(error)) from error


def _parse(content: str, kind: str, path: Path) -> Document:
    try:
        value = yaml.safe_load(content) if kind == "yaml" else json.loads(content or "{}")
    except (yaml.YAMLError, ValueError) as error:
        raise _unwritable(path, f"it is not valid {kind.upper()}: {' '.join(str(error).split())}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unwritable(path, "its top level is not a mapping")
    return value


def _replace(path: Path, content: str, former: str | None) -> Written:
    backup = path.with_name(f"{path.name}.before-sealane")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if former is not None:
            _put(backup, former)
        _put(path, content)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    return Written(path=str(path), changed=True, backup=str(backup) if former is not None else "")


def _put(path: Path, content: str) -> None:
    """Write a file for its user alone, whole or not at all, never through a link that lies in the way."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _unwritable(path: Path, why: str) -> SettingsUnwritable:
    return SettingsUnwritable(
        f"{path} was left as it is: {why}.",
        next_steps=(NextStep(title="Mend the file, or paste the content by hand"),),
    )


def _continue(former: Document, fresh: Document) -> Document:
    kept = [model for model in former.get("models") or [] if not _ours(model)]
    return {**fresh, **former, "models": kept + fresh["models"]}


def _ours(model: object) -> bool:
    return isinstance(model, dict) and str(model.get("name", "")).endswith("(Sealane)")


def _opencode(former: Document, fresh: Document) -> Document:
    providers = {**(former.get("provider") or {}), **fresh["provider"]}
    return {**fresh, **former, "provider": providers, "model": fresh["model"]}


def _claude_code(former: Document, fresh: Document) -> Document:
    return {**former, "env": {**(former.get("env") or {}), **fresh["env"]}}


def _flat(former: Document, fresh: Document) -> Document:
    return {**former, **fresh}


_MERGES: dict[str, Callable[[Document, Document], Document]] = {
    "continue": _continue,
    "opencode": _opencode,
    "claude-code": _claude_code,
    "aider": _flat,
}
