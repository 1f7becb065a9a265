"""One shape for everything that can go wrong, so that UI, API and CLI say the same sentence.

An error is one sentence with the object, the number and the limit; then its evidence; then the next step.
Subclasses live beside their user (`kube.errors`, `models.errors`, …) and set `code`, `http_status` and
`exit_code`; text is never rewritten on the way up. A bug of ours is not a SealaneError.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One fact behind a sentence. `unit` is "" for names; `object` is a reference such as `node/gpu-2` or ""."""

    label: str
    value: str | int | float
    unit: str = ""
    object: str = ""


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """A way out: what to do, and the command that does it ("" where there is none)."""

    title: str
    command: str = ""


class SealaneError(Exception):
    """The user's fault, the cluster's fault or the network's, never ours: always fit to be shown.

    `code` is stable and kebab-case; scripts rely on it. `http_status` and `exit_code` are how the console,
    the gateway and the CLI answer.
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 400
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        sentence: str,
        *,
        evidence: tuple[Evidence, ...] = (),
        next_steps: tuple[NextStep, ...] = (),
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.evidence = evidence
        self.next_steps = next_steps

    def to_json(self) -> dict[str, Any]:
        """The body of `{"error": …}` as contracts promise: code, sentence, evidence, next_steps."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "evidence": [msgspec.to_builtins(item) for item in self.evidence],
            "next_steps": [msgspec.to_builtins(step) for step in self.next_steps],
        }


class UsageError(SealaneError):
    """What was asked is not well formed (exit 2, HTTP 400)."""

    code = "usage"
    exit_code = 2


class NotAllowed(SealaneError):
    """The caller lacks a right, or a rule forbids it (exit 4, HTTP 403)."""

    code = "not-allowed"
    http_status = 403
    exit_code = 4
