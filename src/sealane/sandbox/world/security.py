"""Pod Security Standards, `baseline` and `restricted`, worded as the API server's own admission does.

Only the checks that ordinary workloads meet: privilege, host namespaces, escalation, capabilities, non-root, seccomp.
Rules: kubernetes.io "Pod Security Standards".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sealane.sandbox.world.ports import Obj


def violations(pod: Obj, level: str) -> list[str]:
    """What of this pod the level forbids, in the API server's order; [] for `privileged` and unknown levels."""
    if level not in {"baseline", "restricted"}:
        return []
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    found = [
        *_host(spec),
        *_each(containers, _privileged, "privileged", "must not set securityContext.privileged=true"),
    ]
    if level == "baseline":
        return found
    around = spec.get("securityContext") or {}
    found += _each(
        containers,
        _escalates,
        "allowPrivilegeEscalation != false",
        "must set securityContext.allowPrivilegeEscalation=false",
    )
    found += _each(
        containers,
        _keeps_capabilities,
        "unrestricted capabilities",
        'must set securityContext.capabilities.drop=["ALL"]',
    )
    found += _each(
        containers,
        lambda context: not context.get("runAsNonRoot", around.get("runAsNonRoot")),
        "runAsNonRoot != true",
        "must set securityContext.runAsNonRoot=true",
        pod_too=True,
    )
    found += _each(
        containers,
        lambda context: not _profiled(context.get("seccompProfile") or around.get("seccompProfile")),
        "seccompProfile",
        'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
        pod_too=True,
    )
    return found


def _host(spec: Obj) -> Iterable[str]:
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    if used:
        yield f"host namespaces ({', '.join(used)})"
    paths = [volume["name"] for volume in spec.get("volumes") or () if "hostPath" in volume]
    if paths:
        yield f"hostPath volumes (volume{'s' if len(paths) > 1 else ''} {_quoted(paths)})"


def _each(
    containers: list[Obj],
    broken: Callable[[Obj], bool],
    title: str,
    demand: str,
    *,
    pod_too: bool = False,
) -> Iterable[str]:
    names = [item["name"] for item in containers if broken(item.get("securityContext") or {})]
    if names:
        who = f"container{'s' if len(names) > 1 else ''} {_quoted(names)}"
        yield f"{title} ({'pod or ' if pod_too else ''}{who} {demand})"


def _privileged(context: Obj) -> bool:
    return bool(context.get("privileged"))


def _escalates(context: Obj) -> bool:
    return context.get("allowPrivilegeEscalation") is not False


def _keeps_capabilities(context: Obj) -> bool:
    return "ALL" not in ((context.get("capabilities") or {}).get("drop") or ())


def _profiled(profile: Obj | None) -> bool:
    return bool(profile) and (profile or {}).get("type") in {"RuntimeDefault", "Localhost"}


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
