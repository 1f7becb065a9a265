"""What can go wrong when a plan meets a real cluster, beyond what the plan could know.

The plan's refusals are `models.errors`; these are the API server's, told with our names, numbers and next steps.
"""

from __future__ import annotations

from sealane.lib.errors import NotAllowed, SealaneError


class NamespaceForbidden(NotAllowed):
    """The caller may not create what the plan needs in this namespace."""

    code = "namespace-forbidden"


class PodRefused(SealaneError):
    """The cluster would refuse the model's pods: an admission webhook, Pod Security, a quota that is too small."""

    code = "pod-refused"
    http_status = 422


class FieldConflict(SealaneError):
    """Somebody else changed fields that the plan wants to set."""

    code = "field-conflict"
    http_status = 409


class PartlyApplied(SealaneError):
    """Something failed after the first objects were there. The sentence has the cause, the evidence what exists."""

    code = "partly-applied"
    http_status = 502


class StillLeaving(SealaneError):
    """A removal was accepted and the pods are not gone within the limit."""

    code = "still-leaving"
    http_status = 504
