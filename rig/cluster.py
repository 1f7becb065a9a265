"""Whole clusters: control plane, nodes, kubelet, storage, people and queues, brought up and down together.

`Rig` holds several of them and the model registry that all can reach. A cluster is brought up the same way for tests
and for people, so what a test proved can be looked at by hand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rig import kai, namespace, nodes
from rig.api import Api
from rig.control_plane import ControlPlane, User
from rig.kubelet.agent import Agent
from rig.kubelet.server import KubeletApi
from rig.models import standard_models
from rig.processes import wait_until
from rig.registry import Registry
from rig.storage import Provisioner

USERS = (
    User(name="admin", groups=("system:masters",)),
    User(name="alice", groups=("team-a",)),
    User(name="bob", groups=("team-b",)),
)
TEAMS = {"team-a": "alice", "team-b": "bob"}
QUEUES = (
    kai.Queue(name="default-parent"),
    kai.Queue(name="team-a", parent="default-parent", gpus=2, limit=4),
    kai.Queue(name="team-b", parent="default-parent", gpus=1, limit=1),
    kai.Queue(name="research", parent="default-parent", gpus=1, limit=-1, weight=2),
)
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_TEAM_RULES = (
    {
        "apiGroups": ["", "apps", "batch", "scheduling.run.ai"],
        "resources": [
            *("pods", "pods/log", "pods/proxy", "services", "services/proxy", "events", "deployments"),
            *("deployments/scale", "replicasets", "jobs", "persistentvolumeclaims", "secrets", "configmaps"),
            *("serviceaccounts", "resourcequotas", "podgroups"),
        ],
        "verbs": ["*"],
    },
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
)


@dataclass(kw_only=True)
class Cluster:
    """One cluster. `timings` are seconds that each step of coming up took."""

    plane: ControlPlane
    with_kai: bool
    internet: Path
    node_specs: Sequence[nodes.Node] = nodes.GPU_NODES
    timings: dict[str, float] = field(default_factory=dict)
    kubelet: Agent = field(init=False)
    heartbeat: nodes.Heartbeat = field(init=False)
    _logs: KubeletApi = field(init=False)
    _storage: Provisioner = field(init=False)

    @property
    def name(self) -> str:
        """Also the name of the context in every kubeconfig."""
        return self.plane.name

    @property
    def api(self) -> Api:
        """The administrator's connection."""
        return self.plane.api

    def start(self) -> None:
        """Bring it up; raises StartFailed."""
        for step, run in (
            ("control plane", self.plane.start),
            ("teams", self._make_teams),
            ("nodes and kubelet", self._start_nodes),
            ("KAI", self._start_kai),
        ):
            began = time.monotonic()
            run()
            self.timings[step] = time.monotonic() - began

    def stop(self) -> None:
        """Take it down; nothing of it is left running."""
        for part in ("heartbeat", "_storage", "kubelet", "_logs"):
            if hasattr(self, part):
                getattr(self, part).stop()
        self.plane.stop()

    def wait_gone(self, path: str, *, limit: float = 60.0) -> None:
        """Return when nothing is at `path` any more."""
        wait_until(f"{path} gone", lambda: not self.api.exists(path), limit=limit)

    def _make_teams(self) -> None:
        for space, user in TEAMS.items():
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            meta = {"name": space, "labels": labels}
            self.api.apply(f"/api/v1/namespaces/{space}", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
            base = f"{_RBAC}/namespaces/{space}"
            self.api.apply(f"{base}/roles/member", _rbac("Role", space, rules=list(_TEAM_RULES)))
            binding = _rbac(
                "RoleBinding",
                space,
                roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "member"},
                subjects=[{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
            )
            self.api.apply(f"{base}/rolebindings/member", binding)
        for space in TEAMS:
            account = f"/api/v1/namespaces/{space}/serviceaccounts/default"
            wait_until(f"the service account of {space}", lambda account=account: self.api.exists(account))  # type: ignore[misc]

    def _start_nodes(self) -> None:
        second = 200 + self.plane.index
        namespace.add_address(f"10.{second}.0.1/16")
        addresses = {node.name: f"10.{second}.0.{10 + i}" for i, node in enumerate(self.node_specs)}
        for node in self.node_specs:
            nodes.register(self.api, node, address=addresses[node.name])
        self.heartbeat = nodes.Heartbeat(api=self.api, names=tuple(addresses))
        self.heartbeat.start()
        self._storage = Provisioner(self.api, self.plane.folder / "volumes")
        self._storage.start()
        self.kubelet = Agent(
            self.api,
            index=self.plane.index,
            nodes=addresses,
            folder=self.plane.folder / "pods",
            storage=self._storage,
            authority=self.internet,
        )
        self.kubelet.start()
        pair = self.plane.authority.serving("kubelet", hosts=tuple(addresses.values()))
        self._logs = KubeletApi(addresses.values(), pair=pair, find=self.kubelet.worker)
        self._logs.start()

    def _start_kai(self) -> None:
        if self.with_kai:
            kai.start(self.plane, queues=QUEUES)


class Rig:
    """Several clusters and one registry, in the rig's own network. Raises NotInside when made anywhere else."""

    def __init__(self, *, clusters: int = 1, without_kai: Sequence[int] = ()) -> None:
        self.home = namespace.require()
        self.internet = namespace.internet(self.home)
        self.registry = Registry(
            host=namespace.GATEWAY,
            storage_host=namespace.STORAGE,
            bind="0.0.0.0",
            authority=self.internet,
            names=namespace.INTERNET_NAMES,
            folder=self.home / "models",
        )
        self.clusters = [self._cluster(i, with_kai=i not in without_kai) for i in range(clusters)]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig with a context a cluster."""
        return self.home / "kubeconfig"

    def start(self) -> None:
        """Bring everything up, the clusters side by side; raises StartFailed."""
        self.registry.start(tls_port=443, plain_port=5000)
        for model in standard_models():
            self.registry.add(model)
        failures: list[Exception] = []

        def begin(cluster: Cluster) -> None:
            try:
                cluster.start()
            except Exception as error:  # noqa: BLE001 - carried to the caller's thread, raised there
                failures.append(error)

        threads = [threading.Thread(target=begin, args=(c,), name=f"rig-up-{c.name}") for c in self.clusters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        self._write_kubeconfig()

    def add_cluster(self, *, with_kai: bool = True) -> Cluster:
        """Bring one more cluster up beside the others; it joins `clusters` and the kubeconfig. Raises StartFailed."""
        cluster = self._cluster(len(self.clusters), with_kai=with_kai)
        self.clusters.append(cluster)
        cluster.start()
        self._write_kubeconfig()
        return cluster

    def _cluster(self, index: int, *, with_kai: bool) -> Cluster:
        name = f"rig{index}"
        plane = ControlPlane(name=name, index=index, folder=self.home / name, users=USERS)
        return Cluster(plane=plane, with_kai=with_kai, internet=self.internet.certificate)

    def _write_kubeconfig(self) -> None:
        config = merged([cluster.plane.kubeconfig_of("admin") for cluster in self.clusters])
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def stop(self) -> None:
        """Take everything down, the clusters side by side."""
        threads = [threading.Thread(target=cluster.stop, name=f"rig-down-{cluster.name}") for cluster in self.clusters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.registry.stop()


def merged(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One kubeconfig out of several; the first one's context is current."""
    lists = {key: [entry for config in configs for entry in config[key]] for key in ("clusters", "users", "contexts")}
    return {"apiVersion": "v1", "kind": "Config", "current-context": configs[0]["current-context"], **lists}


def _rbac(kind: str, space: str, **content: object) -> dict[str, object]:
    meta = {"name": "member", "namespace": space}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, **content}
