"""How the registry serves one model: well, slowly, brokenly, or to those who may.

Tests of failure say what shall go wrong in these terms, and the registry makes it happen on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a model is served.

    `rate` is bytes a second for its weights (None: as fast as can be). `status` answers manifest requests with that
    HTTP code; `blob_status` blob requests. `cut_after` closes the connection after so many bytes of a blob, `corrupt`
    flips its bits; both for the first `faults` downloads only (None: always). `login` is "user:password" (basic) or a
    bearer token that must be presented.
    """

    rate: float | None = None
    status: int = 200
    blob_status: int = 200
    cut_after: int | None = None
    corrupt: bool = False
    faults: int | None = None
    login: str = ""
