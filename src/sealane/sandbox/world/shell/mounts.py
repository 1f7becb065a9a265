"""What a pod's volumes put into its containers' file system: secrets, config maps, projected files, models.

Read from the cluster when a container's files are first looked at. Environment files of the image are here too, few as
they are, and say that the container is simulated.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ollama.storage import ModelStore
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.shell.files import Content, FileSystem

_FOLDERS = ("/bin", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/tmp", "/usr/bin", "/var/log")  # noqa: S108


def file_system(cluster: Cluster, pod: Obj, container: Obj, *, store: Callable[[str], ModelStore | None]) -> FileSystem:
    """The files of one container. `store(path)` is what of models lies under a mounted path."""
    files = _image(pod)
    folders = [*_FOLDERS, "/dev", "/proc"]
    fixed: list[str] = []
    volumes = {item["name"]: item for item in pod["spec"].get("volumes") or ()}
    for mount in container.get("volumeMounts") or ():
        place = mount["mountPath"].rstrip("/")
        found = _volume(cluster, pod, volumes.get(mount["name"], {}))
        folders.append(place)
        if found is None:
            continue
        sub = mount.get("subPath", "")
        if sub and sub in found:
            files[place] = found[sub]
            folders.remove(place)
        else:
            files |= {f"{place}/{name}": data for name, data in found.items()}
        fixed.append(place)
    return FileSystem(files, folders=tuple(folders), read_only=tuple(fixed), sizes=lambda: _models(container, store))


def _models(container: Obj, store: Callable[[str], ModelStore | None]) -> dict[str, int]:
    """Manifests and weights of the models on mounted volumes, by path, as Ollama lays them out."""
    root = objects.environment(container).get("OLLAMA_MODELS") or "/root/.ollama/models"
    found = store(root)
    sizes: dict[str, int] = {}
    for name, stored in (found.models if found is not None else {}).items():
        base, _, tag = name.partition(":")
        place = base if "/" in base else f"registry.ollama.ai/library/{base}"
        sizes[f"{root}/manifests/{place}/{tag or 'latest'}"] = 488
        sizes[f"{root}/blobs/sha256-{stored.model.digest}"] = stored.model.size
    return sizes


def _image(pod: Obj) -> dict[str, Content]:
    name = pod["metadata"]["name"]
    address = (pod.get("status") or {}).get("podIP", "")
    release = (
        'PRETTY_NAME="Sealane sandbox (simulated container)"\nNAME="Sealane sandbox"\nID=sealane-sandbox\n'
        'HOME_URL="https://kubernetes.io"\n'
    )
    namespace = pod["metadata"].get("namespace", "default")
    resolver = f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\n"
    return {
        "/etc/hostname": f"{name}\n".encode(),
        "/etc/hosts": f"127.0.0.1\tlocalhost\n{address}\t{name}\n".encode(),
        "/etc/os-release": release.encode(),
        "/etc/passwd": b"root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin\n",
        "/etc/resolv.conf": resolver.encode(),
        "/proc/version": b"Linux version 0.0.0-sealane-sandbox (simulated)\n",
        "/dev/null": b"",
    }


def _volume(cluster: Cluster, pod: Obj, volume: Obj) -> dict[str, bytes] | None:
    """The files of a volume that is read-only; None of one that is written to."""
    namespace = pod["metadata"]["namespace"]
    if "secret" in volume:
        return _picked(_secret(cluster, namespace, volume["secret"].get("secretName", "")), volume["secret"])
    if "configMap" in volume:
        return _picked(_config(cluster, namespace, volume["configMap"].get("name", "")), volume["configMap"])
    if "downwardAPI" in volume:
        return _downward(pod, volume["downwardAPI"])
    if "projected" in volume:
        found: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or ():
            found |= _projected(cluster, pod, source)
        return found
    return None


def _projected(cluster: Cluster, pod: Obj, source: Obj) -> dict[str, bytes]:
    namespace = pod["metadata"]["namespace"]
    if "serviceAccountToken" in source:
        path = source["serviceAccountToken"].get("path", "token")
        return {path: b"simulated: no token of the Sealane sandbox lies in a container\n"}
    if "configMap" in source:
        return _picked(_config(cluster, namespace, source["configMap"].get("name", "")), source["configMap"])
    if "secret" in source:
        return _picked(_secret(cluster, namespace, source["secret"].get("name", "")), source["secret"])
    return _downward(pod, source.get("downwardAPI") or {})


def _secret(cluster: Cluster, namespace: str, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for key, text in ((cluster.get("secrets", namespace, name) or {}).get("data") or {}).items():
        try:
            found[key] = base64.b64decode(text)
        except (binascii.Error, ValueError):
            found[key] = b""
    return found


def _config(cluster: Cluster, namespace: str, name: str) -> dict[str, bytes]:
    data: Mapping[str, str] = (cluster.get("configmaps", namespace, name) or {}).get("data") or {}
    return {key: str(text).encode() for key, text in data.items()}


def _picked(found: dict[str, bytes], source: Obj) -> dict[str, bytes]:
    """All keys, or those that `items` names, under its paths."""
    items = source.get("items")
    if not items:
        return found
    return {item["path"]: found[item["key"]] for item in items if item["key"] in found}


def _downward(pod: Obj, source: Obj) -> dict[str, bytes]:
    meta = pod["metadata"]
    pairs = {
        "metadata.labels": "\n".join(f'{key}="{value}"' for key, value in objects.labels(pod).items()),
        "metadata.annotations": "\n".join(f'{key}="{value}"' for key, value in objects.notes(pod).items()),
    }
    values = {"metadata.name": meta["name"], "metadata.namespace": meta["namespace"], "metadata.uid": meta["uid"]}
    known = values | pairs
    return {
        item["path"]: known.get((item.get("fieldRef") or {}).get("fieldPath", ""), "").encode()
        for item in source.get("items") or ()
    }
