"""What went wrong, told apart: DNS, refused, TLS, 401, model missing, wrong tag, out of memory, time-out, cut stream.

Pure: takes what was seen on the wire and gives back one sentence and its fix. The sentences are the same on the page,
on the command line and in JSON.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Literal

import msgspec

from sealane.lib import text
from sealane.lib.errors import NextStep

Cause = Literal["dns", "refused", "tls", "timeout", "cut", "other"]

_MEMORY_WORDS = ("out of memory", "requires more system memory", "cudamalloc failed", "not enough memory", "oom")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One cause in one sentence, and the ways out."""

    code: str
    sentence: str
    fix: tuple[NextStep, ...] = ()


def unreachable(cause: Cause, *, host: str, port: int, detail: str, limit: float) -> Finding:
    """Why no answer came at all."""
    at = f"{host}:{port}"
    if cause == "dns":
        return Finding(
            code="dns",
            sentence=f"The name {host} cannot be resolved: {detail}.",
            fix=(NextStep(title="Check the spelling, or use the address that `sealane up` printed"),),
        )
    if cause == "refused":
        return Finding(
            code="refused",
            sentence=f"Nothing listens on {at}: the connection was refused.",
            fix=(NextStep(title="Start Sealane", command="sealane up"),),
        )
    if cause == "tls":
        return Finding(
            code="tls",
            sentence=f"TLS with {at} failed: {detail}.",
            fix=(
                NextStep(title="Use http:// for a gateway on this computer"),
                NextStep(title="Else add its certificate authority to the editor's trust store"),
            ),
        )
    if cause == "timeout":
        return Finding(
            code="timeout",
            sentence=f"{at} did not answer within {text.duration(limit)}.",
            fix=(
                NextStep(title="See whether the model is still loading or its queue is full", command="sealane models"),
                NextStep(title="Add a copy", command="sealane scale NAME --copies 2"),
            ),
        )
    if cause == "cut":
        return Finding(
            code="cut",
            sentence=f"{at} closed the stream before the answer was complete: {detail}.",
            fix=(NextStep(title="See whether a pod was restarted", command="sealane models"),),
        )
    return Finding(code="other", sentence=f"The request to {at} failed: {detail}.")


def refused_status(status: int, body: str, *, model: str, served: Sequence[str]) -> Finding:
    """Why an answer with an error status came; `body` is its text, `served` the models that the gateway lists."""
    said = _said(body)
    if status == 401:
        return Finding(
            code="key",
            sentence="The key was refused (401): it is wrong, or it was revoked.",
            fix=(NextStep(title="Make a new key in the console under Keys, then connect the editor again"),),
        )
    if any(word in said.lower() for word in _MEMORY_WORDS):
        return Finding(
            code="out-of-memory",
            sentence=f"{model} does not fit into the memory of its share: {said}",
            fix=(
                NextStep(
                    title="Give it a larger share, or a smaller context", command=f"sealane fit {shlex.quote(model)}"
                ),
                NextStep(title="Or host a smaller variant"),
            ),
        )
    if status == 404 and model:
        return missing(model, served)
    if status in (503, 504):
        return Finding(
            code="not-ready",
            sentence=f"{model or 'The gateway'} cannot answer yet ({status}): {said}",
            fix=(NextStep(title="See what it waits for", command="sealane models"),),
        )
    return Finding(code=f"http-{status}", sentence=f"The answer was {status}: {said}")


def missing(model: str, served: Sequence[str]) -> Finding:
    """A model that is not served: a wrong tag of one that is, or not hosted at all."""
    base = model.split(":", 1)[0]
    tags = [name for name in served if name.split(":", 1)[0] == base]
    if tags:
        return Finding(
            code="wrong-tag",
            sentence=f"{model} is not hosted under that tag; hosted is {text.listing(tags)}.",
            fix=(NextStep(title=f"Write {tags[0]} in the editor, exactly so"), _host(model)),
        )
    near = text.nearest(model, served)
    hosted = f"; hosted are {text.listing(near or list(served)[:5])}" if served else "; nothing is hosted"
    return Finding(code="model-missing", sentence=f"{model} is not hosted{hosted}.", fix=(_host(model),))


def _host(model: str) -> NextStep:
    return NextStep(title=f"Host {model}", command=f"sealane host {shlex.quote(model)}")


def _said(body: str) -> str:
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.strip()[:200] or "no text"
    error = value.get("error") if isinstance(value, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or body)[:300]
