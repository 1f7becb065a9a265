"""What Kubernetes and the engine say when something fails, turned into one sentence of ours. Pure.

Each function takes the foreign text and gives back a sentence that names the object, the number and the limit; a text
that is not known is passed on whole, never hidden. The shapes are those of Kubernetes 1.34, KAI 0.12 and Ollama 0.23.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from fractions import Fraction

from sealane.kube import quantities
from sealane.models.stage_views import Terminated

_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+)$", re.DOTALL)
_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request: (.+)', re.DOTALL)
_SECURITY = re.compile(r'violates PodSecurity "([^"]+)": (.+)', re.DOTALL)
_MEMORY = re.compile(r"requires more system memory \(([^)]+)\) than is available \(([^)]+)\)")
_REQUEST_PREFIX = re.compile(r'^pods? "[^"]*" is forbidden: ')

NOT_THERE = ("file does not exist", "manifest unknown", "model not found", "pull model manifest: 404")
NO_WAY = ("no such host", "connection refused", "i/o timeout", "network is unreachable", "server misbehaving")


def is_quota(message: str) -> bool:
    """True when the text is a ResourceQuota's refusal, which ends when others make room."""
    return _QUOTA.search(message) is not None


def quota_is_too_small(message: str) -> bool:
    """True when the quota's refusal can never end: what is asked exceeds the hard limit by itself."""
    found = _QUOTA.search(message)
    if found is None:
        return False
    asked, hard = _amounts(found.group(2)), _amounts(found.group(4))
    return any(amount > hard[name] for name, amount in asked.items() if name in hard)


def _amounts(listed: str) -> dict[str, Fraction]:
    """`requests.cpu=2,pods=1` as numbers; what is no quantity is left out."""
    found: dict[str, Fraction] = {}
    for pair in listed.split(","):
        name, _, amount = pair.strip().partition("=")
        with contextlib.suppress(quantities.BadQuantity):
            found[name] = quantities.parse(amount)
    return found


def creation(message: str) -> str:
    """Why the pods of a deployment are not even created: quota, admission, Pod Security, or the text itself."""
    quota = _QUOTA.search(message)
    if quota:
        name, asked, used, hard = (part.strip() for part in quota.groups())
        return f"The quota {name} of this namespace is used up: asked {asked}, used {used}, limit {hard}."
    webhook = _WEBHOOK.search(message)
    if webhook:
        return f"The cluster refuses the pod: {_line(webhook.group(2))} (admission webhook {webhook.group(1)})."
    security = _SECURITY.search(message)
    if security:
        return f"Pod Security {security.group(1)} of this namespace refuses the pod: {_line(security.group(2))}."
    return f"The cluster refuses to create the pod: {_line(_REQUEST_PREFIX.sub('', message))}."


def pull(message: str, *, model: str) -> str:
    """Why the model's weights cannot be pulled, from the engine's own words."""
    said = last_line(message)
    lowered = said.lower()
    if any(text in lowered for text in NOT_THERE):
        return f"The model {model} does not exist in its registry; check the exact tag ({said})."
    if "unauthorized" in lowered or "access denied" in lowered or "authentication required" in lowered:
        return f"The registry does not let this cluster pull {model} ({said})."
    if "no space left" in lowered:
        return f"The volume is full, so {model} cannot be pulled ({said})."
    if any(text in lowered for text in NO_WAY):
        return f"The pod cannot reach the registry of {model} ({said})."
    if said:
        return f"Pulling {model} failed: {said}."
    return f"Pulling {model} failed and the engine left no reason; see the log of the container pull."


def load(message: str, *, model: str) -> str:
    """Why the engine cannot load the model."""
    memory = _MEMORY.search(message)
    if memory:
        return (
            f"{model} needs {memory.group(1)} of memory to load and the pod has {memory.group(2)}: "
            "choose a smaller model or context, or a larger share."
        )
    if "not found" in message.lower():
        return f"The engine runs but does not have {model}: {last_line(message)}."
    return f"The engine cannot load {model}: {last_line(message)}."


def exit_of(container: str, *, code: int, reason: str, message: str, limit: str, restarts: int) -> str:
    """Why a container ended. `limit` is its memory limit as written, "" when it has none."""
    again = f" It was restarted {restarts} times." if restarts > 1 else ""
    if reason == "OOMKilled":
        most = f"its limit of {limit}" if limit else "the memory of its node"
        return f"The container {container} needed more memory than {most} and was killed (OOMKilled).{again}"
    said = last_line(message)
    why = f": {said}" if said else ""
    return f"The container {container} ended with code {code}{why}.{again}"


def image(name: str, *, node: str, reason: str, message: str) -> str:
    """Why an image cannot be pulled."""
    said = _line(message) or reason
    return f"The image {name} cannot be pulled on {node}: {said}."


def image_cause(message: str, events: Sequence[str], *, image: str) -> str:
    """Why an image cannot be pulled, also while the kubelet only backs off: then its message or the last event says."""
    _, found, cause = message.partition("ErrImagePull: ")
    if found:
        return cause
    if not message.startswith("Back-off"):
        return message
    lead = f'Failed to pull image "{image}": '
    told = [event.removeprefix(lead) for event in events if event.startswith(lead)]
    return told[-1] if told else message


def unheard(pod: str, *, node: str) -> str:
    """Why a copy cannot be reached although nothing is wrong with it."""
    return (
        f"The node {node} is not heard of any more, so nobody reaches {pod}; "
        "Kubernetes makes it anew elsewhere if the node stays away."
    )


def silent(pod: str, *, node: str) -> str:
    """Why a copy that Kubernetes calls ready is no use: it answered, and does not any more."""
    return (
        f"{pod} answered and is out of reach now, though Kubernetes still calls it ready; "
        f"the node {node} or the way to it may be lost."
    )


def again(ended: Terminated | None, *, restarts: int) -> str:
    """What stands behind `loads … into memory` when the engine failed before, "" when it did not."""
    if ended is None or not restarts or (ended.exit_code == 0 and ended.reason != "OOMKilled"):
        return ""
    why = (
        "was killed for its memory (OOMKilled)" if ended.reason == "OOMKilled" else f"ended with code {ended.exit_code}"
    )
    times = "once" if restarts == 1 else f"{restarts} times"
    return f" again: the engine {why} and was restarted {times}"


def last_line(message: str) -> str:
    """The last line that says something, less `Error: ` and a closing full stop."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ").rstrip(".") if lines else ""


def _line(message: str) -> str:
    return " ".join(message.split()).rstrip(".")
