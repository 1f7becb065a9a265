"""One Kubernetes control plane: etcd, API server, controller manager and the ordinary scheduler.

Each part is started by a method of its own, because fault tests end one and start it again while clients hold on. The
flags are the smallest set that behaves like a real cluster: RBAC, TLS, front-proxy headers, service-account tokens,
kubelet client certificates. Ports are fixed by the cluster's number; the network namespace makes them free.
"""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from rig import build, certificates, namespace
from rig.api import Api
from rig.processes import Processes, require_free, wait_until

_KUBERNETES_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
_CONTROLLERS_OFF = (
    "cloud-node-lifecycle-controller",
    "node-ipam-controller",
    "node-route-controller",
    "service-lb-controller",
    "persistentvolume-attach-detach-controller",
)


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who may log in with a token; groups decide what they may do."""

    name: str
    groups: tuple[str, ...] = ()


class ControlPlane:
    """Number `index` of the rig: ports 21000 + 100·index, files in `folder`."""

    def __init__(self, *, name: str, index: int, folder: Path, users: Iterable[User]) -> None:
        self.name = name
        self.index = index
        self.folder = folder
        self.base_port = 21000 + 100 * index
        self.processes = Processes(folder / "log")
        self.authority = certificates.Authority(folder / "pki", name=f"{name}-ca")
        self._users = tuple(users)
        self._issue()
        self.api = Api(port=self.api_port, authority=self.authority.certificate, token=self.token("admin"))

    @property
    def api_port(self) -> int:
        """Where the API server listens, on 127.0.0.1."""
        return self.base_port + 3

    def token(self, user: str) -> str:
        """The bearer token of that user."""
        return f"{user}-{self.name}"

    def kubeconfig(self, user: str = "admin") -> Path:
        """The kubeconfig file of that user; its one context is named after the cluster."""
        return self.folder / f"{user}.kubeconfig"

    def as_user(self, user: str) -> Api:
        """A connection with that user's rights."""
        return Api(port=self.api_port, authority=self.authority.certificate, token=self.token(user))

    def start(self) -> None:
        """Start all of it and return when the API server is ready; raises StartFailed."""
        require_free(range(self.base_port + 1, self.base_port + 6))
        self.start_etcd()
        self.start_api_server()
        self.wait_ready()
        self.start_controllers()
        self.start_scheduler()
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_until(f"{self.name}: the default service account", lambda: self.api.exists(account))

    def wait_ready(self, *, limit: float = 90.0) -> None:
        """Return when /readyz says ok; raises StartFailed when it does not, or when a program died."""

        def ready() -> bool:
            self.processes.require_alive()
            return bool(self.api.send("GET", "/readyz", timeout=5).body == b"ok")

        wait_until(f"{self.name}: the API server's /readyz", ready, limit=limit)

    def stop(self) -> None:
        """End every process of the control plane (and of KAI, which shares its owner)."""
        self.processes.stop_all()
        self.api.close()

    def kill(self, program: str) -> None:
        """SIGKILL one program ("etcd", "kube-apiserver", …) as a crash would."""
        self.processes.stop(program, how=signal.SIGKILL)

    def start_etcd(self) -> None:
        """The store; its data survives a kill."""
        client, peer = (f"http://127.0.0.1:{self.base_port + offset}" for offset in (1, 2))
        self.processes.start(
            "etcd",
            [
                build.program("etcd"),
                "--name=rig",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=rig={peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )

    def start_api_server(self) -> None:
        """The API server; `wait_ready` says when it answers."""
        pki = self.folder / "pki"
        self.processes.start(
            "kube-apiserver",
            [
                build.program("kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{self.base_port + 1}",
                "--bind-address=127.0.0.1",
                f"--advertise-address={namespace.GATEWAY}",  # there is no default route to learn one from
                f"--secure-port={self.api_port}",
                f"--tls-cert-file={pki}/apiserver.crt",
                f"--tls-private-key-file={pki}/apiserver.key",
                f"--client-ca-file={pki}/ca.crt",
                f"--requestheader-client-ca-file={pki}/ca.crt",
                "--requestheader-allowed-names=front-proxy",
                f"--token-auth-file={pki}/tokens.csv",
                "--authorization-mode=RBAC",
                f"--service-account-key-file={pki}/sa.pub",
                f"--service-account-signing-key-file={pki}/sa.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--endpoint-reconciler-type=none",
                "--allow-privileged=true",
                "--profiling=false",
                "--kubelet-preferred-address-types=InternalIP",
                f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
                f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            ],
        )

    def start_controllers(self) -> None:
        """The controller manager. A node grace of 40 s outlives a restart of the API server without flapping."""
        pki = self.folder / "pki"
        controllers = ",".join(("*", *(f"-{name}" for name in _CONTROLLERS_OFF)))
        self.processes.start(
            "kube-controller-manager",
            [
                build.program("kube-controller-manager"),
                *self._component_flags("controllers", port=self.base_port + 4),
                f"--service-account-private-key-file={pki}/sa.key",
                f"--root-ca-file={pki}/ca.crt",
                "--node-monitor-period=2s",
                "--node-monitor-grace-period=40s",
                f"--controllers={controllers}",
            ],
        )

    def start_scheduler(self) -> None:
        """Kubernetes' own scheduler, which a cluster with KAI has too, for pods that name no other."""
        flags = self._component_flags("scheduler", port=self.base_port + 5)
        self.processes.start("kube-scheduler", [build.program("kube-scheduler"), *flags])

    def _component_flags(self, name: str, *, port: int) -> list[str]:
        config = self.kubeconfig()
        return [
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / name}",
        ]

    def _issue(self) -> None:
        hosts = ("127.0.0.1", "localhost", namespace.GATEWAY, "10.96.0.1", *_KUBERNETES_NAMES)
        self.authority.serving("apiserver", hosts=hosts)
        self.authority.client("apiserver-kubelet-client", user="apiserver", group="system:masters")
        self.authority.client("admin", user="admin", group="system:masters")
        certificates.service_account_key(self.folder / "pki")
        lines = [f'{self.token(u.name)},{u.name},u-{u.name},"{",".join(u.groups)}"\n' for u in self._users]
        (self.folder / "pki" / "tokens.csv").write_text("".join(lines))
        for user in self._users:
            self.kubeconfig(user.name).write_text(yaml.safe_dump(self.kubeconfig_of(user.name)))

    def kubeconfig_of(self, user: str, *, server: str = "") -> dict[str, object]:
        """The kubeconfig of a user as an object; `server` replaces the address, for a look from outside."""
        authority = base64.b64encode(self.authority.certificate.read_bytes()).decode()
        cluster = {"server": server or f"https://127.0.0.1:{self.api_port}", "certificate-authority-data": authority}
        login = f"{user}@{self.name}"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.name,
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": login, "user": {"token": self.token(user)}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": login}}],
        }
