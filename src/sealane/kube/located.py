"""YAML that remembers its lines, so that a wrong kubeconfig is answered with "file, line 12" and not with a guess.

A thin view over PyYAML's node tree: only what a kubeconfig needs (maps, lists, text, switches). Reading never builds
Python objects from tags, so nothing in a file can run. Every complaint is a `ConfigError` with the place.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

import yaml

from sealane.kube.errors import ConfigError
from sealane.lib.errors import NextStep

LARGEST = 16 * 1024 * 1024
"""Bytes of a kubeconfig. One with a thousand clusters has 6 MB; a link to a device has no end."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Place:
    """One node of one file. `what` names it for sentences, such as `user "dana"`."""

    def __init__(self, node: yaml.Node | None, file: Path, what: str) -> None:
        self.node = node
        self.file = file
        self.what = what

    @property
    def line(self) -> int:
        """1-based; 0 when the node does not exist."""
        return self.node.start_mark.line + 1 if self.node is not None else 0

    def __bool__(self) -> bool:
        return self.node is not None and not (
            isinstance(self.node, yaml.ScalarNode) and self.node.tag == "tag:yaml.org,2002:null"
        )

    def error(self, sentence: str) -> ConfigError:
        """A complaint about this place."""
        return ConfigError(sentence, file=self.file, line=self.line)

    def field(self, key: str) -> Place:
        """The value under `key`; an empty place (false) where there is none."""
        if not self:
            return Place(None, self.file, key)
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"{self.what} should be a map with keys such as {key}.")
        for name, value in self.node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return Place(value, self.file, key)
        return Place(None, self.file, key)

    def items(self) -> Iterator[Place]:
        """The entries of a list; none where there is nothing."""
        if not self:
            return
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"{self.what} should be a list.")
        for node in self.node.value:
            yield Place(node, self.file, f"an entry of {self.what}")

    def entries(self) -> Iterator[tuple[str, Place]]:
        """The keys and values of a map; none where there is nothing."""
        if not self:
            return
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"{self.what} should be a map.")
        for key, value in self.node.value:
            if isinstance(key, yaml.ScalarNode):
                yield str(key.value), Place(value, self.file, str(key.value))

    def text(self, default: str = "") -> str:
        """The scalar as written."""
        if not self:
            return default
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error(f"{self.what} should be text.")
        return str(self.node.value)

    def switch(self) -> bool:
        """A boolean; false where there is nothing."""
        value = self.text("false").lower()
        if value not in {"true", "false"}:
            raise self.error(f"{self.what} should be true or false, not {value}.")
        return value == "true"

    def base64(self) -> bytes:
        """Decoded bytes; empty where there is nothing."""
        try:
            return base64.b64decode("".join(self.text().split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.error(f"{self.what} is not valid base64.") from error

    def path(self) -> str:
        """A file's path, relative ones against the folder of this file; "" where there is none."""
        text = self.text()
        return str(self.file.parent / Path(text).expanduser()) if text else ""


def read(file: Path) -> Place:
    """The document in `file`. `ConfigError` with the line when it cannot be read or is not YAML."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        step = NextStep(title="See what is there and who may read it", command=f"ls -l {file}")
        raise ConfigError(
            f"the kubeconfig cannot be read ({(error.strerror or '').lower()}).", file=file, step=step
        ) from error
    if len(content) > LARGEST:
        raise ConfigError(f"this is no kubeconfig: it is larger than {LARGEST:,} bytes.", file=file)
    try:
        node = yaml.compose(content, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise ConfigError(
            f"this is not valid YAML: {error.problem or 'it breaks off'}.", file=file, line=line
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"this is not valid YAML: {str(error).splitlines()[0]}.", file=file) from error
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise ConfigError("this is no kubeconfig: it should be a map.", file=file, line=node.start_mark.line + 1)
    return Place(node, file, "the kubeconfig")
