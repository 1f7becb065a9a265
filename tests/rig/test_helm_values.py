"""What Helm makes of our chart with the values of a plan is what the plan creates, field by field.

Uses the real helm; needs no cluster. The same parser stands behind kubectl, so it also judges our quoting.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from model_samples import card, kai, node, plain, spec

from rig import build
from sealane.gpus.facts import ClusterFacts
from sealane.manifests import dump
from sealane.models import renderings
from sealane.models.plan import plan
from sealane.models.types import ModelSpec, Share

pytestmark = pytest.mark.rig

CHART = Path(__file__).parents[2] / "charts" / "sealane-model"
KUBERNETES = build.KUBERNETES_VERSION
TWO_SIZES = kai(nodes=(node("small", memory_mib=12_288), node("large")))
NO_CLASS = kai(storage_class="")

CASES: list[tuple[str, ModelSpec, ClusterFacts]] = [
    ("recommended", spec(), kai()),
    ("half a card", spec(share=Share(fraction=0.5), queue="research", namespace="team-a", name="coder"), kai()),
    ("memory", spec(share=Share(memory_mib=20_000), context=16_384, parallel=4, kv="q8_0"), kai()),
    ("whole cards", spec("llama3.3:70b", share=Share(devices=2)), kai()),
    ("two sizes of cards", spec(share=Share(fraction=0.25)), TWO_SIZES),
    ("several copies", spec(copies=3, share=Share(fraction=0.25)), kai()),
    ("no storage class", spec(), NO_CLASS),
    ("weights not kept", spec(keep_weights=False), kai()),
    ("no KAI", spec("llama3.2:1b"), plain()),
    ("CPU only", spec("all-minilm:22m", share=Share(devices=0)), plain()),
    ("no copies yet", spec(copies=0), kai()),
    ("private registry", spec("localhost:5000/team/m:1e3", insecure_registry=True, registry_secret="key"), kai()),
    ("long context", spec("qwen3-coder:30b", context=262_144, share=Share(devices=2)), kai()),
]


def helm(*arguments: str | Path) -> str:
    done = subprocess.run([build.program("helm"), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_kind(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in objects if item}


@pytest.mark.parametrize(("wish", "facts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_chart_makes_the_objects_of_the_plan(wish: ModelSpec, facts: ClusterFacts, tmp_path: Path) -> None:
    known = card("qwen2.5-coder:7b") if "/" in wish.model else card(wish.model)
    found = plan(wish, msgspec.structs.replace(known, tag=wish.model), facts)
    assert not found.refusals
    values = tmp_path / "values.yaml"
    values.write_text(renderings.as_helm_values(found))
    made = helm(
        "template",
        found.spec.name,
        CHART,
        "--kube-version",
        KUBERNETES,
        "--namespace",
        found.spec.namespace,
        "-f",
        values,
    )
    assert by_kind(list(yaml.safe_load_all(made))) == by_kind(list(found.manifests))


def test_the_chart_is_well_formed() -> None:
    helm("lint", "--strict", CHART, "--set", "model=llama3.2:1b")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("model=", "Set model to an exact tag"),
        ("model=m,share.fraction=x,share.devices=y,kai.enabled=true,kai.queue=q", "KAI refuses a pod"),
        ("model=m,share.fraction=x", "needs the KAI scheduler"),
        ("model=m,kai.enabled=true", "Set kai.queue"),
    ],
)
def test_values_that_cannot_work_are_refused(settings: str, told: str) -> None:
    done = subprocess.run(
        [build.program("helm"), "template", "x", CHART, "--kube-version", KUBERNETES, "--set", settings],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert told in done.stderr


def test_helms_parser_reads_our_text_as_text(tmp_path: Path) -> None:
    words = [
        "0.5",
        "on",
        "1e3",
        "0o17",
        "1_000",
        "1:30",
        "y",
        "~",
        "2026-11-24",
        "no",
        "0x1f",
        " a",
        "#b",
        "12345678901",
    ]
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: words\nversion: 0.1.0\n")
    (tmp_path / "templates" / "words.yaml").write_text("words: {{ .Values.words | toJson | quote }}\n")
    (tmp_path / "values.yaml").write_text(dump.dump({"words": words}))
    assert json.loads(yaml.safe_load(helm("template", "x", tmp_path))["words"]) == words
