"""Names and secrets that we make: DNS labels for objects, random keys and tokens."""

from __future__ import annotations

import re
import secrets

_NOT_DNS = re.compile(r"[^a-z0-9]+")


def dns_label(text: str, *, limit: int = 40) -> str:
    """A name for a Kubernetes object: `hf.co/a/B:7b` → `hf-co-a-b-7b`. Never empty; starts with a letter."""
    label = _NOT_DNS.sub("-", text.lower()).strip("-")[:limit].strip("-")
    if not label:
        return "model"
    return label if label[0].isalpha() else f"m-{label}"[:limit].rstrip("-")


def secret(prefix: str, *, size: int = 24) -> str:
    """A URL-safe random secret with a readable prefix; `size` is bytes of entropy."""
    return prefix + secrets.token_urlsafe(size)
