"""A stand-in for an API server that costs next to nothing, so that a client's own cost is what gets measured.

All answers are encoded once, before the first request: a paged list of pods as real clusters have them (6 KB each,
a third of it managedFields; uids, hashes and times of their own, since a compressor must not profit from a bench), a
WatchList, and a watch of MODIFIED events, as fast as they are read or so many a second. Runs as its own process, prints
its port. `python -m bench._kube_server PODS [--per-second N] [--watch-only] [--crds N] [--ports N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvloop

from bench import _kube_discovery

PAGE = 500
EVENTS = 20_000


def _own(number: int, what: str, digits: int = 64) -> str:
    """Digits that no other object has."""
    return hashlib.sha256(f"{what} {number}".encode()).hexdigest()[:digits]


def _uid(number: int, what: str) -> str:
    text = _own(number, what, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def pod(number: int) -> dict[str, Any]:
    """One pod of a deployment, with the parts that real pods have: volumes, probes, conditions, managedFields."""
    chance = int(_own(number, "time", 6), 16)
    born = f"2026-11-{1 + chance % 20:02d}T{(chance >> 5) % 24:02d}:{(chance >> 10) % 60:02d}"
    return {
        "metadata": _metadata(number, born=born),
        "spec": _spec(number),
        "status": _status(number, born=born, delay=chance % 7),
    }


def _metadata(number: int, *, born: str) -> dict[str, Any]:
    name = f"model-{number // 20:04d}-{_own(number // 20, 'template', 10)}-{_own(number, 'name', 5)}"
    labels = {
        "app.kubernetes.io/name": f"model-{number // 20:04d}",
        "app.kubernetes.io/managed-by": "sealane",
        "pod-template-hash": _own(number // 20, "template", 10),
        "kai.scheduler/queue": f"team-{number // 20 % 17}",
    }
    return {
        "name": name,
        "generateName": name.rpartition("-")[0] + "-",
        "namespace": f"team-{number // 20 % 17}",
        "uid": _uid(number, "pod"),
        "resourceVersion": str(1000 + number),
        "creationTimestamp": f"{born}:00Z",
        "labels": labels,
        "annotations": {"sealane.dev/model": "qwen2.5-coder:7b", "gpu-fraction": "0.5"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": name.rpartition("-")[0],
                "uid": _uid(number // 20, "replica set"),
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "managedFields": [_managed("kube-controller-manager", 18), _managed("kubelet", 24)],
    }


def _spec(number: int) -> dict[str, Any]:
    token = f"kube-api-access-{_own(number, 'token', 5)}"
    container = {
        "name": "ollama",
        "image": "ollama/ollama:0.23.0",
        "env": [{"name": f"OLLAMA_SETTING_{at}", "value": str(at)} for at in range(8)],
        "ports": [{"name": "http", "containerPort": 11434, "protocol": "TCP"}],
        "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"cpu": "2", "memory": "8Gi"}},
        "volumeMounts": [
            {"name": "models", "mountPath": "/models"},
            {"name": token, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    return {
        "containers": [container],
        "initContainers": [{**container, "name": "pull", "command": ["sh", "-c", "ollama pull"]}],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": f"model-{number // 20:04d}-weights"}},
            {"name": token, "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        ],
        "nodeName": f"gpu-{number % 200}",
        "schedulerName": "kai-scheduler",
        "serviceAccountName": "default",
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }


def _status(number: int, *, born: str, delay: int) -> dict[str, Any]:
    return {
        "phase": "Running",
        "podIP": f"10.1.{number // 250 % 250}.{number % 250}",
        "hostIP": "10.0.0.1",
        "qosClass": "Burstable",
        "startTime": f"{born}:01Z",
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": f"{born}:{9 + delay:02d}Z"}
            for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "containerStatuses": [
            {
                "name": "ollama",
                "ready": True,
                "restartCount": 0,
                "image": "ollama/ollama:0.23.0",
                "imageID": "docker.io/ollama/ollama@sha256:" + "0" * 64,
                "containerID": "containerd://" + _own(number, "container"),
                "started": True,
                "state": {"running": {"startedAt": f"{born}:08Z"}},
            }
        ],
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

    def __init__(self, pods: int, *, per_second: float = 0.0, watch_only: bool = False, crds: int = 0) -> None:
        self.pods = pods
        self.per_second = per_second
        self.crds = _kube_discovery.crds(crds)
        self.discovery = _kube_discovery.aggregated(crds)
        self.full = [_compact({"kind": "Pod", "apiVersion": "v1", **pod(number)}) for number in range(pods)]
        self.average = sum(map(len, self.full)) / max(pods, 1) - 32
        self.events = b"" if per_second else b"".join(self.change(number) for number in range(EVENTS))
        self.pages: list[bytes] = []
        self.whole = b""
        if not watch_only:
            items = [b"{" + item[32:] for item in self.full]
            self.pages = [self._page(items, start, pods) for start in range(0, pods, PAGE)]
            self.whole = b"".join((self._head("1000000", ""), b",".join(items), b"]}"))

    def initial(self) -> Iterator[bytes]:
        """A WatchList's first part, in pieces of 64 KB or a little less."""
        held: list[bytes] = []
        size = 0
        for item in self.full:
            held.append(_event(b"ADDED", item))
            size += len(item)
            if size > 60_000:
                yield b"".join(held)
                held, size = [], 0
        yield b"".join((*held, _end_of_initial()))

    def change(self, number: int) -> bytes:
        """The event of one more change of a pod, at a version of its own."""
        item = self.full[number * 7919 % self.pods]
        start = item.index(b'"resourceVersion":"') + 19
        return _event(b"MODIFIED", item[:start] + str(1_000_001 + number).encode() + item[item.index(b'"', start) :])

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
            await reader.readexactly(_length(head))
            method, target, _ = head.split(b" ", 2)
            path, query = urlsplit(target.decode()).path, parse_qs(urlsplit(target.decode()).query)
            if query.get("watch", ["0"])[0] in {"1", "true", "True"}:
                await _watch(answers, "sendInitialEvents" in query, writer)
            else:
                _answer(writer, *_body(answers, method, path, query))
    except (asyncio.IncompleteReadError, ConnectionError, RuntimeError):
        pass  # uvloop says RuntimeError when a reader that hung up is written to
    finally:
        writer.close()


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)


def _body(answers: Answers, method: bytes, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
    if path == "/api/v1/pods":
        if "limit" not in query:
            return 200, answers.whole
        return 200, answers.pages[int(query.get("continue", ["0"])[0]) // PAGE]
    if method == b"POST":
        return 201, _kube_discovery.EVERYTHING_ALLOWED
    found = {
        "/version": b'{"gitVersion":"v1.34.1"}',
        "/api": _kube_discovery.CORE,
        "/apis": answers.discovery,
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": answers.crds,
    }.get(path)
    return (
        (404, b'{"kind":"Status","code":404,"reason":"NotFound","message":"not here"}')
        if found is None
        else (200, found)
    )


def _answer(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
    writer.write(body)


async def _watch(answers: Answers, initial: bool, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    if initial:
        for piece in answers.initial():
            await _chunk(writer, piece)
    for start in range(0, len(answers.events), 65_536):
        await _chunk(writer, answers.events[start : start + 65_536])
    number = 0
    while answers.per_second:
        await asyncio.sleep(1.0 / answers.per_second)
        await _chunk(writer, answers.change(number))
        number += 1


async def _chunk(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """A watch stays open at its end, as watches do."""
    writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
    await writer.drain()


async def _main(answers: Answers, ports: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(answers, reader, writer)

    servers = [await asyncio.start_server(connected, "127.0.0.1", 0) for _ in range(ports)]
    found = [server.sockets[0].getsockname()[1] for server in servers]
    print(json.dumps({"port": found[0], "ports": found, "pod_bytes": round(answers.average)}), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the bench that started us is done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pods", type=int)
    parser.add_argument("--per-second", type=float, default=0.0)
    parser.add_argument("--watch-only", action="store_true")
    parser.add_argument("--crds", type=int, default=0)
    parser.add_argument("--ports", type=int, default=1)
    chosen = parser.parse_args()
    made = Answers(chosen.pods, per_second=chosen.per_second, watch_only=chosen.watch_only, crds=chosen.crds)
    uvloop.run(_main(made, chosen.ports))
