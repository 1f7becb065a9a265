"""The labels and annotations by which Sealane finds what it made: written by `workload`, read by everybody else.

They are a contract with the clusters: what one version wrote, every later one must find, so none of them ever changes.
"""

from __future__ import annotations

from typing import Final

NAME_LABEL: Final = "app.kubernetes.io/name"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "sealane"
"""The value of `MANAGED_BY` on objects of ours."""

MODEL_ANNOTATION: Final = "sealane.dev/model"
ENGINE_ANNOTATION: Final = "sealane.dev/engine"
SHARE_ANNOTATION: Final = "sealane.dev/share"

QUEUE_LABEL: Final = "kai.scheduler/queue"
KAI_SCHEDULER: Final = "kai-scheduler"


def selection(name: str) -> dict[str, str]:
    """The labels that select every pod of the model `name`, and every object of it; they never change in its life."""
    return {NAME_LABEL: name, MANAGED_BY: MANAGER}
