"""What the rig packs is what a registry has: real GGUF files, layers named by digest, a manifest that lists them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import gguf
import pytest

from rig import gguf_models
from rig.gguf_models import Shape
from rig.models import FIM_TEMPLATE, Model, Packed, large_model, pack, standard_models


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    model = Model(name="library/small:1b", shape=Shape(seed=3), parameters={"num_ctx": 256}, license="free\n")
    return pack(model, tmp_path_factory.mktemp("blobs"))


def layer(packed: Packed, kind: str) -> bytes:
    manifest = json.loads(packed.manifest)
    entry = next(item for item in manifest["layers"] if item["mediaType"].endswith(kind))
    return packed.blobs[entry["digest"]].read_bytes()


def test_every_layer_of_the_manifest_is_a_blob_of_that_digest_and_size(packed: Packed) -> None:
    manifest = json.loads(packed.manifest)
    entries = [*manifest["layers"], manifest["config"]]
    assert len(entries) == 5
    for entry in entries:
        content = packed.blobs[entry["digest"]].read_bytes()
        assert entry["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert entry["size"] == len(content)


def test_the_weights_are_a_gguf_file_whose_header_says_what_the_shape_says(packed: Packed, tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    path.write_bytes(layer(packed, "image.model"))
    reader = gguf.GGUFReader(path)

    def number(name: str) -> int:
        field = reader.get_field(f"llama.{name}")
        assert field is not None
        return int(field.contents())

    assert (number("block_count"), number("embedding_length"), number("context_length")) == (2, 64, 2048)
    assert number("attention.head_count_kv") == 4
    assert sum(int(tensor.n_elements) for tensor in reader.tensors) == gguf_models.parameters(Shape())


def test_the_engine_is_always_told_to_use_one_thread_beside_the_models_own_parameters(packed: Packed) -> None:
    assert json.loads(layer(packed, "image.params")) == {"num_thread": 1, "num_ctx": 256}


def test_the_configuration_names_family_format_and_size(packed: Packed) -> None:
    manifest = json.loads(packed.manifest)
    config = json.loads(packed.blobs[manifest["config"]["digest"]].read_bytes())
    assert (config["model_format"], config["model_family"], config["file_type"]) == ("gguf", "llama", "F16")
    assert config["model_type"].endswith("M")
    assert len(config["rootfs"]["diff_ids"]) == 4


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = tmp_path / name
        folder.mkdir()
        gguf_models.write(folder / "x.gguf", Shape(seed=seed))
    files = [(tmp_path / name / "x.gguf").read_bytes() for name in "abc"]
    assert files[0] == files[1] != files[2]


def test_a_model_without_a_license_has_no_license_layer(tmp_path: Path) -> None:
    packed = pack(Model(name="library/plain:latest", shape=Shape()), tmp_path)
    assert "license" not in packed.manifest.decode()


def test_the_standard_models_have_chat_code_embedding_and_tools_under_names_of_their_own() -> None:
    models = {model.name: model for model in standard_models()}
    assert len(models) == len(standard_models())
    assert models["library/tiny-code:latest"].template == FIM_TEMPLATE
    assert models["library/tiny-embed:latest"].shape.pooling
    assert ".Tools" in models["library/tiny-tools:latest"].template
    assert len({model.shape.seed for model in models.values()}) == len(models)


def test_the_large_model_has_half_a_gigabyte_of_weights() -> None:
    assert 0.4e9 < gguf_models.parameters(large_model().shape) * 2 < 0.6e9
