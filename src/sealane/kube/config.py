"""Which clusters a person can reach, and as whom: kubeconfig files and the in-cluster account, read as kubectl does.

Loading only reads: no plugin runs, no address is looked up, no key is parsed. One bad context must not take the others
away, so what is wrong with a context (a user that is not defined, broken base64) rides on it as `problem`, raised when
that context is used; only a file that is not YAML at all fails the load. Secrets never appear in a `repr`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from sealane.kube import credentials, egress, located
from sealane.kube.credentials import Credentials, ExecSpec, OidcSpec
from sealane.kube.errors import ConfigError, Target
from sealane.kube.located import Place
from sealane.lib.errors import NextStep
from sealane.lib.text import listing, nearest

__all__ = [
    "Context",
    "Credentials",
    "ExecSpec",
    "Kubeconfig",
    "OidcSpec",
    "default_paths",
    "in_cluster",
    "load",
    "same_person",
]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster as one user. `problem` is raised by the client at the first call; `warnings` are for people.

    `kubeconfig` is the one file that was asked for, so that commands for people can name it; "" for kubectl's default.
    """

    name: str
    server: str
    cluster: str = ""
    user: str = ""
    namespace: str = "default"
    ca_data: bytes = b""
    ca_file: str = ""
    tls_server_name: str = ""
    insecure: bool = False
    proxy_url: str = ""
    credentials: Credentials = Credentials()
    kubeconfig: str = ""
    warnings: tuple[str, ...] = ()
    problem: ConfigError | None = None

    def __repr__(self) -> str:
        return f"Context({self.name!r}, {self.credentials!r})"  # a proxy's address may hold a password

    def target(self, request: str = "") -> Target:
        """For sentences about an exchange with this context's server."""
        return Target(context=self.name, server=self.server, request=request, kubeconfig=self.kubeconfig)


class Kubeconfig(msgspec.Struct, frozen=True, kw_only=True):
    """All contexts of all files, the first file that names a thing wins, as with kubectl."""

    contexts: dict[str, Context]
    current: str
    files: tuple[Path, ...]

    def context(self, name: str = "") -> Context:
        """The context `name` ("" is the current one). `ConfigError` names the nearest when there is none."""
        wanted = name or self.current
        found = self.contexts.get(wanted)
        if found is not None:
            return found
        where = listing([str(file) for file in self.files])
        step = NextStep(title="See the contexts", command="kubectl config get-contexts")
        if not wanted:
            raise ConfigError(f"{where} names no current-context; choose a context.", step=step)
        near = nearest(wanted, self.contexts)
        hint = f"; did you mean {listing(near, word='or')}?" if near else "."
        raise ConfigError(f"There is no context {wanted} in {where}{hint}", step=step)


def default_paths(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The files of `$KUBECONFIG` (several, separated as in PATH), else `~/.kube/config`."""
    listed = [Path(part).expanduser() for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return tuple(listed) or (Path.home() / ".kube" / "config",)


def load(paths: Sequence[Path] | None = None) -> Kubeconfig:
    """Read and merge kubeconfig files (None: `default_paths()`); files that do not exist are skipped, as kubectl does.

    `ConfigError` when none of them exists, or one is not YAML; it names file and line.
    """
    wanted = tuple(Path(path).absolute() for path in (paths if paths is not None else default_paths()))
    files = tuple(path for path in wanted if path.exists())
    if not files:
        step = NextStep(title="Name the file", command="export KUBECONFIG=PATH")
        raise ConfigError(f"There is no kubeconfig at {listing([str(path) for path in wanted], word='or')}.", step=step)
    documents = [located.read(file) for file in files]
    clusters = _named(documents, "clusters", "cluster")
    users = _named(documents, "users", "user")
    alone = str(wanted[0]) if len(wanted) == 1 and wanted != default_paths() else ""
    contexts = {
        name: msgspec.structs.replace(_context(name, entry, clusters, users), kubeconfig=alone)
        for name, entry in _named(documents, "contexts", "context").items()
    }
    current = next((name for document in documents if (name := document.field("current-context").text())), "")
    return Kubeconfig(contexts=contexts, current=current, files=files)


def same_person(one: Context, other: Context) -> bool:
    """Whether `other` is the same cluster by the same way as the same person, so that what was read as `one` may go on
    being shown. Renewed tokens and certificates may differ, and the namespace to begin with."""
    told = [str(each.problem or "") for each in (one, other)]
    bare = [
        msgspec.structs.replace(each, credentials=Credentials(), problem=None, namespace="", warnings=())
        for each in (one, other)
    ]
    return told[0] == told[1] and bare[0] == bare[1] and credentials.same_person(one.credentials, other.credentials)


def in_cluster(environ: Mapping[str, str] = os.environ, *, account: Path = ACCOUNT) -> Context | None:
    """The service account of the pod that we run in; None outside a cluster. Its rotating token file is re-read."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = account / "token"
    if not host or not token.exists():
        return None
    namespace = account / "namespace"
    authority = account / "ca.crt"
    return Context(
        name="in-cluster",
        cluster="in-cluster",
        user="service-account",
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        ca_file=str(authority) if authority.exists() else "",
        credentials=Credentials(token_file=str(token)),
    )


def _named(documents: Sequence[Place], section: str, field: str) -> dict[str, Place]:
    """`{name: body}` over all files; the first wins."""
    found: dict[str, Place] = {}
    for document in documents:
        for entry in document.field(section).items():
            name = entry.field("name").text()
            if not name:
                raise entry.error(f"an entry of {section} has no name.")
            body = entry.field(field)
            body.what = f'{field} "{name}"'
            found.setdefault(name, body)
    return found


def _context(name: str, entry: Place, clusters: Mapping[str, Place], users: Mapping[str, Place]) -> Context:
    try:
        return _sound_context(name, entry, clusters, users)
    except ConfigError as problem:
        return Context(name=name, server="", problem=problem)


def _sound_context(name: str, entry: Place, clusters: Mapping[str, Place], users: Mapping[str, Place]) -> Context:
    cluster_name, user_name = entry.field("cluster"), entry.field("user")
    cluster = _referred(cluster_name, clusters, f'context "{name}"', "cluster", entry)
    user = _referred(user_name, users, f'context "{name}"', "user", entry) if user_name else None
    server = cluster.field("server").text().rstrip("/")
    if urlsplit(server).scheme not in {"https", "http"} or not urlsplit(server).hostname:
        raise cluster.error(f'{cluster.what} has no usable server address ("{server}").')
    insecure = cluster.field("insecure-skip-tls-verify").switch()
    return Context(
        name=name,
        server=server,
        cluster=cluster_name.text(),
        user=user_name.text(),
        namespace=entry.field("namespace").text() or "default",
        ca_data=cluster.field("certificate-authority-data").base64(),
        ca_file=cluster.field("certificate-authority").path(),
        tls_server_name=cluster.field("tls-server-name").text(),
        insecure=insecure,
        proxy_url=_proxy(cluster),
        credentials=credentials.read(user, name=user_name.text()) if user is not None else Credentials(),
        warnings=tuple(_warnings(name, server, user, insecure=insecure)),
    )


def _referred(reference: Place, known: Mapping[str, Place], owner: str, sort: str, entry: Place) -> Place:
    wanted = reference.text()
    if not wanted:
        raise entry.error(f"{owner} names no {sort}.")
    found = known.get(wanted)
    if found is None:
        near = nearest(wanted, known)
        hint = f"; there is {listing([f'{n}' for n in near], word='or')}" if near else ""
        raise reference.error(f'{owner} names the {sort} "{wanted}", which is not defined{hint}.')
    return found


def _proxy(cluster: Place) -> str:
    place = cluster.field("proxy-url")
    url = place.text()
    if url and urlsplit(url).scheme not in egress.SPOKEN:
        raise ConfigError(egress.unspoken("proxy-url", url), file=place.file, line=place.line, step=egress.STEP)
    return url


def _warnings(name: str, server: str, user: Place | None, *, insecure: bool) -> Iterator[str]:
    if insecure:
        yield (
            f"{name}: insecure-skip-tls-verify is set, so anyone between here and {server} can read and change "
            "everything; set certificate-authority instead."
        )
    if server.startswith("http://") and urlsplit(server).hostname not in {"127.0.0.1", "localhost", "::1"}:
        yield f"{name}: {server} is not encrypted; credentials travel in the clear."
    provider = user.field("auth-provider").field("name").text() if user is not None else ""
    if provider == "oidc":
        yield (
            f"{name}: the sign-in of auth-provider oidc is renewed in memory alone; the kubeconfig is not written, so "
            "where the issuer gives each refresh token for one use, kubectl will ask you to sign in again."
        )
    elif provider:
        yield (
            f"{name}: auth-provider {provider} is known neither to Sealane nor to kubectl since 1.26; "
            "use an exec plugin (client.authentication.k8s.io/v1) instead."
        )
