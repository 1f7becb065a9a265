"""Who may enter the sandbox: its users, their tokens, and the kubeconfig files that say so.

`admin` may do everything; `dana` may do what the world's roles give her, so that what a person with limited rights sees
can be tried. Tokens are random, made once a folder. The kubeconfig has exactly one context a cluster, named after it;
dana has a file of her own of the same shape.
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
from sealane.sandbox.api.rbac import MASTERS
from sealane.sandbox.api.store import Store
from sealane.sandbox.api.users import AUTHENTICATED
from sealane.sandbox.api.wire import User

_RBAC: Final = "rbac.authorization.k8s.io"
USERS: Final = {
    "admin": User("admin", (MASTERS, AUTHENTICATED)),
    "dana": User("dana", (AUTHENTICATED,)),
}


def tokens(folder: Path) -> dict[str, str]:
    """The token of each user, made at the first call and kept in the folder."""
    path = folder / "tokens.json"
    known: dict[str, str] = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
    made = {name: known.get(name) or secrets.token_urlsafe(24) for name in USERS}
    if made != known:
        write_private(path, msgspec.json.encode(made))
    return made


def seed_roles(store: Store) -> None:
    """The rights that everyone has on every cluster: to discover it, and to ask about oneself."""
    asking = [
        _rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
        _rule("authentication.k8s.io", ["selfsubjectreviews"]),
    ]
    paths = [f"/{head}{tail}" for head in ("api", "apis", "openapi") for tail in ("", "/*")]
    health = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
    for name, rules in (
        ("system:basic-user", asking),
        ("system:discovery", [{"nonResourceURLs": [*paths, *health], "verbs": ["get"]}]),
        ("system:public-info-viewer", [{"nonResourceURLs": health, "verbs": ["get"]}]),
    ):
        _ensure(store, kinds.CLUSTERROLES, {"metadata": {"name": name}, "rules": rules})
        _ensure(store, kinds.CLUSTERROLEBINDINGS, _binding(name))
    issuer = "system:service-account-issuer-discovery"
    keys = [f"{path}{tail}" for path in ("/.well-known/openid-configuration", "/openid/v1/jwks") for tail in ("", "/")]
    rules = [{"nonResourceURLs": keys, "verbs": ["get"]}]
    _ensure(store, kinds.CLUSTERROLES, {"metadata": {"name": issuer}, "rules": rules})
    _ensure(store, kinds.CLUSTERROLEBINDINGS, _binding(issuer, group="system:serviceaccounts"))


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


def _rule(group: str, resources: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": ["create"]}


def _binding(role: str, *, group: str = AUTHENTICATED) -> dict[str, Any]:
    subject = {"kind": "Group", "apiGroup": _RBAC, "name": group}
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    return {"metadata": {"name": role}, "roleRef": reference, "subjects": [subject]}


def _ensure(store: Store, kind: kinds.Kind, obj: dict[str, Any]) -> None:
    if store.get(kind, "", obj["metadata"]["name"]) is None:
        store.create(kind, obj, manager="sealane-sandbox")
