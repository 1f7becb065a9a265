"""What can be wrong with a source of project health, in one sentence each."""

from __future__ import annotations

from sealane.lib.errors import SealaneError


class SourceMissing(SealaneError):
    """The folder, file or repository is not there."""

    code = "health-source-missing"


class SourceBroken(SealaneError):
    """It is there, but cannot be read as what it should be."""

    code = "health-source-broken"


class ForgeUnreachable(SealaneError):
    """A forge does not answer, or not with what its API promises."""

    code = "health-forge-unreachable"
    http_status = 502


class ForgeRefused(SealaneError):
    """A forge does not show the repository to us: it is private, gone, blocked, or the token is no good."""

    code = "health-forge-refused"
    http_status = 403
    exit_code = 4


class ForgeLimited(SealaneError):
    """The budget of calls is spent for longer than we may wait. What was fetched is kept; the same command goes on."""

    code = "health-forge-limited"
    http_status = 429
    exit_code = 3


class FetchBusy(SealaneError):
    """Another process fetches the same repository now."""

    code = "health-fetch-busy"
    http_status = 409
