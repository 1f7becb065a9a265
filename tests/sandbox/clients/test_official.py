"""The official Python client as its users write it: typed, dynamic and custom objects, watches that resume, streams."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

# It closes no sockets when it is dropped; that is its own, not what is tested here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "nginx:1.27", "ports": [{"containerPort": 80, "name": "http"}]}],
    },
}


@pytest.fixture
def official(sandbox: Any) -> Iterator[Any]:
    """The package, and a client of the first cluster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes

        client = kubernetes.config.new_client_from_config(sandbox.kubeconfig, context="harbor-eu")
        yield kubernetes, client
        client.close()
        gc.collect()


@pytest.fixture
def pod(official: Any, namespace: str) -> str:
    """A pod that runs and listens on port 80."""
    kubernetes, client = official
    core = kubernetes.client.CoreV1Api(client)
    core.create_namespaced_pod(namespace, POD)
    for event in kubernetes.watch.Watch().stream(
        core.list_namespaced_pod, namespace, field_selector="metadata.name=web", timeout_seconds=20
    ):
        conditions = event["object"].status.conditions or []
        if any(each.type == "Ready" and each.status == "True" for each in conditions):
            return "web"
    raise AssertionError("the pod never became ready")


def test_a_cache_is_kept_by_list_and_watch(official: Any, namespace: str) -> None:
    kubernetes, client = official
    core = kubernetes.client.CoreV1Api(client)
    listed = core.list_namespaced_config_map(namespace)
    cache = {each.metadata.name: each.data for each in listed.items}
    for name in ("a", "b"):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": name}, "data": {"n": name}})
    core.patch_namespaced_config_map("a", namespace, {"data": {"n": "changed"}})
    core.delete_namespaced_config_map("b", namespace)
    watch = kubernetes.watch.Watch()
    for event in watch.stream(
        core.list_namespaced_config_map,
        namespace,
        resource_version=listed.metadata.resource_version,
        timeout_seconds=10,
    ):
        obj = event["object"]
        if event["type"] == "DELETED":
            cache.pop(obj.metadata.name)
            watch.stop()
        else:
            cache[obj.metadata.name] = obj.data
    assert cache["a"] == {"n": "changed"}
    assert "b" not in cache


def test_kinds_are_found_and_used_dynamically(official: Any, namespace: str) -> None:
    kubernetes, client = official
    dynamic = kubernetes.dynamic.DynamicClient(client)
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    labels = {"app": "dynamic"}
    container = {"name": "main", "image": "nginx:1.27"}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "dynamic"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    made = deployments.server_side_apply(body=body, namespace=namespace, field_manager="dynamic-test")
    assert made.metadata.managedFields[0].manager == "dynamic-test"
    deployments.patch(
        body={"spec": {"replicas": 0}}, name="dynamic", namespace=namespace,
        content_type="application/merge-patch+json",
    )  # fmt: skip
    assert deployments.get(name="dynamic", namespace=namespace).spec.replicas == 0
    queues = dynamic.resources.get(api_version="scheduling.run.ai/v2", kind="Queue")
    assert queues.get().items
    assert queues.namespaced is False
    deployments.delete(name="dynamic", namespace=namespace)


def test_custom_objects_have_a_status_of_their_own(official: Any, namespace: str) -> None:
    kubernetes, client = official
    api = kubernetes.client.CustomObjectsApi(client)
    place = ("scheduling.run.ai", "v2alpha2", namespace, "podgroups")
    body = {
        "apiVersion": "scheduling.run.ai/v2alpha2",
        "kind": "PodGroup",
        "metadata": {"name": "gang"},
        "spec": {"minMember": 2, "queue": "default"},
    }
    api.create_namespaced_custom_object(*place, body)
    api.patch_namespaced_custom_object_status(
        *place, "gang", {"status": {"phase": "Pending"}, "spec": {"minMember": 9}}
    )
    found = api.get_namespaced_custom_object(*place, "gang")
    assert (found["status"]["phase"], found["spec"]["minMember"]) == ("Pending", 2)
    api.delete_namespaced_custom_object(*place, "gang")


def test_commands_run_in_a_container_with_both_streams_and_an_exit_code(
    official: Any, namespace: str, pod: str
) -> None:
    kubernetes, client = official
    answer = kubernetes.stream.stream(
        kubernetes.client.CoreV1Api(client).connect_get_namespaced_pod_exec, pod, namespace,
        command=["sh", "-c", "echo out; nothing-here; exit 7"], stdout=True, stderr=True, stdin=False, tty=False,
        _preload_content=False,
    )  # fmt: skip
    answer.run_forever(timeout=10)
    assert answer.read_stdout() == "out\n"
    assert "not found" in answer.read_stderr()
    assert answer.returncode == 7


def test_a_port_is_forwarded_as_a_socket(official: Any, namespace: str, pod: str) -> None:
    kubernetes, client = official
    forward = kubernetes.stream.portforward(
        kubernetes.client.CoreV1Api(client).connect_get_namespaced_pod_portforward, pod, namespace, ports="80"
    )
    connection = forward.socket(80)
    connection.settimeout(10)
    connection.sendall(b"GET /hello HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    data = b""
    while b"/hello" not in data:
        piece = connection.recv(4096)
        assert piece, data
        data += piece
    assert data.startswith(b"HTTP/1.1 200")
    assert forward.error(80) is None
    connection.close()
    forward.close()


def test_logs_and_events_of_a_pod_are_read(official: Any, namespace: str, pod: str) -> None:
    kubernetes, client = official
    core = kubernetes.client.CoreV1Api(client)
    assert "simulated" in core.read_namespaced_pod_log(pod, namespace, tail_lines=20)
    reasons = {each.reason for each in core.list_namespaced_event(namespace).items}
    assert {"Scheduled", "Started"} <= reasons


def test_an_evicted_pod_goes(official: Any, namespace: str, pod: str) -> None:
    kubernetes, client = official
    core = kubernetes.client.CoreV1Api(client)
    body = kubernetes.client.V1Eviction(metadata=kubernetes.client.V1ObjectMeta(name=pod, namespace=namespace))
    version = core.list_namespaced_pod(namespace).metadata.resource_version
    core.create_namespaced_pod_eviction(pod, namespace, body)
    watch = kubernetes.watch.Watch()
    for event in watch.stream(core.list_namespaced_pod, namespace, resource_version=version, timeout_seconds=10):
        if event["type"] == "DELETED":
            watch.stop()
    assert not core.list_namespaced_pod(namespace).items


def test_rights_are_asked_for_and_given(official: Any, namespace: str) -> None:
    kubernetes, client = official
    api = kubernetes.client.AuthorizationV1Api(client)
    attributes = {"verb": "list", "resource": "pods", "namespace": namespace}
    for user, may in (("admin", True), ("dana", False)):
        groups = ["system:masters"] if may else []
        spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
        assert api.create_subject_access_review({"spec": spec}).status.allowed is may
