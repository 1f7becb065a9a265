"""A stand-in for an API server that costs next to nothing, so that a client's own cost is what gets measured.

All answers are encoded once, before the first request: a paged list of pods as real clusters have them (5 to 6 KB
each, two fifths of it managedFields), a WatchList, and a watch of MODIFIED events. Runs as its own process, prints
its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvloop

PAGE = 500
EVENTS = 20_000


def pod(number: int) -> dict[str, Any]:
    """One pod of a deployment, with the parts that real pods have: volumes, probes, conditions, managedFields."""
    name = f"model-{number // 20:04d}-7c9d8f6b5d-{number % 20:05d}"
    labels = {
        "app.kubernetes.io/name": f"model-{number // 20:04d}",
        "app.kubernetes.io/managed-by": "sealane",
        "pod-template-hash": "7c9d8f6b5d",
        "kai.scheduler/queue": f"team-{number % 17}",
    }
    container = {
        "name": "ollama",
        "image": "ollama/ollama:0.23.0",
        "env": [{"name": f"OLLAMA_SETTING_{at}", "value": str(at)} for at in range(8)],
        "ports": [{"name": "http", "containerPort": 11434, "protocol": "TCP"}],
        "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"cpu": "2", "memory": "8Gi"}},
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    return {
        "metadata": {
            "name": name,
            "generateName": name.rpartition("-")[0] + "-",
            "namespace": f"team-{number % 17}",
            "uid": f"00000000-0000-4000-8000-{number:012d}",
            "resourceVersion": str(1000 + number),
            "creationTimestamp": "2026-11-01T09:00:00Z",
            "labels": labels,
            "annotations": {"sealane.dev/model": "qwen2.5-coder:7b", "gpu-fraction": "0.5"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": name.rpartition("-")[0],
                    "uid": f"00000000-0000-4000-9000-{number // 20:012d}",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
            "managedFields": [_managed("kube-controller-manager", 18), _managed("kubelet", 24)],
        },
        "spec": {
            "containers": [container],
            "initContainers": [{**container, "name": "pull", "command": ["sh", "-c", "ollama pull"]}],
            "volumes": [
                {"name": "models", "persistentVolumeClaim": {"claimName": f"model-{number // 20:04d}-weights"}}
            ],
            "nodeName": f"gpu-{number % 200}",
            "schedulerName": "kai-scheduler",
            "serviceAccountName": "default",
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.1.{number // 250 % 250}.{number % 250}",
            "hostIP": "10.0.0.1",
            "qosClass": "Burstable",
            "startTime": "2026-11-01T09:00:01Z",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-11-01T09:00:09Z"}
                for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [
                {
                    "name": "ollama",
                    "ready": True,
                    "restartCount": 0,
                    "image": "ollama/ollama:0.23.0",
                    "imageID": "docker.io/ollama/ollama@sha256:" + "0" * 64,
                    "containerID": "containerd://" + "1" * 64,
                    "started": True,
                    "state": {"running": {"startedAt": "2026-11-01T09:00:08Z"}},
                }
            ],
        },
    }


def _managed(manager: str, fields: int) -> dict[str, Any]:
    inner = {f"f:field{at}": {".": {}, "f:name": {}, "f:value": {}} for at in range(fields)}
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-11-01T09:00:09Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": inner}},
    }


class Answers:
    """Every body that will be sent, made once."""

    def __init__(self, pods: int) -> None:
        made = [pod(number) for number in range(pods)]
        items = [_compact(one) for one in made]
        self.average = sum(map(len, items)) / max(pods, 1)
        self.pages = [self._page(items, start, pods) for start in range(0, pods, PAGE)]
        self.whole = b"".join((self._head("1000000", ""), b",".join(items), b"]}"))
        full = [_compact({"kind": "Pod", "apiVersion": "v1", **one}) for one in made]
        self.initial = b"".join(_event(b"ADDED", item) for item in full) + _end_of_initial()
        self.events = b"".join(_event(b"MODIFIED", full[number % pods]) for number in range(EVENTS))

    def _page(self, items: list[bytes], start: int, pods: int) -> bytes:
        token = str(start + PAGE) if start + PAGE < pods else ""
        return b"".join((self._head("1000000", token), b",".join(items[start : start + PAGE]), b"]}"))

    def _head(self, version: str, token: str) -> bytes:
        meta = {"resourceVersion": version, **({"continue": token} if token else {})}
        return b'{"kind":"PodList","apiVersion":"v1","metadata":' + _compact(meta) + b',"items":['


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(kind: bytes, item: bytes) -> bytes:
    return b'{"type":"' + kind + b'","object":' + item + b"}\n"


def _end_of_initial() -> bytes:
    meta = {"resourceVersion": "1000000", "annotations": {"k8s.io/initial-events-end": "true"}}
    return _event(b"BOOKMARK", _compact({"kind": "Pod", "apiVersion": "v1", "metadata": meta}))


async def _serve(answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
            if query.get("watch", ["0"])[0] not in {"1", "true", "True"}:
                _answer(writer, _list_body(answers, query))
                continue
            initial = answers.initial if "sendInitialEvents" in query else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            await _chunks(writer, initial)
            await _chunks(writer, answers.events)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _list_body(answers: Answers, query: dict[str, list[str]]) -> bytes:
    if "limit" not in query:
        return answers.whole
    return answers.pages[int(query.get("continue", ["0"])[0]) // PAGE]


def _answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    writer.write(body)


async def _chunks(writer: asyncio.StreamWriter, body: bytes) -> None:
    """In pieces of 64 KB; a watch stays open at its end, as watches do."""
    for start in range(0, len(body), 65_536):
        piece = body[start : start + 65_536]
        writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
        await writer.drain()


async def _main(pods: int) -> None:
    answers = Answers(pods)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(answers, reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"port": port, "pod_bytes": round(answers.average)}), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the bench that started us is done


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
