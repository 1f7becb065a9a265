"""The loopback kubelet does with pods what a kubelet does: probes, crashes, references, images, jobs, nodes that go."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from rig_manifests import IMAGE, SECURITY, Deployed, is_ready

from rig.api import JsonObject
from rig.behaviour import Behaviour
from rig.cluster import Cluster, Rig
from rig.processes import wait_until

pytestmark = pytest.mark.rig

Deploy = Callable[..., Deployed]
RunPod = Callable[..., str]
PODS = "/api/v1/namespaces/team-a/pods"


@pytest.fixture
def pod(cluster: Cluster) -> Iterator[RunPod]:
    """Starts a pod with one container in team-a; gives its path and removes it afterwards."""
    made: list[str] = []

    def start(
        script: str, *, policy: str = "Always", image: str = IMAGE, volumes: object = (), **container: object
    ) -> str:
        name = f"p-{secrets.token_hex(3)}"
        main = {"name": "main", "image": image, "securityContext": SECURITY, **container}
        if script:
            main["command"] = ["sh", "-c", script]
        spec = {
            "restartPolicy": policy,
            "terminationGracePeriodSeconds": 1,
            "containers": [main],
            "volumes": list(volumes),  # type: ignore[call-overload]
        }
        cluster.api.post(PODS, {"metadata": {"name": name}, "spec": spec})
        made.append(f"{PODS}/{name}")
        return made[-1]

    yield start
    for path in made:
        cluster.api.delete(path)
    for path in made:
        cluster.wait_gone(path)


def wait_for(cluster: Cluster, path: str, test: Callable[[JsonObject], object], *, limit: float = 30.0) -> JsonObject:
    found: JsonObject = {}

    def look() -> object:
        found.clear()
        found.update(cluster.api.get(path))
        return test(found)

    wait_until(f"{path} as wished", look, limit=limit)
    return found


def state(pod: JsonObject) -> JsonObject:
    statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
    found: JsonObject = statuses[0]["state"]
    return found


def test_a_readiness_command_decides_when_a_pod_is_ready_and_when_no_longer(cluster: Cluster, pod: RunPod) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    path = pod("touch /tmp/ready; sleep 2; rm /tmp/ready; sleep 60", readinessProbe=probe)
    wait_for(cluster, path, is_ready)
    wait_for(cluster, path, lambda pod: not is_ready(pod))


def test_a_liveness_probe_that_fails_restarts_the_container(cluster: Cluster, pod: RunPod) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    path = pod("trap 'exit 0' TERM; while :; do sleep 0.1; done", livenessProbe=probe)
    found = wait_for(cluster, path, lambda pod: pod["status"].get("containerStatuses", [{}])[0].get("restartCount"))
    assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 0


def test_a_container_that_keeps_ending_is_in_crash_loop_back_off_with_its_exit_code(
    cluster: Cluster, pod: RunPod
) -> None:
    path = pod("echo about to fail; exit 3")
    found = wait_for(cluster, path, lambda pod: state(pod).get("waiting", {}).get("reason") == "CrashLoopBackOff")
    assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
    name = path.rsplit("/", 1)[1]
    events = "/api/v1/namespaces/team-a/events?fieldSelector=involvedObject.name%3D" + name
    reasons = {event["reason"] for event in cluster.api.get(events)["items"]}
    assert {"Scheduled", "Started", "BackOff"} <= reasons


def test_a_missing_secret_holds_the_container_until_it_is_there(cluster: Cluster, pod: RunPod) -> None:
    name = f"s-{secrets.token_hex(3)}"
    reference = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "key"}}}
    path = pod("echo key is $KEY; sleep 60", env=[reference])
    found = wait_for(cluster, path, lambda pod: state(pod).get("waiting", {}).get("message"))
    assert state(found)["waiting"] == {"reason": "CreateContainerConfigError", "message": f'secret "{name}" not found'}
    secret = {"metadata": {"name": name}, "stringData": {"key": "open sesame"}}
    cluster.api.post("/api/v1/namespaces/team-a/secrets", secret)
    wait_for(cluster, path, lambda pod: "running" in state(pod))
    wait_until("the log", lambda: cluster.api.get(f"{path}/log") == "key is open sesame\n", limit=10)
    cluster.api.delete(f"/api/v1/namespaces/team-a/secrets/{name}")


def test_an_image_that_does_not_exist_is_told_as_such(cluster: Cluster, pod: RunPod) -> None:
    path = pod("", image="registry.example/no-such-image:1")
    found = wait_for(cluster, path, lambda pod: state(pod).get("waiting", {}).get("reason") == "ImagePullBackOff")
    assert "not found" in state(found)["waiting"]["message"]
    assert found["status"]["phase"] == "Pending"


def test_a_pod_that_may_end_succeeds_or_fails_by_its_exit_code(cluster: Cluster, pod: RunPod) -> None:
    good, bad = pod("exit 0", policy="Never"), pod("exit 1", policy="Never")
    wait_for(cluster, good, lambda pod: pod["status"]["phase"] == "Succeeded")
    wait_for(cluster, bad, lambda pod: pod["status"]["phase"] == "Failed")


def test_pods_have_localhosts_of_their_own(cluster: Cluster, pod: RunPod) -> None:
    script = (
        "export OLLAMA_HOST=127.0.0.1:11434; ollama serve >/dev/null 2>&1 & sleep 1; ollama list && echo both; sleep 60"
    )
    paths = [pod(script), pod(script)]
    for path in paths:
        wait_until("its own server", lambda path=path: "both" in cluster.api.get(f"{path}/log"), limit=20)  # type: ignore[misc]


def test_a_container_sees_its_mounts_and_not_this_machines_folders(cluster: Cluster, pod: RunPod) -> None:
    wish = {"name": "data", "mountPath": "/data"}
    script = "echo x >/data/file && ls /data && ls /home /srv 2>&1; id -u; sleep 60"
    path = pod(script, volumes=[{"name": "data", "emptyDir": {}}], volumeMounts=[wish])
    wait_until("the log", lambda: cluster.api.get(f"{path}/log").startswith("file\n"), limit=20)
    assert "No such file or directory" in cluster.api.get(f"{path}/log")


def test_a_private_model_is_pulled_with_a_key_from_a_secret(
    cluster: Cluster, rig: Rig, deploy: Deploy, pod: RunPod
) -> None:
    name = "acme/private-chat:latest"
    private = ed25519.Ed25519PrivateKey.generate()
    openssh = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    key = base64.b64encode(private.private_bytes(*openssh)).decode()
    cluster.api.post(
        "/api/v1/namespaces/team-a/secrets", {"metadata": {"name": "pull-key"}, "data": {"id_ed25519": key}}
    )
    rig.registry.behave(name, Behaviour(login="a-token"))
    script = (
        "mkdir -p /tmp/h/.ollama && cp /key/id_ed25519 /tmp/h/.ollama/ && export HOME=/tmp/h\n"
        "ollama serve >/dev/null 2>&1 & sleep 1\n"
        f"ollama pull --insecure {rig.registry.address}/{name} 2>&1 | tail -1; sleep 60"
    )
    volumes = [{"name": "key", "secret": {"secretName": "pull-key"}}]
    mount = [{"name": "key", "mountPath": "/key", "readOnly": True}]
    try:
        refused = pod(script, volumes=volumes, volumeMounts=mount)
        wait_until("the refusal", lambda: "401" in cluster.api.get(f"{refused}/log"), limit=30)
        rig.registry.trust(public.split()[1].decode())
        allowed = pod(script, volumes=volumes, volumeMounts=mount)
        wait_until("the pull", lambda: "success" in cluster.api.get(f"{allowed}/log"), limit=30)
    finally:
        rig.registry.behave(name, Behaviour())
        cluster.api.delete("/api/v1/namespaces/team-a/secrets/pull-key")


def test_a_crashed_server_comes_back_with_its_model_in_the_same_pod(cluster: Cluster, deploy: Deploy) -> None:
    model = deploy("tiny-chat", gpu="0")
    before = model.ready_pod()
    worker = cluster.kubelet.worker("team-a", before["metadata"]["name"])
    assert worker is not None
    worker.crash("ollama")

    def back(pod: JsonObject) -> bool:
        return bool(is_ready(pod) and pod["status"]["containerStatuses"][0]["restartCount"] == 1)

    after = model.wait("is back", back)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137
    assert [m["name"] for m in model.ask(after, "/api/tags")["models"]] == ["tiny-chat:latest"]
