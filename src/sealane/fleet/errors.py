"""What can go wrong with the fleet as a whole; errors of one request to one cluster are `kube.errors`.

A cluster that cannot be reached is no error by itself: it is listed with its cause. It becomes one when
somebody needs an answer from it within a limit.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealane.lib import text
from sealane.lib.errors import NextStep, SealaneError


class UnknownCluster(SealaneError):
    """A name that is no cluster of this fleet (HTTP 404)."""

    code = "unknown-cluster"
    http_status = 404

    @classmethod
    def named(cls, name: str, known: Iterable[str]) -> UnknownCluster:
        """The sentence with the nearest names."""
        names = list(known)
        close = text.nearest(name, names) or names[:5]
        hint = f" Did you mean {text.listing(close, word='or')}?" if close else " There is no cluster at all."
        return cls(
            f"There is no cluster named {name}.{hint}",
            next_steps=(NextStep(title="See which clusters are known", command="sealane doctor"),),
        )


class ClusterUnavailable(SealaneError):
    """A cluster that did not answer within the limit (HTTP 503). The sentence carries the cause."""

    code = "cluster-unavailable"
    http_status = 503
