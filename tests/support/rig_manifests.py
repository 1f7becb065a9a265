"""What the tests of the rig deploy: the shape that Sealane gives to a hosted model, written out by hand.

It is not rendered by Sealane, so that the rig is proved by itself.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rig.api import JsonObject, Refused
from rig.cluster import Cluster
from rig.processes import wait_until

IMAGE = "ollama/ollama:0.23.0"
PULL = """
ollama serve &
server=$!
trap 'kill $server; exit 143' TERM
until ollama list >/dev/null 2>&1; do sleep 0.1; done
ollama pull $FLAGS "$SEALANE_MODEL"
code=$?
kill $server
wait $server
exit $code
"""
SECURITY = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def deployment(
    name: str,
    model: str,
    *,
    queue: str = "team-a",
    gpu: str = "1",
    replicas: int = 1,
    flags: str = "",
    claim: str = "",
    image: str = IMAGE,
) -> JsonObject:
    """A Deployment that pulls `model` in an init container and serves it. `gpu` is "0", "2" (whole) or "0.5"."""
    environment = [
        {"name": "SEALANE_MODEL", "value": model},
        {"name": "FLAGS", "value": flags},
        {"name": "OLLAMA_MODELS", "value": "/models"},
        {"name": "HOME", "value": "/models"},
        {"name": "OLLAMA_HOST", "value": "0.0.0.0:11434"},
        {"name": "OLLAMA_KEEP_ALIVE", "value": "-1"},
    ]
    shared: JsonObject = {
        "image": image,
        "env": environment,
        "securityContext": SECURITY,
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    resources: JsonObject = {"requests": {"cpu": "100m", "memory": "128Mi"}}
    labels = {"app": name, "kai.scheduler/queue": queue}
    meta: JsonObject = {"labels": labels}
    if "." in gpu:
        meta["annotations"] = {"gpu-fraction": gpu}
    elif gpu != "0":
        resources["limits"] = {"nvidia.com/gpu": gpu}
    main = shared | {
        "name": "ollama",
        "ports": [{"containerPort": 11434, "name": "http"}],
        "resources": resources,
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 2},
    }
    volume: JsonObject = {"name": "models", "emptyDir": {}}
    if claim:
        volume = {"name": "models", "persistentVolumeClaim": {"claimName": claim}}
    spec = {
        "schedulerName": "kai-scheduler" if gpu != "0" else "default-scheduler",
        "terminationGracePeriodSeconds": 5,
        "initContainers": [shared | {"name": "pull", "command": ["sh", "-c", PULL]}],
        "containers": [main],
        "volumes": [volume],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "team-a", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": meta, "spec": spec},
        },
    }


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A deployment in team-a, and what tests ask about it."""

    cluster: Cluster
    name: str

    @property
    def path(self) -> str:
        """The Deployment in the API."""
        return f"/apis/apps/v1/namespaces/team-a/deployments/{self.name}"

    def pods(self) -> list[JsonObject]:
        """Its pods, oldest first."""
        answer = self.cluster.api.get(f"/api/v1/namespaces/team-a/pods?labelSelector=app%3D{self.name}")
        return sorted(answer["items"], key=lambda pod: pod["metadata"]["creationTimestamp"])

    def wait(self, what: str, test: Callable[[JsonObject], object], *, limit: float = 60.0) -> JsonObject:
        """The first of its pods for which `test` holds."""
        found: list[JsonObject] = []

        def look() -> bool:
            found[:] = [pod for pod in self.pods() if test(pod)]
            return bool(found)

        wait_until(f"a pod of {self.name} that {what}", look, limit=limit)
        return found[0]

    def ready_pod(self, *, limit: float = 60.0) -> JsonObject:
        """The first of its pods that is Ready."""
        return self.wait("is Ready", is_ready, limit=limit)

    def ask(self, pod: JsonObject, path: str, body: object = None) -> Any:
        """The JSON that the pod's Ollama answers through the API server; raises Refused."""
        reply = self.cluster.api.send("POST" if body else "GET", self.proxy(pod, path), body)
        if reply.status != 200:
            raise Refused(reply.status, reply.body.decode(errors="replace"))
        return reply.json()

    def stream(self, pod: JsonObject, path: str, body: object) -> http.client.HTTPResponse:
        """The pod's answer as it comes."""
        return self.cluster.api.stream("POST", self.proxy(pod, path), body, timeout=60)

    def proxy(self, pod: JsonObject, path: str) -> str:
        """The path of the API server that leads to the pod's port 11434."""
        return f"/api/v1/namespaces/team-a/pods/{pod['metadata']['name']}:11434/proxy{path}"

    def remove(self) -> None:
        """Delete it and wait until its pods are gone."""
        if self.cluster.api.exists(self.path):
            self.cluster.api.delete(self.path)
        wait_until(f"the pods of {self.name} gone", lambda: not self.pods(), limit=60)


def is_ready(pod: JsonObject) -> bool:
    """Whether the pod's Ready condition holds."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def init_state(pod: JsonObject) -> JsonObject:
    """The state of the pod's init container, {} before there is one."""
    statuses = pod["status"].get("initContainerStatuses") or [{}]
    state: JsonObject = statuses[0].get("state", {})
    return state


def lines(answer: http.client.HTTPResponse) -> list[JsonObject]:
    """Every whole line of an NDJSON answer, which may be cut by the end of the server."""
    try:
        text = answer.read()
    except http.client.IncompleteRead as cut:
        text = cut.partial
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith(b"\n")]
