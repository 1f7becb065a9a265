"""A model's name, read and written exactly as Ollama does, so that a tag is never changed on its way.

A name is `[host[:port]/][namespace/]model[:tag]`; what is left out is `registry.ollama.ai`, `library` and `latest`.
Two parts are namespace and model, never host and model: a private registry therefore always needs a namespace.
Character and length rules are those of Ollama's `types/model/name.go`. No I/O here; `registry` talks to the host.
"""

from __future__ import annotations

import functools
import re

import msgspec

from sealane.lib.errors import NextStep, UsageError

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}\Z")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\Z")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_SHOWN = 80


class BadReference(UsageError):
    """The text cannot be the name of a model."""

    code = "bad-model-name"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A fully qualified name. `text` gives it back with the defaults left out, the tag always written."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def text(self) -> str:
        """As Ollama lists it: `qwen2.5-coder:7b`, `team/m:latest`, `localhost:5000/team/m:tag`."""
        name = f"{self.model}:{self.tag}"
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{name}"
        return name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{name}"

    @property
    def repository(self) -> str:
        """The path below `/v2/` at the registry: `library/qwen2.5-coder`."""
        return f"{self.namespace}/{self.model}"

    @property
    def private(self) -> bool:
        """Whether a host was named, so that the public library is not meant."""
        return self.host != DEFAULT_HOST


def parse(text: str) -> Reference:
    """Read a name; raises BadReference with the part that is wrong. A leading `https://` is dropped, as Ollama does."""
    name = _SCHEME.sub("", text.strip(), count=1)
    if not name:
        raise _bad(text, "it is empty")
    if "@" in name:
        raise _bad(text, "names by digest (@sha256:…) are not served by Ollama; name a tag")
    name, tag = _cut_tag(name)
    parts = name.split("/")
    if len(parts) > 3:
        raise _bad(text, f"it has {len(parts)} parts; at most host/namespace/model are allowed")
    model = parts[-1]
    namespace = parts[-2] if len(parts) > 1 else DEFAULT_NAMESPACE
    host = parts[0] if len(parts) == 3 else DEFAULT_HOST
    if ":" in namespace:
        raise _bad(text, f"a registry needs a namespace too: {namespace}/NAMESPACE/{model}:{tag}")
    for kind, part, rule in (
        ("host", host, _HOST),
        ("namespace", namespace, _NAMESPACE),
        ("model", model, _MODEL),
        ("tag", tag, _MODEL),
    ):
        if not rule.match(part):
            raise _bad(text, f"its {kind} “{_short(part)}” is empty, too long or has a character that is not allowed")
    return Reference(host=host, namespace=namespace, model=model, tag=tag)


@functools.lru_cache(4096)
def is_name(text: str) -> bool:
    """Whether the text can be a model's name: for what others wrote into a cluster, which is copied into files,
    commands and headers."""
    try:
        parse(text)
    except BadReference:
        return False
    return text == text.strip()


def canonical(text: str) -> str:
    """The one spelling of a name that two people could type differently: `llama3.2` → `llama3.2:latest`."""
    return parse(text).text


def _cut_tag(name: str) -> tuple[str, str]:
    head, colon, tail = name.rpartition(":")
    if not colon or "/" in tail:
        return name, DEFAULT_TAG
    return head, tail


def _short(text: str) -> str:
    """Enough of what was typed to recognise it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _bad(text: str, why: str) -> BadReference:
    return BadReference(
        f"“{_short(text)}” is not a model's name: {why}.",
        next_steps=(NextStep(title="Write it as model:tag, for example qwen2.5-coder:7b"),),
    )
