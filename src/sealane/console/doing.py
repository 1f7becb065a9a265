"""What the reader may do with one model: a verdict for each button, so that a press never brings the first refusal.

A button that is refused stays where it is, can be focused and pressed, and says why it does nothing and who can help:
hiding it would leave people guessing whether the product can do it at all.
"""

from __future__ import annotations

import msgspec

from sealane.console.services import Ref, Rights
from sealane.fleet.rights import Verdict


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts by action. `apply` is that of the knobs: refused only where copies may not be set either."""

    logs: Verdict
    ask: Verdict
    scale: Verdict
    restart: Verdict
    change: Verdict
    apply: Verdict
    remove: Verdict


def doing(rights: Rights, ref: Ref) -> Doing:
    """What is known now of the rights to one model."""
    scale, change = rights.may("scale", ref), rights.may("change", ref)
    return Doing(
        logs=rights.may("logs", ref),
        ask=rights.may("ask", ref),
        scale=scale,
        restart=rights.may("restart", ref),
        change=change,
        apply=change if scale.denied else scale,
        remove=rights.may("remove", ref),
    )


def hidden_in(rights: Rights, cluster: str) -> tuple[str, ...]:
    """The kinds of a cluster that may not be read at all."""
    return next((sight.hidden for sight in rights.sights() if sight.cluster == cluster), ())
