"""lightkube as its users write it: typed and generic resources, apply, watch, wait, scale, logs, and errors.

It has no exec and no port-forward; those are kubectl's and the official client's.
"""

from __future__ import annotations

from typing import Any

import pytest
from lightkube import Client, KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec, ServicePort, ServiceSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod, Service
from lightkube.types import CascadeType, PatchType

# It leaves its sockets open when it is dropped; that is no matter here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PodGroup = create_namespaced_resource("scheduling.run.ai", "v2alpha2", "PodGroup", "podgroups")


@pytest.fixture
def client(sandbox: Any, namespace: str) -> Client:
    """A client of the test's namespace."""
    config = KubeConfig.from_file(sandbox.kubeconfig).get(context_name="harbor-eu")
    return Client(config=config, namespace=namespace, field_manager="light")


def workload(namespace: str, *, replicas: int = 1) -> Deployment:
    labels = {"app": "light"}
    pods = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels),
        spec=PodSpec(containers=[Container(name="c", image="nginx:1.27")], terminationGracePeriodSeconds=1),
    )
    return Deployment(
        metadata=ObjectMeta(name="light", namespace=namespace, labels=labels),
        spec=DeploymentSpec(replicas=replicas, selector=LabelSelector(matchLabels=labels), template=pods),
    )


def test_objects_are_made_read_replaced_patched_and_deleted(client: Client, namespace: str) -> None:
    made = client.create(ConfigMap(metadata=ObjectMeta(name="notes", namespace=namespace), data={"a": "1"}))
    assert made.metadata is not None
    assert made.metadata.uid
    made.data = {"a": "2"}
    replaced = client.replace(made)
    assert replaced.data == {"a": "2"}
    with pytest.raises(ApiError, match="the object has been modified") as caught:
        client.replace(made)
    assert caught.value.status.code == 409
    assert client.patch(ConfigMap, "notes", {"data": {"b": "3"}}).data == {"a": "2", "b": "3"}
    change = [{"op": "remove", "path": "/data/a"}]
    assert client.patch(ConfigMap, "notes", change, patch_type=PatchType.JSON).data == {"b": "3"}
    client.delete(ConfigMap, "notes")
    with pytest.raises(ApiError) as gone:
        client.get(ConfigMap, "notes")
    assert gone.value.status.reason == "NotFound"


def test_lists_are_read_in_pieces_and_chosen_by_labels_and_fields(client: Client, namespace: str) -> None:
    for number in range(7):
        labels = {"odd": str(number % 2)}
        client.create(ConfigMap(metadata=ObjectMeta(name=f"n-{number}", namespace=namespace, labels=labels)))
    names = [each.metadata.name for each in client.list(ConfigMap, chunk_size=2) if each.metadata]
    assert names == ["kube-root-ca.crt", *(f"n-{number}" for number in range(7))]
    assert len(list(client.list(ConfigMap, labels={"odd": "1"}))) == 3
    assert len(list(client.list(ConfigMap, labels={"odd": ["0", "1"]}))) == 7
    assert [each.metadata.name for each in client.list(ConfigMap, fields={"metadata.name": "n-4"})] == ["n-4"]
    client.deletecollection(ConfigMap, namespace=namespace)
    assert not [each for each in client.list(ConfigMap) if each.metadata.name.startswith("n-")]


def test_a_watch_tells_of_everything_since_a_list(client: Client, namespace: str) -> None:
    listed = client.list(ConfigMap)
    assert [each.metadata.name for each in listed if each.metadata] == ["kube-root-ca.crt"]
    version = listed.resourceVersion
    made = client.create(ConfigMap(metadata=ObjectMeta(name="seen", namespace=namespace), data={"a": "1"}))
    client.patch(ConfigMap, "seen", {"data": {"a": "2"}})
    client.delete(ConfigMap, "seen")
    told = []
    for change, obj in client.watch(ConfigMap, resource_version=version, server_timeout=5):
        told.append((change, (obj.data or {}).get("a")))
        if change == "DELETED":
            break
    assert told == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]
    assert made.metadata is not None


def test_a_workload_is_applied_waited_for_scaled_and_removed_with_its_pods(client: Client, namespace: str) -> None:
    client.apply(workload(namespace))
    client.wait(Deployment, "light", for_conditions=["Available"])
    scale = client.get(Deployment.Scale, "light")
    assert scale.spec is not None
    scale.spec.replicas = 2
    assert client.replace(scale, name="light").spec == scale.spec
    pods = [each.metadata.name for each in client.list(Pod, labels={"app": "light"}) if each.metadata]
    assert pods
    assert any("simulated" in line for line in client.log(pods[0]))
    listed = client.list(Deployment)
    assert [each.metadata.name for each in listed if each.metadata] == ["light"]
    client.delete(Deployment, "light", cascade=CascadeType.FOREGROUND)
    changes = client.watch(Deployment, resource_version=listed.resourceVersion, server_timeout=10)
    assert "DELETED" in (change for change, _ in changes)
    assert not list(client.list(Pod, labels={"app": "light"}))


def test_another_manager_is_told_whose_a_field_is(client: Client, namespace: str) -> None:
    client.apply(workload(namespace))
    with pytest.raises(ApiError, match='conflict with "light"'):
        client.apply(workload(namespace, replicas=3), field_manager="other")
    forced = client.apply(workload(namespace, replicas=3), field_manager="other", force=True)
    assert forced.spec is not None
    assert forced.spec.replicas == 3
    client.delete(Deployment, "light")


def test_what_is_wrong_is_said_in_the_servers_words(client: Client, namespace: str) -> None:
    meta = ObjectMeta(name="bad", namespace=namespace)
    with pytest.raises(ApiError, match=r"spec.ports\[0\].port: Invalid value: 0") as caught:
        client.create(Service(metadata=meta, spec=ServiceSpec(ports=[ServicePort(port=0)])))
    assert caught.value.status.code == 422
    assert caught.value.status.details.causes[0].field == "spec.ports[0].port"


def test_custom_kinds_are_used_without_a_model_of_them(client: Client, namespace: str) -> None:
    meta = {"name": "gang", "namespace": namespace}
    made = client.create(PodGroup(metadata=ObjectMeta.from_dict(meta), spec={"minMember": 2, "queue": "default"}))
    assert made["spec"]["minMember"] == 2
    assert [each.metadata.name for each in client.list(PodGroup)] == ["gang"]
    client.delete(PodGroup, "gang")
