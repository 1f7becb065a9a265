"""A storage class for the rig: claims become folders, and the API server sees them bound.

The smallest provisioner that Kubernetes' own volume controller accepts: it answers a pending claim of its class with a
PersistentVolume that names the claim, and removes the volume, with what is in it, when the claim is gone.
"""

from __future__ import annotations

import http.client
import logging
import shutil
import threading
from pathlib import Path

from rig.api import Api, JsonObject, Refused

CLASS = "local"
_PROVISIONER = "rig.sealane.dev/folder"
_VOLUMES = "/api/v1/persistentvolumes"
_LOG = logging.getLogger(__name__)


class Provisioner:
    """Serves the claims of one cluster from `folder`."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._stop = threading.Event()

    def start(self) -> None:
        """Make the storage class, the default one, and begin."""
        body = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": _PROVISIONER,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        }
        self._api.apply(f"/apis/storage.k8s.io/v1/storageclasses/{CLASS}", body)
        for watch in (self._claims, self._volumes):
            threading.Thread(target=self._forever, args=(watch,), name="rig-storage", daemon=True).start()

    def stop(self) -> None:
        """Take no more claims."""
        self._stop.set()

    def folder_of(self, space: str, claim: str) -> Path:
        """The folder behind a bound claim; raises LookupError when it is not bound, or does not exist."""
        name: str = self._api.get(f"/api/v1/namespaces/{space}/persistentvolumeclaims/{claim}")["spec"].get(
            "volumeName", ""
        )
        if not name:
            raise LookupError(f'persistentvolumeclaim "{claim}" is not bound')
        folder: Path = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _forever(self, watch: object) -> None:
        assert callable(watch)
        while not self._stop.is_set():
            try:
                watch()
            except (OSError, http.client.HTTPException, Refused, ValueError) as error:
                _LOG.debug("storage begins again: %s", error)
                self._stop.wait(0.3)

    def _claims(self) -> None:
        for kind, claim in self._api.watch("/api/v1/persistentvolumeclaims"):
            if self._stop.is_set():
                return
            spec = claim.get("spec", {})
            waits = kind in ("ADDED", "MODIFIED") and not spec.get("volumeName")
            if waits and spec.get("storageClassName") == CLASS:
                self._provide(claim)

    def _provide(self, claim: JsonObject) -> None:
        meta, spec = claim["metadata"], claim["spec"]
        name = f"pvc-{meta['uid']}"
        if self._api.exists(f"{_VOLUMES}/{name}"):
            return
        reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta["namespace"]}
        body = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": _PROVISIONER}},
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "accessModes": spec["accessModes"],
                "storageClassName": CLASS,
                "persistentVolumeReclaimPolicy": "Delete",
                "hostPath": {"path": str(self._folder / name)},
                "claimRef": reference | {"name": meta["name"], "uid": meta["uid"]},
            },
        }
        self._api.apply(f"{_VOLUMES}/{name}", body)

    def _volumes(self) -> None:
        for kind, volume in self._api.watch(_VOLUMES):
            if self._stop.is_set():
                return
            ours = volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == _PROVISIONER
            if kind in ("ADDED", "MODIFIED") and ours and volume.get("status", {}).get("phase") == "Released":
                name = volume["metadata"]["name"]
                self._api.delete(f"{_VOLUMES}/{name}")
                shutil.rmtree(self._folder / name, ignore_errors=True)
