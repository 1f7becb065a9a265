"""Other people's Python clients, unmodified, against the whole sandbox."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

# Neither client closes its sockets when it is dropped; that is theirs, not what is tested here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def official(sandbox: Any) -> Any:
    """The official client's API of the first cluster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes

        client = kubernetes.config.new_client_from_config(sandbox.kubeconfig, context="harbor-eu")
        yield kubernetes.client, client
        client.close()


def test_the_official_client_creates_watches_patches_and_deletes(official: Any) -> None:
    module, client = official
    core = module.CoreV1Api(client)
    body = module.V1ConfigMap(metadata=module.V1ObjectMeta(name="official"), data={"a": "1"})
    made = core.create_namespaced_config_map("default", body)
    assert made.metadata.uid
    patched = core.patch_namespaced_config_map("official", "default", {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}
    import kubernetes

    stream = kubernetes.watch.Watch().stream(
        core.list_namespaced_config_map,
        "default",
        field_selector="metadata.name=official",
        resource_version=made.metadata.resource_version,
        timeout_seconds=2,
    )
    assert [event["type"] for event in stream][:1] == ["MODIFIED"]
    core.delete_namespaced_config_map("official", "default")
    with pytest.raises(kubernetes.client.ApiException) as caught:
        core.read_namespaced_config_map("official", "default")
    assert caught.value.status == 404


def test_the_official_client_lists_nodes_and_custom_objects(official: Any) -> None:
    module, client = official
    nodes = module.CoreV1Api(client).list_node().items
    assert any("nvidia.com/gpu" in node.status.allocatable for node in nodes)
    queues = module.CustomObjectsApi(client).list_cluster_custom_object("scheduling.run.ai", "v2", "queues")
    assert queues["kind"] == "QueueList"
    assert all(item["kind"] == "Queue" for item in queues["items"])


def test_lightkube_applies_scales_lists_and_deletes(sandbox: Any) -> None:
    from lightkube import Client, KubeConfig
    from lightkube.core.exceptions import ApiError
    from lightkube.models.apps_v1 import DeploymentSpec
    from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
    from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
    from lightkube.resources.apps_v1 import Deployment

    config = KubeConfig.from_file(sandbox.kubeconfig).get(context_name="harbor-eu")
    client = Client(config=config, namespace="default", field_manager="lightkube-test")
    labels = {"app": "light"}
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=[Container(name="c", image="nginx:1.27")])
    )
    wanted = Deployment(
        apiVersion="apps/v1",
        kind="Deployment",
        metadata=ObjectMeta(name="light", namespace="default", labels=labels),
        spec=DeploymentSpec(replicas=1, selector=LabelSelector(matchLabels=labels), template=template),
    )
    made = client.apply(wanted)
    assert made.metadata.managedFields[0].manager == "lightkube-test"
    scaled = client.patch(Deployment, "light", {"spec": {"replicas": 2}})
    assert scaled.spec.replicas == 2
    assert [item.metadata.name for item in client.list(Deployment, labels=labels)] == ["light"]
    with pytest.raises(ApiError, match="conflict"):
        client.apply(wanted, field_manager="somebody-else")
    client.delete(Deployment, "light")
