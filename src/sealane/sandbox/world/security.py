"""Pod Security Standards, `baseline` and `restricted`, worded as the API server's own admission does.

Only the checks that ordinary workloads meet: privilege, host namespaces, escalation, capabilities, non-root, seccomp.
Rules: kubernetes.io "Pod Security Standards".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sealane.sandbox.world.ports import Obj

_VOLUME_TYPES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip


def violations(pod: Obj, level: str) -> list[str]:
    """What of this pod the level forbids, in the API server's order; [] for `privileged` and unknown levels."""
    if level not in {"baseline", "restricted"}:
        return []
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    privileged = _each(containers, _privileged, "privileged", "must not set securityContext.privileged=true")
    if level == "baseline":
        return [*_host(spec), *_added(containers), *_host_paths(spec), *privileged]
    found = [*_host(spec), *privileged]
    around = spec.get("securityContext") or {}
    found += _each(
        containers,
        _escalates,
        "allowPrivilegeEscalation != false",
        "must set securityContext.allowPrivilegeEscalation=false",
    )
    found += _capabilities(containers)
    found += _volume_types(spec)
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


def _host_paths(spec: Obj) -> Iterable[str]:
    paths = [volume["name"] for volume in spec.get("volumes") or () if "hostPath" in volume]
    if paths:
        yield f"hostPath volumes (volume{'s' if len(paths) > 1 else ''} {_quoted(paths)})"


def _added(containers: list[Obj]) -> Iterable[str]:
    """Baseline: what may be added is a closed set."""
    parts = list(_forbidden(containers, _BASELINE_CAPABILITIES))
    if parts:
        yield f"non-default capabilities ({'; '.join(parts)})"


def _capabilities(containers: list[Obj]) -> Iterable[str]:
    """Restricted: drop all, and add at most the right to bind a low port."""
    names = [item["name"] for item in containers if _keeps_capabilities(item.get("securityContext") or {})]
    parts = [f'{_who(names)} must set securityContext.capabilities.drop=["ALL"]'] if names else []
    parts += _forbidden(containers, frozenset({"NET_BIND_SERVICE"}))
    if parts:
        yield f"unrestricted capabilities ({'; '.join(parts)})"


def _forbidden(containers: list[Obj], allowed: frozenset[str]) -> Iterable[str]:
    given = {
        item["name"]: set((item.get("securityContext") or {}).get("capabilities", {}).get("add") or ()) - allowed
        for item in containers
    }
    names = [name for name, added in given.items() if added]
    if names:
        added = sorted(set().union(*given.values()))
        yield f"{_who(names)} must not include {_quoted(added)} in securityContext.capabilities.add"


def _volume_types(spec: Obj) -> Iterable[str]:
    used = {
        volume["name"]: kind
        for volume in spec.get("volumes") or ()
        for kind in volume
        if kind != "name" and kind not in _VOLUME_TYPES
    }
    if used:
        kinds = sorted(set(used.values()))
        verb, plural = ("use", "s") if len(used) > 1 else ("uses", "")
        types = f"restricted volume type{'s' if len(kinds) > 1 else ''} {_quoted(kinds)}"
        yield f"restricted volume types (volume{plural} {_quoted(list(used))} {verb} {types})"


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
        yield f"{title} ({'pod or ' if pod_too else ''}{_who(names)} {demand})"


def _privileged(context: Obj) -> bool:
    return bool(context.get("privileged"))


def _escalates(context: Obj) -> bool:
    return context.get("allowPrivilegeEscalation") is not False


def _keeps_capabilities(context: Obj) -> bool:
    return "ALL" not in ((context.get("capabilities") or {}).get("drop") or ())


def _profiled(profile: Obj | None) -> bool:
    return bool(profile) and (profile or {}).get("type") in {"RuntimeDefault", "Localhost"}


def _who(names: list[str]) -> str:
    return f"container{'s' if len(names) > 1 else ''} {_quoted(names)}"


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
