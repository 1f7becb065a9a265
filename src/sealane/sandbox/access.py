"""Who may enter the sandbox: its users, their tokens, the roles they have, and the kubeconfig files that say so.

`admin` may do everything; `dana` may edit one namespace and look at nodes, so that what a person with limited rights
sees can be tried. Tokens are random, made once a folder. The kubeconfig has exactly one context a cluster, named
after it; dana has a file of her own of the same shape.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sealane.sandbox import certificates
from sealane.sandbox.api import kinds
from sealane.sandbox.api.errors import StatusError
from sealane.sandbox.api.rbac import MASTERS
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.users import AUTHENTICATED
from sealane.sandbox.api.wire import User

USERS: Final = {
    "admin": User("admin", (MASTERS, AUTHENTICATED)),
    "dana": User("dana", ("team-research", AUTHENTICATED)),
}
DANAS_NAMESPACE: Final = "research"
_READ: Final = ["get", "list", "watch"]
_WRITE: Final = ["create", "delete", "deletecollection", "patch", "update"]
_WORKING: Final = [
    ("", ["pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "serviceaccounts", "endpoints"]),
    ("", ["pods/log", "pods/proxy", "services/proxy", "pods/eviction"]),
    ("apps", ["deployments", "replicasets", "statefulsets", "daemonsets", "deployments/scale", "replicasets/scale"]),
    ("batch", ["jobs", "cronjobs"]),
    ("networking.k8s.io", ["ingresses", "networkpolicies"]),
    ("policy", ["poddisruptionbudgets"]),
    ("autoscaling", ["horizontalpodautoscalers"]),
]
_LOOKING: Final = [
    ("", ["events", "resourcequotas", "limitranges", "namespaces", "replicationcontrollers"]),
    ("events.k8s.io", ["events"]),
    ("discovery.k8s.io", ["endpointslices"]),
    ("scheduling.run.ai", ["podgroups"]),
]


def tokens(folder: Path) -> dict[str, str]:
    """The token of each user, made at the first call and kept in the folder."""
    path = folder / "tokens.json"
    known: dict[str, str] = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
    made = {name: known.get(name) or secrets.token_urlsafe(24) for name in USERS}
    if made != known:
        write_private(path, msgspec.json.encode(made))
    return made


def seed_roles(store: Store) -> None:
    """The roles that every cluster has, and dana's; what is there already stays."""
    reading = [_rule(group, resources, _READ) for group, resources in (*_WORKING, *_LOOKING)]
    viewing = [rule for rule in reading if "secrets" not in rule["resources"]]
    core = next(resources for group, resources in _WORKING if group == "")
    viewing.append(_rule("", [name for name in core if name != "secrets"], _READ))
    editing = [_rule(group, resources, _READ + _WRITE) for group, resources in _WORKING]
    editing += [_rule(group, resources, _READ) for group, resources in _LOOKING]
    roles = {
        "cluster-admin": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        "admin": [*editing, _rule("rbac.authorization.k8s.io", ["roles", "rolebindings"], _READ + _WRITE)],
        "edit": editing,
        "view": viewing,
        "system:basic-user": [
            _rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
            _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
        ],
        "system:discovery": [
            {"nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"], "verbs": ["get"]}
        ],
        "sealane:cluster-view": [
            _rule("", ["nodes", "namespaces", "persistentvolumes"], _READ),
            _rule("storage.k8s.io", ["storageclasses"], _READ),
            _rule("scheduling.k8s.io", ["priorityclasses"], _READ),
            _rule("scheduling.run.ai", ["queues"], _READ),
        ],
    }
    for name, rules in roles.items():
        _ensure(store, kinds.CLUSTERROLES, {"metadata": {"name": name}, "rules": rules})
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io"}
    for role, subject in (
        ("cluster-admin", group | {"name": MASTERS}),
        ("system:basic-user", group | {"name": AUTHENTICATED}),
        ("system:discovery", group | {"name": AUTHENTICATED}),
        ("sealane:cluster-view", group | {"name": "team-research"}),
    ):
        _ensure(store, kinds.CLUSTERROLEBINDINGS, _binding(role, subject))
    user = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "dana"}
    if store.get(kinds.NAMESPACES, "", DANAS_NAMESPACE) is not None:
        binding = _binding("edit", user)
        binding["metadata"] = {"name": "dana-edit", "namespace": DANAS_NAMESPACE}
        _ensure(store, kinds.ROLEBINDINGS, binding)


def kubeconfig(ports: Mapping[str, int], folders: Mapping[str, Path], *, user: str, token: str) -> str:
    """A kubeconfig as text: one context a cluster, the first one current."""
    lines = ["apiVersion: v1", "kind: Config", f"current-context: {next(iter(ports), '')}", "clusters:"]
    for name, port in ports.items():
        lines += [
            f"- name: {name}",
            "  cluster:",
            f"    server: https://127.0.0.1:{port}",
            f"    certificate-authority-data: {_ca(folders[name])}",
        ]
    lines.append("contexts:")
    for name in ports:
        lines += [
            f"- name: {name}",
            "  context:",
            f"    cluster: {name}",
            f"    user: {user}",
            "    namespace: default",
        ]
    lines += ["users:", f"- name: {user}", "  user:", f"    token: {token}", ""]
    return "\n".join(lines)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file at once, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)


def _ca(folder: Path) -> str:
    return base64.b64encode((folder / certificates.CA).read_bytes()).decode()


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _binding(role: str, subject: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def _ensure(store: Store, kind: kinds.Kind, obj: dict[str, Any]) -> None:
    meta = obj["metadata"]
    if store.get(kind, meta.get("namespace", ""), meta["name"]) is None:
        try:
            store.create(kind, obj, manager="sealane-sandbox")
        except StatusError as error:
            raise RuntimeError(f"{kind.plural} {meta['name']} could not be made: {error.message}") from error
