"""What the console itself refuses, each as one sentence with its next step. Other errors arrive ready-made from
below."""

from __future__ import annotations

from typing import Literal

from sealane.lib import text
from sealane.lib.errors import Evidence, NextStep, NotAllowed, SealaneError, UsageError


class NoSession(SealaneError):
    """Nobody is signed in here, or the token is not ours."""

    code = "session-missing"
    http_status = 401
    exit_code = 4

    def __init__(self, *, reason: Literal["missing", "used", "token"]) -> None:
        sentence = {
            "missing": "This browser has no session with the console yet.",
            "used": "This link has opened a session already, and it works once.",
            "token": "The token is not the one of this console.",
        }[reason]
        steps = (
            NextStep(title="Open the address that sealane printed when it started"),
            NextStep(title="Or write its token, the part after “token=”, in the box"),
            NextStep(title="For scripts: send it as a header", command='curl -H "Authorization: Bearer TOKEN" …'),
        )
        super().__init__(sentence, next_steps=steps)


class ForeignHost(NotAllowed):
    """The request asked for a name that is not ours: DNS rebinding, or a proxy that was not told of."""

    code = "host-not-allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The console does not answer to the name “{host[:100]}”.",
            next_steps=(
                NextStep(title="Open it by the address that sealane printed"),
                NextStep(title="To reach it by another name, bind it there", command="sealane up --host NAME"),
            ),
        )


class ForeignOrigin(NotAllowed):
    """Something was asked for by a page that is not ours."""

    code = "origin-not-allowed"

    def __init__(self, origin: str) -> None:
        super().__init__(
            "The request was refused because it did not come from a page of this console.",
            evidence=(Evidence(label="Origin", value=origin[:100] or "not said"),),
            next_steps=(
                NextStep(title="From a script, send the token", command='curl -H "Authorization: Bearer TOKEN" …'),
            ),
        )


class BodyTooLarge(UsageError):
    """More was sent than any form holds."""

    code = "body-too-large"
    http_status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request is larger than the {text.binary_bytes(limit)} that the console takes.")


class BodyTooSlow(UsageError):
    """The body did not come."""

    code = "body-timeout"
    http_status = 408

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request's body did not arrive within {text.duration(seconds)}.")


class NoSuchPage(SealaneError):
    """An address that the console does not have."""

    code = "page-not-found"
    http_status = 404

    def __init__(self, path: str) -> None:
        super().__init__(f"There is no page {path[:200]}.")


class WrongMethod(UsageError):
    """An address asked in a way that it does not take."""

    code = "method-not-allowed"
    http_status = 405

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"{path[:200]} does not take {method}.")


class Refused(UsageError):
    """A form that cannot be done as it stands. `fields` maps a field's name to its sentence."""

    code = "form"
    http_status = 422

    def __init__(self, sentence: str, *, fields: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.fields = fields or {}


class Unexpected(SealaneError):
    """A bug of ours. The traceback is in the log under `mark`; the reader gets the mark."""

    code = "internal"
    http_status = 500

    def __init__(self, mark: str) -> None:
        super().__init__(
            "Sealane failed to do that; the fault is its own.",
            evidence=(Evidence(label="Mark in the log", value=mark),),
            next_steps=(
                NextStep(title="Try again; if it comes back, report it with the mark", command="sealane doctor"),
            ),
        )
