"""What clusters are described by: kubeconfigs, flags, nodes and queues, without starting any."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rig import cluster, nodes
from rig.control_plane import ControlPlane, User


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    return ControlPlane(name="rig1", index=1, folder=tmp_path, users=cluster.USERS)


def test_each_user_has_a_kubeconfig_whose_context_is_named_after_the_cluster(plane: ControlPlane) -> None:
    for user in ("admin", "alice", "bob"):
        config = yaml.safe_load(plane.kubeconfig(user).read_text())
        assert config["current-context"] == "rig1"
        assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:21103"
        assert config["users"][0]["user"]["token"] == plane.token(user)


def test_tokens_carry_the_groups_that_rights_hang_on(plane: ControlPlane) -> None:
    lines = (plane.folder / "pki" / "tokens.csv").read_text().splitlines()
    assert lines[0] == 'admin-rig1,admin,u-admin,"system:masters"'
    assert lines[1].endswith('"team-a"')


def test_clusters_have_ports_of_their_own(plane: ControlPlane, tmp_path: Path) -> None:
    other = ControlPlane(name="rig2", index=2, folder=tmp_path / "2", users=(User(name="admin"),))
    assert other.api_port - plane.api_port == 100


def test_merged_kubeconfigs_keep_every_context_and_user_apart(plane: ControlPlane, tmp_path: Path) -> None:
    other = ControlPlane(name="rig2", index=2, folder=tmp_path / "2", users=(User(name="admin"),))
    config = cluster.merged([plane.kubeconfig_of("admin"), other.kubeconfig_of("admin")])
    assert [context["name"] for context in config["contexts"]] == ["rig1", "rig2"]
    assert len({user["name"] for user in config["users"]}) == 2
    assert config["current-context"] == "rig1"


def test_a_kubeconfig_can_lead_elsewhere_for_a_look_from_outside(plane: ControlPlane) -> None:
    config = plane.kubeconfig_of("admin", server="https://example.test")
    assert "https://example.test" in yaml.safe_dump(config)


def test_gpu_nodes_have_the_labels_that_schedulers_and_sealane_read() -> None:
    labels = nodes._labels(nodes.GPU_NODES[0])
    assert labels["nvidia.com/gpu.count"] == "4"
    assert labels["nvidia.com/gpu.memory"] == "81559"
    assert labels["topology.kubernetes.io/zone"].startswith(labels["topology.kubernetes.io/region"])
    assert "nvidia.com/gpu.count" not in nodes._labels(nodes.Node(name="plain"))


def test_every_team_has_a_namespace_a_user_and_a_queue() -> None:
    queues = {queue.name for queue in cluster.QUEUES}
    users = {user.name for user in cluster.USERS}
    for space, user in cluster.TEAMS.items():
        assert space in queues
        assert user in users
