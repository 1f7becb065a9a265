"""What can be wrong with a source of project health, in one sentence each."""

from __future__ import annotations

from sealane.lib.errors import SealaneError


class SourceMissing(SealaneError):
    """The folder, file or repository is not there."""

    code = "health-source-missing"


class SourceBroken(SealaneError):
    """It is there, but cannot be read as what it should be."""

    code = "health-source-broken"
