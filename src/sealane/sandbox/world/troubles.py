"""What is wrong in a simulated cluster at this moment: lost nodes, lost cards, full disks, registries that refuse.

Kubelets, registries and engines ask here before they do their work; nothing here acts by itself. A trouble is data
that is switched on and off (`on`, `off`); switching one off ends every back-off early, so that a cluster is well again
within moments and not after the five minutes that a real kubelet may wait. The words are the real programs' own:
containerd's and the kubelet's about images, Ollama's about models, the NVIDIA runtime's about cards.
"""

from __future__ import annotations

import asyncio

import msgspec

from sealane.sandbox.world import objects
from sealane.sandbox.world.clock import SandboxClock
from sealane.sandbox.world.kubelet import images
from sealane.sandbox.world.ports import Obj

_HOST = "registry.ollama.ai"
_MODEL_MISSING = "pull model manifest: file does not exist"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. Empty fields narrow nothing."""

    def pod(self, pod: Obj) -> bool:
        """Whether it strikes this pod; no pod unless a kind says so."""
        del pod
        return False


class NodeLost(Trouble, frozen=True, kw_only=True):
    """The kubelet of `node` is not heard of, and nobody reaches its pods."""

    node: str


class ImageMissing(Trouble, frozen=True, kw_only=True):
    """The registry does not have images whose name contains `match`."""

    match: str


class RegistryAway(Trouble, frozen=True, kw_only=True):
    """No registry, of images or of models, can be found by name."""


class RegistrySlow(Trouble, frozen=True, kw_only=True):
    """Whatever is pulled takes `factor` times as long."""

    factor: float


class ModelMissing(Trouble, frozen=True, kw_only=True):
    """The model registry does not have models whose name contains `match`."""

    match: str


class OfModel(Trouble, frozen=True, kw_only=True):
    """Strikes the pods of one hosted model: label `app.kubernetes.io/name`, in one namespace."""

    namespace: str
    name: str

    def pod(self, pod: Obj) -> bool:
        """Whether the pod is a copy of that model."""
        return pod["metadata"].get("namespace") == self.namespace and (
            objects.labels(pod).get("app.kubernetes.io/name") == self.name
        )


class VolumeFull(OfModel, frozen=True, kw_only=True):
    """The volume of the model's weights takes not one byte more."""


class EngineCrash(OfModel, frozen=True, kw_only=True):
    """The engine is killed for its memory `after` seconds of running, each time that it runs."""

    after: float = 5.0


class CardLost(Trouble, frozen=True, kw_only=True):
    """`cards` cards of `node` are gone, and with them what the pods `uids` computed on."""

    node: str
    uids: frozenset[str]
    cards: int = 1

    def pod(self, pod: Obj) -> bool:
        """Whether the pod held a card that is gone."""
        return objects.uid(pod) in self.uids


class DiskFull(Trouble, frozen=True, kw_only=True):
    """The disk of `node` is full: no image can be unpacked on it."""

    node: str


class Kill(msgspec.Struct, frozen=True):
    """How a running container is ended: after how many seconds of running, with what reason, code and last words."""

    after: float
    reason: str
    code: int
    words: str = ""


class Registry(msgspec.Struct, frozen=True):
    """The model registry and the volume as one pod meets them."""

    troubles: Troubles
    pod: Obj

    def refuses(self, model: str) -> str:
        """Ollama's sentence about why the manifest cannot be had, "" when it can."""
        return self.troubles.manifest(model)

    @property
    def slowness(self) -> float:
        """How many times as long pulls take."""
        return self.troubles.slowness

    @property
    def full(self) -> bool:
        """Whether the pod's volume takes no more."""
        return any(isinstance(item, VolumeFull) and item.pod(self.pod) for item in self.troubles.now)


class Troubles:
    """All that is wrong in one cluster."""

    def __init__(self) -> None:
        self.now: list[Trouble] = []
        self._changed = asyncio.Event()
        self._healed = asyncio.Event()

    def on(self, trouble: Trouble) -> None:
        """From now on this is wrong."""
        self.now.append(trouble)
        self._changed.set()
        self._changed = asyncio.Event()

    def off(self, trouble: Trouble) -> None:
        """It is well again, and whoever backs off tries at once."""
        if trouble in self.now:
            self.now.remove(trouble)
        for event in (self._changed, self._healed):
            event.set()
        self._changed, self._healed = asyncio.Event(), asyncio.Event()

    async def changed(self) -> None:
        """Return after the next change of what is wrong."""
        await self._changed.wait()

    async def nap(self, clock: SandboxClock, seconds: float) -> None:
        """Back off for some simulated seconds, or until something is well again."""
        sleeping = asyncio.create_task(clock.sleep(seconds), name="back-off")
        healing = asyncio.create_task(self._healed.wait(), name="back-off: healed")
        try:
            await asyncio.wait((sleeping, healing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            healing.cancel()

    def lost(self, node: str) -> bool:
        """Whether the node is not heard of."""
        return any(isinstance(item, NodeLost) and item.node == node for item in self.now)

    @property
    def slowness(self) -> float:
        """How many times as long pulls take."""
        return max((item.factor for item in self.now if isinstance(item, RegistrySlow)), default=1.0)

    def image(self, node: str, image: str) -> str:
        """containerd's words about an image that cannot be pulled to the node, "" where it can."""
        full = images.full_name(image)
        for item in self.now:
            if isinstance(item, ImageMissing) and item.match in full:
                return images.not_found(image)
            if isinstance(item, RegistryAway):
                return _no_such_host(full)
            if isinstance(item, DiskFull) and item.node == node:
                layer = images.digest(image).removeprefix("sha256:")
                place = "/var/lib/containerd/io.containerd.content.v1.content/ingest"
                why = f"failed to copy: write {place}/{layer}/data: no space left on device"
                return f'failed to pull and unpack image "{full}": {why}'
        return ""

    def manifest(self, model: str) -> str:
        """Ollama's words about a model whose manifest cannot be had, "" where it can."""
        for item in self.now:
            if isinstance(item, ModelMissing) and item.match in model:
                return _MODEL_MISSING
            if isinstance(item, RegistryAway):
                path, _, tag = model.partition(":")
                full = path if "/" in path else f"library/{path}"
                url = f"https://{_HOST}/v2/{full}/manifests/{tag or 'latest'}"
                return f'pull model manifest: Get "{url}": dial tcp: lookup {_HOST}: no such host'
        return ""

    def registry(self, pod: Obj) -> Registry:
        """The model registry as this pod meets it."""
        return Registry(self, pod)

    def start(self, pod: Obj) -> str:
        """The runtime's words about a container of the pod that cannot be started, "" where it can."""
        if not any(isinstance(item, CardLost) and item.pod(pod) for item in self.now):
            return ""
        return (
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
            "failed: unable to start container process: error during container init: error running prestart hook "
            "#0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\n"
            "nvidia-container-cli: device error: 0: unknown device: unknown"
        )

    def kill(self, pod: Obj) -> Kill | None:
        """What ends a running engine of the pod, None where nothing does."""
        for item in self.now:
            if isinstance(item, EngineCrash) and item.pod(pod):
                return Kill(item.after, "OOMKilled", 137)
            if isinstance(item, CardLost) and item.pod(pod):
                words = "CUDA error: unspecified launch failure\n  current device: 0, in function ggml_backend_cuda"
                return Kill(0.0, "Error", 2, f"{words}_synchronize")
        return None


def _no_such_host(full: str) -> str:
    host, _, rest = full.partition("/")
    path, _, tag = rest.rpartition(":")
    server = "registry-1.docker.io" if host == "docker.io" else host
    url = f"https://{server}/v2/{path}/manifests/{tag}"
    why = f'failed to do request: Head "{url}": dial tcp: lookup {server}: no such host'
    return f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": {why}'
