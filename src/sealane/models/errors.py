"""What can be wrong with a wish to host a model: one class a cause, each with its number, its limit and the way out.

`catalogue`, `registry` and `resolve` raise theirs; `plan` never raises, it collects them as `Plan.refusals`, so that a
form shows all of them at once. The sentences are the same in UI, API and CLI.
"""

from __future__ import annotations

from sealane.lib.errors import SealaneError, UsageError


class UnknownModel(SealaneError):
    """Nobody knows a model of that name; the nearest names are in the sentence and the evidence."""

    code = "unknown-model"
    http_status = 404


class UnknownTag(SealaneError):
    """The model exists, the tag does not."""

    code = "unknown-tag"
    http_status = 404


class RegistryUnreachable(SealaneError):
    """The registry's host does not answer: DNS, refused, TLS or time-out, as the sentence says."""

    code = "registry-unreachable"
    http_status = 502


class RegistryRefused(SealaneError):
    """The registry answers, and does not let us read (401 or 403)."""

    code = "registry-refused"
    http_status = 403
    exit_code = 4


class RegistryBroken(SealaneError):
    """The registry answers with something that is not what its protocol says."""

    code = "registry-broken"
    http_status = 502


class BadGguf(SealaneError):
    """The bytes are not a GGUF header, or one that claims more than it holds."""

    code = "bad-gguf"
    http_status = 422


class BadShare(UsageError):
    """The share of a GPU makes no sense as written (`1.5`, `-1`, `0 GiB`)."""

    code = "bad-share"


class BadSpec(UsageError):
    """A number or a name of the wish is out of range."""

    code = "bad-spec"


class FractionAndWhole(UsageError):
    """Both a part of a card and whole cards were asked for; KAI refuses that pair."""

    code = "fraction-and-whole"


class FractionWithoutKai(SealaneError):
    """A part of a card on a cluster that can only give whole ones."""

    code = "fraction-without-kai"


class SharingOff(SealaneError):
    """KAI is there, its GPU sharing is switched off."""

    code = "gpu-sharing-off"


class MemoryLabelMissing(SealaneError):
    """A share in MiB needs the nodes' `nvidia.com/gpu.memory` label."""

    code = "gpu-memory-label-missing"


class FitsNowhere(SealaneError):
    """No card of the cluster, or not the asked share, holds the model. Says what is missing and what would fit."""

    code = "fits-nowhere"


class NoGpu(SealaneError):
    """The cluster has no GPU at all."""

    code = "no-gpu"


class QueueMissing(SealaneError):
    """The KAI queue does not exist: a pod in it would wait for ever without a word."""

    code = "queue-missing"


class QueueNotLeaf(SealaneError):
    """The KAI queue has child queues; only leaves schedule."""

    code = "queue-not-leaf"


class CopiesAboveQuota(SealaneError):
    """The copies together ask for more than the queue may ever hold."""

    code = "copies-above-quota"


class NameTaken(SealaneError):
    """Something of that name exists in the namespace."""

    code = "name-taken"
    http_status = 409


class NamespaceMissing(SealaneError):
    """The namespace does not exist."""

    code = "namespace-missing"
    http_status = 404
