"""What a pod's volumes put into its containers: secrets, config maps, projections, one file alone, models by size."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import pytest

from sealane.sandbox.world.ollama import library
from sealane.sandbox.world.ollama.storage import ModelStore
from sealane.sandbox.world.shell import mounts
from sealane.sandbox.world.shell.files import FileProblem, FileSystem

Obj = dict[str, Any]


class FakeCluster:
    """Objects by kind and name, in one namespace."""

    def __init__(self) -> None:
        secret = {key: base64.b64encode(value).decode() for key, value in {"user": b"ada", "bin": b"\xff\0"}.items()}
        self.found: dict[tuple[str, str, str], Obj] = {
            ("secrets", "team", "login"): {"data": secret | {"broken": "x"}},
            ("secrets", "other", "theirs"): {"data": {"key": "eA=="}},
            ("configmaps", "team", "settings"): {"data": {"a.ini": "[a]\n", "b.ini": "[b]\n"}},
        }

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self.found.get((kind, namespace, name))


def files(volume: Obj, *, sub_path: str = "", store: ModelStore | None = None, env: Any = ()) -> FileSystem:
    """The files of a container that mounts `volume` at /mnt/it."""
    mount = {"name": "it", "mountPath": "/mnt/it/"} | ({"subPath": sub_path} if sub_path else {})
    pod = {
        "metadata": {"name": "box", "namespace": "team", "uid": "u-1", "labels": {"app": "box"}},
        "spec": {"volumes": [{"name": "it", **volume}]},
        "status": {"podIP": "10.0.0.7"},
    }
    cluster: Any = FakeCluster()
    return mounts.file_system(cluster, pod, {"volumeMounts": [mount], "env": list(env)}, store=lambda _: store)


def names(found: FileSystem, path: str = "/mnt/it") -> list[str]:
    return sorted(entry.name for entry in found.list(path))


def test_a_secret_is_decoded_and_cannot_be_written() -> None:
    found = files({"secret": {"secretName": "login"}})
    assert found.read("/mnt/it/user") == b"ada"
    assert found.read("/mnt/it/bin") == b"\xff\0"
    assert found.read("/mnt/it/broken") == b""
    with pytest.raises(FileProblem, match="Read-only file system"):
        found.write("/mnt/it/user", b"eve")


def test_items_pick_keys_and_name_their_paths() -> None:
    items = [{"key": "b.ini", "path": "deep/c.ini"}, {"key": "missing", "path": "none"}]
    found = files({"configMap": {"name": "settings", "items": items}})
    assert names(found) == ["deep"]
    assert found.read("/mnt/it/deep/c.ini") == b"[b]\n"


def test_one_key_alone_is_a_file_and_no_folder() -> None:
    found = files({"configMap": {"name": "settings"}}, sub_path="a.ini")
    assert found.read("/mnt/it") == b"[a]\n"
    assert not found.is_folder("/mnt/it")
    with pytest.raises(FileProblem, match="Read-only"):
        found.write("/mnt/it", b"")


def test_another_namespace_s_secret_is_not_reached_by_its_name() -> None:
    assert names(files({"secret": {"secretName": "theirs"}})) == []


def test_a_projection_joins_its_sources_and_holds_no_token_of_the_sandbox() -> None:
    sources: list[Obj] = [
        {"serviceAccountToken": {"path": "token"}},
        {"configMap": {"name": "settings"}},
        {"secret": {"name": "login"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    found = files({"projected": {"sources": sources}})
    assert names(found) == ["a.ini", "b.ini", "bin", "broken", "labels", "token", "user"]
    assert found.read("/mnt/it/labels") == b'app="box"'
    assert found.read("/mnt/it/token").startswith(b"simulated: no token")


@pytest.mark.parametrize(
    ("field", "value"),
    [("metadata.name", b"box"), ("metadata.namespace", b"team"), ("metadata.uid", b"u-1"), ("spec.nodeName", b"")],
)
def test_the_downward_api_knows_the_pod(field: str, value: bytes) -> None:
    items = [{"path": "x", "fieldRef": {"fieldPath": field}}]
    assert files({"downwardAPI": {"items": items}}).read("/mnt/it/x") == value


def test_a_volume_of_its_own_is_empty_and_can_be_written() -> None:
    found = files({"emptyDir": {}})
    assert names(found) == []
    found.write("/mnt/it/kept", b"x")
    assert found.read("/mnt/it/kept") == b"x"


def test_the_image_names_the_pod_and_says_that_it_is_simulated() -> None:
    found = files({"emptyDir": {}})
    assert found.read("/etc/hostname") == b"box\n"
    assert b"10.0.0.7\tbox\n" in found.read("/etc/hosts")
    assert b"search team.svc.cluster.local " in found.read("/etc/resolv.conf")
    assert b"simulated" in found.read("/etc/os-release")


def test_models_lie_on_their_volume_by_size_and_appear_when_they_are_pulled() -> None:
    store = ModelStore()
    env = [{"name": "OLLAMA_MODELS", "value": "/mnt/it"}]
    found = files({"emptyDir": {}}, store=store, env=env)
    assert names(found) == []
    model = library.find("llama3.1:8b")
    assert model is not None
    store.add(model, now=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    assert names(found) == ["blobs", "manifests"]
    (blob,) = found.list("/mnt/it/blobs")
    assert (blob.name, blob.size) == (f"sha256-{model.digest}", model.size)
    assert names(found, "/mnt/it/manifests/registry.ollama.ai/library/llama3.1") == ["8b"]
    assert json.dumps(found.read(f"/mnt/it/blobs/{blob.name}").decode()).count("simulated") == 1
