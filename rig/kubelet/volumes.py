"""The volumes of a pod as folders of this machine, and where its containers see them.

A claim is a folder that lives as long as the claim; everything else lives as long as the pod. ConfigMaps, Secrets and
service-account tokens are written once, when the pod starts.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rig.api import Api, JsonObject
from rig.kubelet.environment import ConfigMissing, Lookup
from rig.kubelet.sandbox import Mount


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """Makes the volumes of one pod. `claims` gives the folder of a claim of the pod's namespace by its name."""

    folder: Path
    lookup: Lookup
    claims: Callable[[str], Path]
    token: Callable[[], str]

    def mounts(self, pod: JsonObject, container: JsonObject) -> list[Mount]:
        """Where the container sees which folder; raises ConfigMissing."""
        known = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
        found = []
        for wish in container.get("volumeMounts") or []:
            source = self._source(known[wish["name"]])
            if wish.get("subPath"):
                source /= wish["subPath"]
                source.parent.mkdir(parents=True, exist_ok=True)
                if not source.exists():
                    source.mkdir()
            found.append(Mount(source=source, target=wish["mountPath"], read_only=bool(wish.get("readOnly"))))
        return sorted(found, key=lambda mount: mount.target)

    def _source(self, volume: JsonObject) -> Path:
        if claim := volume.get("persistentVolumeClaim"):
            return self.claims(str(claim["claimName"]))
        if host := volume.get("hostPath"):
            return Path(host["path"])
        folder: Path = self.folder / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self._files(volume).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    def _files(self, volume: JsonObject) -> Mapping[str, str]:
        if projected := volume.get("projected"):
            files: dict[str, str] = {}
            for source in projected.get("sources") or []:
                files |= self._projected(source)
            return files
        return self._projected(volume)

    def _projected(self, source: JsonObject) -> Mapping[str, str]:
        if account := source.get("serviceAccountToken"):
            return {account["path"]: self.token()}
        for field, kind in (("configMap", "configmaps"), ("secret", "secrets")):
            if wish := source.get(field):
                return self._keys(kind, wish)
        return {}

    def _keys(self, kind: str, wish: JsonObject) -> Mapping[str, str]:
        name = wish.get("name") or wish.get("secretName", "")
        data = self.lookup(kind, name)
        if data is None:
            if wish.get("optional"):
                return {}
            raise ConfigMissing(f'{kind[:-1]} "{name}" not found')
        items = wish.get("items")
        if not items:
            return data
        return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def lookup_in(api: Api, space: str) -> Lookup:
    """Reads ConfigMaps and Secrets of a namespace; Secrets are decoded."""

    def look(kind: str, name: str) -> Mapping[str, str] | None:
        reply = api.send("GET", f"/api/v1/namespaces/{space}/{kind}/{name}")
        if reply.status != 200:
            return None
        data: dict[str, str] = reply.json().get("data") or {}
        if kind == "secrets":
            return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
        return data

    return look
