"""The words for rights: a question, its answer, and the one sentence that page, command and doctor say about a "no".

A refusal names what is missing, where, and who can help. Nobody can read off a cluster who is in charge of it, so the
way out is the right to bind roles there, and the command that shows what one has oneself.
"""

from __future__ import annotations

import shlex
from typing import Literal

import msgspec

from sealane.kube.resources import Resource
from sealane.lib.errors import Evidence, NextStep, NotAllowed

Answer = Literal["yes", "no", "unknown"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """May I `verb` this? `namespace` "" is the whole cluster, `name` "" any object."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def full(self) -> str:
        """`pods`, or `pods/log`."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a right. `sentence` and `who` (ways out) are empty unless the answer is "no"."""

    answer: Answer
    sentence: str = ""
    who: tuple[NextStep, ...] = ()

    @property
    def denied(self) -> bool:
        """Known to be refused; what is unknown is tried, and the server decides."""
        return self.answer == "no"


YES, UNKNOWN = Verdict(answer="yes"), Verdict(answer="unknown")


class NoRight(NotAllowed):
    """Known before it was tried: the role does not allow it (HTTP 403, exit 4)."""

    code = "no-right"

    def __init__(self, verdict: Verdict, *, evidence: tuple[Evidence, ...] = ()) -> None:
        super().__init__(verdict.sentence, evidence=evidence, next_steps=verdict.who)


def refusal(context: str, question: Question) -> Verdict:
    """The "no" with its sentence and its ways out. `context` is the cluster's context, for kubectl."""
    scope = f" -n {shlex.quote(question.namespace)}" if question.namespace else ""
    kubectl = f"kubectl --context {shlex.quote(context)}"
    right = f"{question.verb} {question.resource.qualified}"
    if question.subresource:
        right += f" --subresource={question.subresource}"
    if question.namespace:
        sentence = (
            f"Your role in {question.namespace} may not {question.verb} {question.full}; "
            "ask someone who may bind roles there."
        )
    else:
        sentence = f"Your role may not {question.verb} {question.full} in all of {context}; ask whoever runs it."
    return Verdict(
        answer="no",
        sentence=sentence,
        who=(
            NextStep(title="Check this right", command=f"{kubectl}{scope} auth can-i {right}"),
            NextStep(title="See all that you may do", command=f"{kubectl}{scope} auth can-i --list"),
        ),
    )
