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

from sealane.kube import located
from sealane.kube.errors import ConfigError, Target
from sealane.kube.located import Place
from sealane.lib.errors import NextStep
from sealane.lib.text import listing, nearest

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ExecSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a credential plugin. `command` holds an absolute path when it was written as a path."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    install_hint: str = ""
    interactive_mode: str = "IfAvailable"  # Never | IfAvailable | Always
    provide_cluster_info: bool = False
    file: Path | None = None
    line: int = 0


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """As whom. At most one way to a token; a client certificate may stand beside it. Data is PEM bytes."""

    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = ""
    cert_data: bytes = b""
    cert_file: str = ""
    key_data: bytes = b""
    key_file: str = ""
    exec: ExecSpec | None = None
    impersonate_user: str = ""
    impersonate_groups: tuple[str, ...] = ()

    def __repr__(self) -> str:
        given = [name for name in self.__struct_fields__ if getattr(self, name)]
        return f"Credentials({', '.join(given) or 'none'})"


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
        credentials=_credentials(user) if user is not None else Credentials(),
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
    if url and urlsplit(url).scheme not in {"http", "https"}:
        raise place.error(f"proxy-url {url} is not supported: Sealane speaks to http and https proxies.")
    return url


def _credentials(user: Place) -> Credentials:
    plugin = user.field("exec")
    return Credentials(
        token=user.field("token").text() or _oidc_token(user),
        token_file=user.field("tokenFile").path(),
        username=user.field("username").text(),
        password=user.field("password").text(),
        cert_data=user.field("client-certificate-data").base64(),
        cert_file=user.field("client-certificate").path(),
        key_data=user.field("client-key-data").base64(),
        key_file=user.field("client-key").path(),
        exec=_exec(plugin) if plugin else None,
        impersonate_user=user.field("as").text(),
        impersonate_groups=tuple(group.text() for group in user.field("as-groups").items()),
    )


def _oidc_token(user: Place) -> str:
    provider = user.field("auth-provider")
    return provider.field("config").field("id-token").text() if provider.field("name").text() == "oidc" else ""


def _exec(plugin: Place) -> ExecSpec:
    version = plugin.field("apiVersion")
    group, _, short = version.text().partition("/")
    if group != "client.authentication.k8s.io" or short not in {"v1", "v1beta1"}:
        place = version if version else plugin
        raise place.error(
            f'the exec plugin speaks "{version.text()}"; '
            "Sealane knows client.authentication.k8s.io/v1 and client.authentication.k8s.io/v1beta1."
        )
    command = plugin.field("command").text()
    if not command:
        raise plugin.error("the exec plugin has no command.")
    if os.sep in command:
        command = plugin.field("command").path()
    mode = plugin.field("interactiveMode")
    if mode.text("IfAvailable") not in {"Never", "IfAvailable", "Always"}:
        raise mode.error(f'interactiveMode should be Never, IfAvailable or Always, not "{mode.text()}".')
    return ExecSpec(
        api_version=version.text(),
        command=command,
        args=tuple(argument.text() for argument in plugin.field("args").items()),
        env=tuple((pair.field("name").text(), pair.field("value").text()) for pair in plugin.field("env").items()),
        install_hint=plugin.field("installHint").text().strip(),
        interactive_mode=mode.text("IfAvailable"),
        provide_cluster_info=plugin.field("provideClusterInfo").switch(),
        file=plugin.file,
        line=plugin.line,
    )


def _warnings(name: str, server: str, user: Place | None, *, insecure: bool) -> Iterator[str]:
    if insecure:
        yield (
            f"{name}: insecure-skip-tls-verify is set, so anyone between here and {server} can read and change "
            "everything; set certificate-authority instead."
        )
    if server.startswith("http://") and urlsplit(server).hostname not in {"127.0.0.1", "localhost", "::1"}:
        yield f"{name}: {server} is not encrypted; credentials travel in the clear."
    provider = user.field("auth-provider").field("name").text() if user is not None else ""
    if provider:
        yield (
            f"{name}: auth-provider {provider} is not refreshed by Sealane; "
            "use an exec plugin (client.authentication.k8s.io/v1) so that the token stays fresh."
        )
