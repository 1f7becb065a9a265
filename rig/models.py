"""Models as Ollama's registry has them: a manifest, and the layers that it names.

A model is its weights, a template, parameters, a license and a small configuration; each is a blob named by its
digest. `standard_models` are the ones that every rig serves. `num_thread 1` is in all of them: the engine's threads
spin while they wait, and on a busy machine of two cores that makes an answer hundreds of times slower. Few have a
license, because Ollama takes at least a second for every layer that it downloads, however small.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rig import gguf_models
from rig.gguf_models import Shape

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.ollama.image."
CHAT_TEMPLATE = "{{- range .Messages }}<{{ .Role }}>{{ .Content }}\n{{ end }}<assistant>"
FIM_TEMPLATE = "{{- if .Suffix }}<PRE>{{ .Prompt }}<SUF>{{ .Suffix }}<MID>{{ else }}{{ .Prompt }}{{ end }}"
TOOLS_TEMPLATE = (
    "{{- if .Tools }}{{ range .Tools }}{{ . }}{{ end }}{{ end }}"
    "{{- range .Messages }}<{{ .Role }}>{{ .Content }}{{ range .ToolCalls }}{{ .Function.Name }}{{ end }}\n{{ end }}"
)
LICENSE = "Random weights; do with them what you like.\n"


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is to be served under `name` ("namespace/model:tag"; the public names have the namespace "library")."""

    name: str
    shape: Shape
    template: str = CHAT_TEMPLATE
    parameters: Mapping[str, object] = field(default_factory=dict)
    license: str = ""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A model as a registry keeps it: the manifest's bytes, and its blobs as files named by digest."""

    name: str
    manifest: bytes
    blobs: Mapping[str, Path]


def standard_models() -> list[Model]:
    """Served by every rig, under the public registry's name as well: tiny-chat, tiny-code, tiny-embed, tiny-tools."""
    return [
        Model(name="library/tiny-chat:latest", shape=Shape(seed=1), parameters={"num_predict": 128}),
        Model(name="library/tiny-chat:1b", shape=Shape(seed=2, layers=3)),
        Model(name="library/tiny-code:latest", shape=Shape(seed=3), template=FIM_TEMPLATE),
        Model(name="library/tiny-embed:latest", shape=Shape(seed=4, pooling=True), template="{{ .Prompt }}"),
        Model(name="library/tiny-tools:latest", shape=Shape(seed=5), template=TOOLS_TEMPLATE, license=LICENSE),
        Model(name="acme/private-chat:latest", shape=Shape(seed=6)),
        Model(name="library/slow-chat:latest", shape=Shape(seed=7, layers=12, width=256, heads=8)),
        Model(name="library/broken-chat:latest", shape=Shape(seed=8)),
    ]


def large_model() -> Model:
    """Half a gigabyte, for tests that watch a model load; made when asked for, because making it takes seconds."""
    return Model(name="library/large-chat:latest", shape=gguf_models.LARGE)


def pack(model: Model, folder: Path) -> Packed:
    """Write the model's blobs into `folder` (shared by many models) and give its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    blobs: dict[str, Path] = {}

    def keep(content: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs[digest] = folder / digest.replace(":", "-")
        blobs[digest].write_bytes(content)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{model.name.split('/')[-1].replace(':', '-')}.gguf"
        gguf_models.write(path, model.shape)
        weights = keep(path.read_bytes(), f"{_LAYER}model")
    layers = [weights, keep(model.template.encode(), f"{_LAYER}template")]
    if model.license:
        layers.append(keep(model.license.encode(), f"{_LAYER}license"))
    layers.append(keep(json.dumps({"num_thread": 1, **model.parameters}).encode(), f"{_LAYER}params"))
    config = keep(_config(model, [str(layer["digest"]) for layer in layers]), _CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return Packed(name=model.name, manifest=json.dumps(manifest).encode(), blobs=blobs)


def _config(model: Model, digests: list[str]) -> bytes:
    config = {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": f"{gguf_models.parameters(model.shape) / 1e6:.2f}M",
        "file_type": "F16",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    return json.dumps(config).encode()
