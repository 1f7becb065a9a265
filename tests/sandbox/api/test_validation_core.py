"""Small objects that are refused, word for word as a real server refuses them; and those that are taken."""

from __future__ import annotations

from typing import Any

import pytest

CORE = "/api/v1/namespaces/default"


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}, **spec}}


def secret(kind: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "type": kind, "data": data}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("secrets", secret("kubernetes.io/tls", **{"tls.crt": "YQ=="}), "data[tls.key]: Required value"),
    ("secrets", secret("kubernetes.io/dockerconfigjson"), "data[.dockerconfigjson]: Required value"),
    (
        "secrets",
        secret("kubernetes.io/dockerconfigjson", **{".dockerconfigjson": "bm8="}),
        'Invalid value: "<secret contents redacted>"',
    ),
    ("secrets", secret("kubernetes.io/ssh-auth"), "data[ssh-privatekey]: Required value"),
    ("secrets", secret("kubernetes.io/basic-auth"), "data[username]: Required value"),
    (
        "secrets",
        secret("kubernetes.io/service-account-token"),
        "metadata.annotations[kubernetes.io/service-account.name]: Required value",
    ),
    (
        "configmaps",
        {"metadata": {"name": "c"}, "data": {"a": "b"}, "binaryData": {"a": "Yg=="}},
        'data[a]: Invalid value: "a": duplicate of key present in binaryData',
    ),
    ("services", service(ports=[{"name": "a", "port": 80}, {"name": "a", "port": 81}]), 'Duplicate value: "a"'),
    ("services", service(ports=[{"name": "a", "port": 80}, {"name": "b", "port": 80}]), '"Port":80'),
    ("services", service(ports=[{"port": 80, "targetPort": "No_Name"}]), "must contain only alpha-numeric characters"),
    ("services", service(ports=[{"port": 80}], clusterIP="here"), "must be a valid IP address"),
    ("services", service(ports=[{"port": 80}], clusterIP="192.168.1.1"), "does not match the current range"),
    ("services", service(type="ExternalName"), "spec.externalName: Required value"),
    (
        "services",
        service(type="NodePort", externalTrafficPolicy="Far", ports=[{"port": 80}]),
        'spec.externalTrafficPolicy: Unsupported value: "Far"',
    ),
    (
        "services",
        service(type="NodePort", ports=[{"port": 80, "nodePort": 80}]),
        "The range of valid ports is 30000-32767",
    ),
    ("endpoints", {"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}, "loopback range"),
    (
        "events",
        {"metadata": {"name": "e"}, "involvedObject": {"namespace": "other"}},
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ),
    ("configmaps", {"metadata": {"name": "c", "finalizers": ["short"]}}, "nor is it fully qualified"),
    (
        "configmaps",
        {"metadata": {"name": "c", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x"}]}},
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ),
]


@pytest.mark.parametrize(("plural", "body", "said"), REFUSED)
async def test_what_a_real_server_refuses(api: Any, plural: str, body: dict[str, Any], said: str) -> None:
    answer = await api.call("POST", f"{CORE}/{plural}", body)
    assert answer.status == 422
    assert said in answer.json["message"]


@pytest.mark.parametrize(
    ("taints", "said"),
    [
        ([{"key": "a"}], "metadata.taints[0].effect: Required value"),
        ([{"key": "a", "effect": "NoSchedule"}] * 2, "taints must be unique by key and effect pair"),
    ],
)
async def test_taints_of_a_node(api: Any, taints: list[dict[str, str]], said: str) -> None:
    answer = await api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n"}, "spec": {"taints": taints}})
    assert said in answer.json["message"]


async def test_a_node_made_by_hand_has_the_whole_empty_status(api: Any) -> None:
    made = (await api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n"}})).json
    assert made["status"]["nodeInfo"]["kubeletVersion"] == ""
    patch = {"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}}
    merge = "application/merge-patch+json"
    assert (await api.call("PATCH", "/api/v1/nodes/n", patch, content_type=merge)).status == 200
    patch["spec"]["podCIDRs"] = ["10.2.0.0/24"]
    answer = await api.call("PATCH", "/api/v1/nodes/n", patch, content_type=merge)
    assert "node updates may not change podCIDR" in answer.json["message"]


async def test_what_is_being_deleted_gets_no_new_finalizers(api: Any) -> None:
    await api.call("POST", f"{CORE}/configmaps", {"metadata": {"name": "c", "finalizers": ["a.example/held"]}})
    await api.call("DELETE", f"{CORE}/configmaps/c")
    patch = {"metadata": {"finalizers": ["a.example/held", "a.example/more"]}}
    merge = "application/merge-patch+json"
    answer = await api.call("PATCH", f"{CORE}/configmaps/c", patch, content_type=merge)
    assert 'found new finalizers []string{"a.example/more"}' in answer.json["message"]
    patch = {"metadata": {"finalizers": []}}
    assert (await api.call("PATCH", f"{CORE}/configmaps/c", patch, content_type=merge)).status == 200
    assert (await api.call("GET", f"{CORE}/configmaps/c")).status == 404


async def test_the_type_and_the_immutability_of_a_secret_stay(api: Any) -> None:
    await api.call("POST", f"{CORE}/secrets", secret("Opaque", a="YQ==") | {"immutable": True})
    merge = "application/merge-patch+json"
    for patch, said in (
        ({"type": "example.com/x"}, "type: Invalid value"),
        ({"immutable": False}, "immutable: Forbidden: field is immutable when `immutable` is set"),
        ({"data": {"a": "Yg=="}}, "data: Forbidden: field is immutable when `immutable` is set"),
    ):
        answer = await api.call("PATCH", f"{CORE}/secrets/s", patch, content_type=merge)
        assert said in answer.json["message"]


async def test_a_node_port_belongs_to_one_service_and_goes_with_its_type(api: Any) -> None:
    body = service(type="NodePort", ports=[{"port": 80, "nodePort": 31000}])
    assert (await api.call("POST", f"{CORE}/services", body)).status == 201
    body["metadata"] = {"name": "other"}
    assert "already allocated" in (await api.call("POST", f"{CORE}/services", body)).json["message"]
    patch = {"spec": {"type": "ClusterIP"}}
    changed = await api.call("PATCH", f"{CORE}/services/s", patch, content_type="application/merge-patch+json")
    assert "nodePort" not in changed.json["spec"]["ports"][0]


async def test_other_kinds_keep_what_may_not_change(api: Any) -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": -1}}
    answer = await api.call("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", lease)
    assert "spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0" in answer.json["message"]
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    await api.call("POST", classes, {"metadata": {"name": "c"}, "provisioner": "a.example/a"})
    merge = "application/merge-patch+json"
    answer = await api.call("PATCH", f"{classes}/c", {"provisioner": "a.example/b"}, content_type=merge)
    assert "updates to provisioner are forbidden." in answer.json["message"]


async def test_a_volume_has_a_size_and_is_made_of_something(api: Any) -> None:
    body: dict[str, Any] = {"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    said = (await api.call("POST", "/api/v1/persistentvolumes", body)).json["message"]
    assert "spec.capacity: Required value" in said
    assert "must specify a volume type" in said
    body["spec"] |= {"capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
    made = (await api.call("POST", "/api/v1/persistentvolumes", body)).json["spec"]
    assert (made["persistentVolumeReclaimPolicy"], made["hostPath"]["type"]) == ("Retain", "")
