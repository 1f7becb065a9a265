"""KAI Scheduler on one control plane, without its operator and Helm chart: six programs, six definitions.

Three things must be right for GPU fractions to work as they do in a real installation: admission runs (it adds the
config map that binding looks for), the reservation namespace has its service account, and every program has ports of
its own, since all of them default to the same two. All flags were found to be needed; docs/rig.md says what for.
"""

from __future__ import annotations

import base64
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from rig import build
from rig.api import JsonObject
from rig.control_plane import ControlPlane
from rig.processes import wait_until

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
_PRIORITIES = {"train": 50, "build-preemptible": 75, "build": 100, "inference": 125}
_NAMESPACES = ("kai-scheduler", "kai-resource-reservation", "kai-scale-adjust")


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A KAI queue. GPU numbers are devices; -1 is unlimited."""

    name: str
    parent: str = ""
    gpus: float = -1
    limit: float = -1
    weight: float = 1


def start(plane: ControlPlane, *, queues: tuple[Queue, ...]) -> None:
    """Install the definitions, start the programs, make the queues; returns when admission answers."""
    _install(plane)
    _start_programs(plane)
    _register_admission(plane)
    for queue in queues:
        make_queue(plane, queue)


def make_queue(plane: ControlPlane, queue: Queue) -> None:
    """Create or change one queue; CPU and memory are unlimited."""

    def share(quota: float, limit: float) -> JsonObject:
        return {"quota": quota, "limit": limit, "overQuotaWeight": queue.weight}

    spec: JsonObject = {
        "resources": {"gpu": share(queue.gpus, queue.limit), "cpu": share(-1, -1), "memory": share(-1, -1)}
    }
    if queue.parent:
        spec["parentQueue"] = queue.parent
    body = {"apiVersion": "scheduling.run.ai/v2", "kind": "Queue", "metadata": {"name": queue.name}, "spec": spec}
    plane.api.apply(f"/apis/scheduling.run.ai/v2/queues/{queue.name}", body)


def _install(plane: ControlPlane) -> None:
    names = []
    for path in build.kai_crds():
        for definition in yaml.safe_load_all(path.read_text()):
            if definition:
                names.append(definition["metadata"]["name"])
                plane.api.apply(f"{_CRDS}/{names[-1]}", definition)
    for name in names:
        wait_until(f"{plane.name}: {name} established", lambda name=name: _is_established(plane, name))  # type: ignore[misc]
    for name, value in _PRIORITIES.items():
        body = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        plane.api.apply(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}", body)
    for name in _NAMESPACES:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        plane.api.apply(f"/api/v1/namespaces/{name}", body)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kai-resource-reservation"}}
    plane.api.apply("/api/v1/namespaces/kai-resource-reservation/serviceaccounts/kai-resource-reservation", account)


def _is_established(plane: ControlPlane, name: str) -> bool:
    conditions = plane.api.get(f"{_CRDS}/{name}").get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _start_programs(plane: ControlPlane) -> None:
    port = plane.base_port + 20
    lo = "127.0.0.1"
    flags: Mapping[str, list[str]] = {
        "podgrouper": [f"--metrics-bind-address={lo}:{port}", f"--health-probe-bind-address={lo}:{port + 1}"],
        "scheduler": [
            f"--listen-address={lo}:{port + 2}",
            f"--plugin-server-port={port + 3}",
            "--schedule-period=250ms",
            "--namespace=kai-scheduler",
        ],
        "binder": [
            f"--metrics-bind-address={lo}:{port + 4}",
            f"--health-probe-bind-address={lo}:{port + 5}",
            "--fake-gpu-nodes",
            "--resource-reservation-allocation-timeout=20",
        ],
        "queuecontroller": [f"--metrics-listen-address={lo}:{port + 6}", "--enable-webhook=false"],
        "podgroupcontroller": [f"--health-probe-bind-address={lo}:{port + 8}", "--enable-podgroup-webhook=false"],
        "admission": [
            f"--webhook-addr={port + 9}",
            f"--metrics-bind-address={lo}:{port + 10}",
            f"--health-probe-bind-address={lo}:{port + 11}",
            "--gpu-sharing-enabled=true",
            "--gpu-pod-runtime-class-name=",  # else a RuntimeClass named nvidia is demanded
        ],
    }
    environment = {"KUBECONFIG": str(plane.kubeconfig()), "TMPDIR": _admission_certificates(plane)}
    for name, arguments in flags.items():
        plane.processes.start(f"kai-{name}", [build.program(name), *arguments], env=environment)


def _admission_certificates(plane: ControlPlane) -> str:
    """Admission looks for its certificate under $TMPDIR alone; returns the folder to name there."""
    scratch = plane.folder / "kai-admission"
    serving = scratch / "k8s-webhook-server" / "serving-certs"
    serving.mkdir(parents=True, exist_ok=True)
    pair = plane.authority.serving("kai-admission", hosts=("127.0.0.1",))
    shutil.copy(pair.certificate, serving / "tls.crt")
    shutil.copy(pair.key, serving / "tls.key")
    return str(scratch)


def _register_admission(plane: ControlPlane) -> None:
    port = plane.base_port + 29

    def answers() -> bool:
        plane.processes.require_alive()
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True

    wait_until(f"{plane.name}: KAI's admission", answers)
    authority = base64.b64encode(plane.authority.certificate.read_bytes()).decode()
    for kind, operations in (("Mutating", ["CREATE"]), ("Validating", ["CREATE", "UPDATE"])):
        webhook = {
            "name": "admission.kai-scheduler.svc",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": 5,
            "clientConfig": {
                "url": f"https://127.0.0.1:{port}/{'mutate' if kind == 'Mutating' else 'validate'}--v1-pod",
                "caBundle": authority,
            },
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": operations}],
        }
        body = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": "kai-admission"},
            "webhooks": [webhook],
        }
        plane.api.apply(f"{_WEBHOOKS}/{kind.lower()}webhookconfigurations/kai-admission", body)
