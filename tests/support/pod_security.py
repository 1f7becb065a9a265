"""Pod Security Standards, profile "restricted", as rules over one pod spec: what the admission controller would refuse.

Written from the standard's table (kubernetes.io, Pod Security Standards), independent of the code under test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ALLOWED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


def violations(pod: dict[str, Any]) -> list[str]:
    """Every rule of "restricted" that the pod spec breaks; empty when it is clean."""
    found = list(_pod(pod))
    for container in (*pod.get("initContainers", []), *pod.get("containers", [])):
        found += [
            f"{container['name']}: {problem}" for problem in _container(container, pod.get("securityContext", {}))
        ]
    return found


def _pod(pod: dict[str, Any]) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    for volume in pod.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= ALLOWED_VOLUMES:
            yield f"volume {volume['name']}: {kinds}"
    if pod.get("securityContext", {}).get("sysctls"):
        yield "sysctls"


def _container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation must be false"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "must drop ALL"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if (own.get("runAsNonRoot", pod.get("runAsNonRoot"))) is not True:
        yield "runAsNonRoot must be true"
    if own.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "runs as root"
    if (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in {
        "RuntimeDefault",
        "Localhost",
    }:
        yield "seccompProfile must be set"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield "hostPort"
