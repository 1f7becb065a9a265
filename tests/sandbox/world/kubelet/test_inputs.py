"""What a pod gets from its cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.world.kubelet import inputs
from sealane.sandbox.world.kubelet.volumes import Volumes
from sealane.sandbox.world.world import ClusterWorld

Obj = dict[str, Any]
Make = Callable[..., Obj]
MIB = 1024**2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"gpus": 1}, 46068 * MIB),
        ({"gpus": 2}, 2 * 46068 * MIB),
        ({"notes": {"gpu-fraction": "0.5"}}, 23034 * MIB),
        ({"notes": {"gpu-memory": "8000"}}, 8000 * MIB),
        ({}, None),
    ],
)
def test_gpu_memory_is_the_share_of_the_nodes_cards(
    still: ClusterWorld, a_pod: Make, fields: Obj, expected: int | None
) -> None:
    made = still.cluster.create("pods", a_pod("x", queue="a", nodeName="gpu-a", **fields))
    assert inputs.gpu_memory(still.cluster, made) == expected


def test_the_environment_has_literals_fields_and_config_maps(still: ClusterWorld, a_pod: Make) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "team-a"}}
    still.cluster.create("configmaps", config | {"data": {"k": "v"}})
    env = [
        {"name": "A", "value": "1"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
    ]
    pod = a_pod("x", env=env)
    assert inputs.environment(still.cluster, pod, pod["spec"]["containers"][0]) == {"A": "1", "POD": "x", "C": "v"}


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"secretKeyRef": {"name": "s", "key": "k"}}, 'secret "s" not found'),
        ({"configMapKeyRef": {"name": "kube-root-ca.crt", "key": "k"}}, 'configmap "kube-root-ca.crt" not found'),
        ({"secretKeyRef": {"name": "s", "key": "k", "optional": True}}, ""),
    ],
)
def test_missing_configuration_is_named_as_the_kubelet_does(
    still: ClusterWorld, a_pod: Make, env: Obj, problem: str
) -> None:
    pod = a_pod("x", env=[{"name": "E", "valueFrom": env}])
    assert inputs.configuration_problem(still.cluster, pod, pod["spec"]["containers"][0]) == problem


def test_a_missing_key_is_told_from_a_missing_secret(still: ClusterWorld, a_pod: Make) -> None:
    meta = {"name": "s", "namespace": "team-a"}
    still.cluster.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"a": "eA=="}})
    pod = a_pod("x", env=[{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])
    text = inputs.configuration_problem(still.cluster, pod, pod["spec"]["containers"][0])
    assert text == "couldn't find key k in Secret team-a/s"


def test_models_lie_on_the_volume_under_their_path() -> None:
    volumes = Volumes()
    claim = {"name": "w", "persistentVolumeClaim": {"claimName": "weights"}}
    scratch: Obj = {"name": "s", "emptyDir": {}}
    mounts = [{"name": "s", "mountPath": "/"}, {"name": "w", "mountPath": "/models"}]

    def pod(uid: str) -> Obj:
        return {"metadata": {"name": uid, "namespace": "ns", "uid": uid}, "spec": {"volumes": [claim, scratch]}}

    one = volumes.store(pod("1"), {"volumeMounts": mounts}, "/models/x")
    assert one is volumes.store(pod("2"), {"volumeMounts": mounts}, "/models")
    assert volumes.store(pod("1"), {"volumeMounts": mounts}, "/modelsx") is not one
    assert volumes.store(pod("1"), {"volumeMounts": mounts[1:]}, "/elsewhere/.ollama") is None
    own = volumes.store(pod("1"), {"volumeMounts": mounts}, "/tmp")
    assert own is not volumes.store(pod("2"), {"volumeMounts": mounts}, "/tmp")
    volumes.forget_claim("ns", "weights")
    assert volumes.store(pod("1"), {"volumeMounts": mounts}, "/models") is not one
    volumes.forget_pod(pod("1"))
    assert volumes.store(pod("1"), {"volumeMounts": mounts}, "/tmp") is not own
