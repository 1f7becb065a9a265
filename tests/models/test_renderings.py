"""All forms of one plan say the same, and can be pasted as they are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from model_samples import card, kai, plain, spec

from sealane.models import renderings
from sealane.models.engines import ollama
from sealane.models.plan import plan
from sealane.models.types import ModelSpec, Plan, Share

CHART = Path(__file__).parents[2] / "charts" / "sealane-model"


def made(wish: ModelSpec | None = None, *, on_kai: bool = True) -> Plan:
    wish = wish or spec()
    return plan(wish, card(wish.model), kai() if on_kai else plain())


def test_yaml_gives_back_the_manifests() -> None:
    found = made()
    assert list(yaml.safe_load_all(renderings.as_yaml(found))) == list(found.manifests)
    assert 'gpu-fraction: "0.25"' in renderings.as_yaml(found)
    assert "command:\n        - /bin/sh\n        - -c\n        - |\n" in renderings.as_yaml(found)


def test_kubectl_looks_first_then_applies_then_follows() -> None:
    text = renderings.as_kubectl(made())
    lines = [line for line in text.splitlines() if line.startswith("kubectl")]
    assert "--dry-run=server" in lines[0]
    assert "--dry-run" not in lines[1]
    assert lines[2].endswith("rollout status deployment/qwen2-5-coder-7b --timeout=1h")
    assert all(line.startswith("kubectl --context harbor-eu -n default ") for line in lines)
    assert all("--server-side --field-manager=sealane" in line for line in lines[:2])


def test_the_shell_writes_exactly_the_yaml(tmp_path: Path) -> None:
    """Run with a kubectl that does nothing: the file is what counts, `$` and quotes included."""
    found = made()
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "kubectl").chmod(0o755)
    shell = shutil.which("sh")
    assert shell is not None
    subprocess.run(
        [shell, "-eu", "-c", renderings.as_kubectl(found)],
        cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True, timeout=20,
    )  # fmt: skip
    assert (tmp_path / "qwen2-5-coder-7b.yaml").read_text() == renderings.as_yaml(found)


def test_strange_context_names_are_quoted() -> None:
    text = renderings.as_kubectl(plan(spec(cluster="a b; rm -rf /"), card(), kai()))
    line = next(line for line in text.splitlines() if line.startswith("kubectl"))
    assert shlex.split(line)[2] == "a b; rm -rf /"


def test_values_name_the_release_and_hold_numbers_that_helm_would_spoil_as_text() -> None:
    found = made(spec(share=Share(fraction=0.5)))
    text = renderings.as_helm_values(found)
    assert text.startswith("# helm install qwen2-5-coder-7b charts/sealane-model --kube-context harbor-eu -n default")
    values = yaml.safe_load(text)
    assert values == renderings.helm_values(found)
    assert values["share"] == {"text": "0.5", "devices": "", "fraction": "0.5", "memoryMiB": ""}
    assert re.fullmatch(r"\d{9,}", values["gpuOverheadBytes"])
    assert values["kai"] == {"enabled": True, "queue": "research"}
    assert values["storage"] == {"kind": "claim", "size": "10Gi", "className": "standard"}


@pytest.mark.parametrize(
    ("wish", "kind"),
    [(spec(copies=2), "each"), (spec(keep_weights=False), "empty"), (spec(), "claim")],
)
def test_values_say_where_the_weights_live(wish: ModelSpec, kind: str) -> None:
    assert renderings.helm_values(made(wish))["storage"]["kind"] == kind


def test_every_value_of_the_chart_is_given_and_none_that_it_does_not_know() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    values = renderings.helm_values(made(on_kai=False))
    assert set(values) == set(defaults)
    for key in ("share", "kai", "registry", "storage", "resources"):
        assert set(values[key]) == set(defaults[key])


def test_the_chart_pulls_with_the_same_script_and_image() -> None:
    assert (CHART / "files" / "pull.sh").read_text() == ollama.PULL_SCRIPT
    assert yaml.safe_load((CHART / "values.yaml").read_text())["image"] == ollama.IMAGE
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == ollama.IMAGE.rpartition(":")[2]


def test_a_plan_without_manifests_renders_to_nothing() -> None:
    found = made(spec(name="Not A Name"))
    assert renderings.as_yaml(found) == ""
    assert renderings.helm_values(found) == {}


def test_a_heredoc_mark_is_never_a_line_of_the_body() -> None:
    assert renderings._mark("SEALANE\nSEALANE_\n") == "SEALANE__"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\x85", "\u2028"])
def test_a_line_break_in_a_context_adds_nothing_to_the_values(end: str) -> None:
    found = plan(spec(cluster=f"a{end}image: evil/evil"), card(), kai())
    text = renderings.as_helm_values(found)
    assert yaml.safe_load(text) == renderings.helm_values(found)
    assert renderings.helm_values(found)["image"] == ollama.IMAGE
