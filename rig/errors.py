"""What can go wrong around the rig, said once: the sentence names the thing, the next step is a command.

They are `SealaneError`s so that `python -m rig` and the tests print them the way the product prints its own.
"""

from __future__ import annotations

from sealane.lib.errors import SealaneError


class RigError(SealaneError):
    """The rig cannot do what was asked of it."""

    code = "rig"


class ToolMissing(RigError):
    """A program or header that the rig needs is not on this machine."""

    code = "rig-tool-missing"


class BuildFailed(RigError):
    """A Go build ended with an error."""

    code = "rig-build-failed"


class NotInside(RigError):
    """The rig was asked to start outside its network namespace."""

    code = "rig-outside"


class StartFailed(RigError):
    """A process of the rig died, or did not answer in time."""

    code = "rig-start-failed"
