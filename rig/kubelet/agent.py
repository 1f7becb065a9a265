"""The kubelet of all nodes of a cluster: sees which pods are bound, runs each, and lets go of those that are deleted.

One watch for everything, because the nodes are one machine. A pod with a deletion timestamp is stopped within its
grace and then removed the way a kubelet does it (no grace left, its own uid as the condition): nobody else removes a
bound pod. Reservation pods of KAI get the one annotation that a real one would write: which GPU it holds.
"""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from rig import build
from rig.api import Api, JsonObject, Refused
from rig.kubelet.environment import ConfigMissing
from rig.kubelet.events import Events
from rig.kubelet.sandbox import AUTHORITY, PROGRAMS, SEARCH_PATH, AddressPool, Mount
from rig.kubelet.volumes import Volumes, lookup_in
from rig.kubelet.worker import Host, Worker
from rig.storage import Provisioner

_LOG = logging.getLogger(__name__)
_RESERVATIONS = "kai-resource-reservation"
_GPU_ANNOTATION = "run.ai/reserve_for_gpu_index"


class Agent:
    """Runs the pods of `nodes` (name → address). `authority` is the certificate that the image trusts."""

    def __init__(
        self, api: Api, *, index: int, nodes: Mapping[str, str], folder: Path, storage: Provisioner, authority: Path
    ) -> None:
        self._api = api
        self._nodes = nodes
        self._storage = storage
        self._workers: dict[str, Worker] = {}
        self._gpus: dict[str, tuple[str, int]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._host = Host(
            api=api,
            pool=AddressPool(index),
            index=index,
            folder=folder,
            image_env=_image_env(),
            image_mounts=(
                Mount(source=build.program("ollama"), target=f"{PROGRAMS}/ollama", read_only=True),
                Mount(source=authority, target=AUTHORITY, read_only=True),
            ),
            node_address=lambda name: nodes[name],
            volumes=self._volumes,
            events=Events(api),
        )

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        threading.Thread(target=self._run, name="rig-kubelet", daemon=True).start()

    def stop(self) -> None:
        """Kill every pod's processes without telling the API server, which is going away too."""
        self._stop.set()
        with self._lock:
            workers = list(self._workers.values())
        threads = [threading.Thread(target=worker.end, kwargs={"grace": 0.5}) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def worker(self, space: str, name: str) -> Worker | None:
        """The pod of that name, if it is here."""
        with self._lock:
            for worker in self._workers.values():
                meta = worker.pod["metadata"]
                if (meta["namespace"], meta["name"]) == (space, name):
                    return worker
        return None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for kind, pod in self._api.watch("/api/v1/pods?fieldSelector=spec.nodeName!="):
                    if self._stop.is_set():
                        return
                    if kind != "BOOKMARK" and pod["spec"]["nodeName"] in self._nodes:
                        self._see(kind, pod)
            except (OSError, http.client.HTTPException, Refused, ValueError) as error:
                _LOG.debug("the kubelet's watch begins again: %s", error)
                self._stop.wait(0.3)

    def _see(self, kind: str, pod: JsonObject) -> None:
        uid = pod["metadata"]["uid"]
        deleted = kind == "DELETED" or "deletionTimestamp" in pod["metadata"]
        with self._lock:
            worker = self._workers.get(uid)
            if worker is None and not deleted and pod["status"].get("phase") == "Pending":
                worker = self._workers[uid] = Worker(pod, self._host)
                threading.Thread(target=self._begin, args=(worker,), name="rig-begin", daemon=True).start()
        if deleted:
            threading.Thread(target=self._finish, args=(kind, pod), name="rig-finish", daemon=True).start()

    def _begin(self, worker: Worker) -> None:
        if worker.pod["metadata"]["namespace"] == _RESERVATIONS:
            self._reserve(worker)
        worker.start()

    def _reserve(self, worker: Worker) -> None:
        """Say which GPU the reservation pod holds: the lowest of its node that none of the others holds."""
        node = worker.pod["spec"]["nodeName"]
        with self._lock:
            held = {number for where, number in self._gpus.values() if where == node}
            number = next(i for i in range(64) if i not in held)
            self._gpus[worker.uid] = (node, number)
        try:
            self._api.patch(worker.path, {"metadata": {"annotations": {_GPU_ANNOTATION: f"GPU-{node}-{number}"}}})
        except (OSError, http.client.HTTPException, Refused) as error:
            _LOG.warning("reservation of a GPU on %s failed: %s", node, error)

    def _finish(self, kind: str, pod: JsonObject) -> None:
        meta = pod["metadata"]
        uid = meta["uid"]
        with self._lock:
            worker = self._workers.pop(uid, None)
        if worker is not None:
            grace = 0 if kind == "DELETED" else meta.get("deletionGracePeriodSeconds", 30)
            worker.end(grace=float(grace))
        with self._lock:
            self._gpus.pop(uid, None)
        if kind == "DELETED":
            return
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        try:
            self._api.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
        except Refused as error:
            if error.status not in (404, 409):
                _LOG.warning("pod %s was not removed: %s", path, error)
        except (OSError, http.client.HTTPException) as error:
            _LOG.warning("pod %s was not removed: %s", path, error)  # seen again when the watch begins again

    def _volumes(self, pod: JsonObject, folder: Path) -> Volumes:
        space = pod["metadata"]["namespace"]

        def claim(name: str) -> Path:
            try:
                return self._storage.folder_of(space, name)
            except LookupError as error:
                raise ConfigMissing(str(error)) from error

        def token() -> str:
            account = pod["spec"].get("serviceAccountName", "default")
            path = f"/api/v1/namespaces/{space}/serviceaccounts/{account}/token"
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            return str(self._api.post(path, body)["status"]["token"])

        return Volumes(folder=folder, lookup=lookup_in(self._api, space), claims=claim, token=token)


def _image_env() -> dict[str, str]:
    """What Ollama's image sets, and that it trusts the rig's internet and asks no other."""
    return {
        "PATH": SEARCH_PATH,
        "HOME": "/root",
        "OLLAMA_HOST": "0.0.0.0:11434",
        "OLLAMA_NO_CLOUD": "1",
        "SSL_CERT_FILE": AUTHORITY,
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    }
