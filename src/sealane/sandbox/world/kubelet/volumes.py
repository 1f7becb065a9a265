"""Which volume holds a path, and the models on it: a claim's outlive the pod, an emptyDir's live as long as it."""

from __future__ import annotations

from sealane.sandbox.world import objects
from sealane.sandbox.world.ollama.storage import ModelStore
from sealane.sandbox.world.ports import Obj


class Volumes:
    """Model stores by claim (`namespace/name`) and by pod and volume."""

    def __init__(self) -> None:
        self._stores: dict[tuple[str, ...], ModelStore] = {}

    def store(self, pod: Obj, container: Obj, path: str) -> ModelStore | None:
        """The store that a path of a container lies on; None when no volume is mounted there."""
        mounts = [
            (len(mount["mountPath"].rstrip("/")), mount["name"])
            for mount in container.get("volumeMounts") or ()
            if _inside(path, mount["mountPath"])
        ]
        if not mounts:
            return None
        name = max(mounts)[1]
        volume: Obj = next((item for item in pod["spec"].get("volumes") or () if item["name"] == name), {})
        return self._stores.setdefault(_place(pod, volume, name), ModelStore())

    def empty(self, pod: Obj) -> None:
        """What lies on the pod's volumes is lost; the volumes stay."""
        for volume in pod["spec"].get("volumes") or ():
            found = self._stores.get(_place(pod, volume, volume["name"]))
            if found is not None:
                found.models.clear()

    def forget_claim(self, namespace: str, name: str) -> None:
        """The claim is gone, and what was on it."""
        self._stores.pop(("claim", namespace, name), None)

    def forget_pod(self, pod: Obj) -> None:
        """The pod is gone, and its emptyDirs with it."""
        for key in [key for key in self._stores if key[0] == "pod" and key[1] == objects.uid(pod)]:
            del self._stores[key]


def _inside(path: str, mount: str) -> bool:
    base = mount.rstrip("/")
    return path == base or path.startswith(f"{base}/")


def _place(pod: Obj, volume: Obj, name: str) -> tuple[str, ...]:
    namespace = pod["metadata"]["namespace"]
    if "persistentVolumeClaim" in volume:
        return ("claim", namespace, str(volume["persistentVolumeClaim"]["claimName"]))
    if "ephemeral" in volume:
        return ("claim", namespace, f"{pod['metadata']['name']}-{name}")
    return ("pod", objects.uid(pod), name)
