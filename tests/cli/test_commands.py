"""The command line as a whole: help, nearest names, and what a cheap call may import."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from sealane import __version__, cli

CONTRACT = ["up", "host", "models", "scale", "remove", "fit", "connect", "editors", "test", "doctor"]


def test_every_command_of_the_contract_is_there_and_explains_itself():
    for name in CONTRACT:
        result = CliRunner().invoke(cli.cli, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert "--json" in result.output
        assert "--data-dir" in result.output


def test_help_lists_the_commands_without_importing_them():
    result = CliRunner().invoke(cli.cli, ["--help"])
    assert all(name in result.output for name in CONTRACT)


def test_a_command_that_does_not_exist_is_told_with_the_nearest():
    result = CliRunner().invoke(cli.cli, ["hots"])
    assert result.exit_code == 2
    assert "Nearest: host" in result.output


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ([], ["up"]),
        (["--port", "0"], ["up", "--port", "0"]),
        (["--version"], ["--version"]),
        (["fit", "m"], ["fit", "m"]),
    ],
)
def test_up_is_what_no_command_means(typed, meant):
    assert cli._up_by_default(typed) == meant


def test_the_version_costs_click_and_nothing_else():
    code = (
        "import sys\nfrom sealane import cli\n"
        "try:\n    cli.main(['--version'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'aiohttp', 'msgspec', 'starlette', 'sqlalchemy', 'rich', 'yaml', 'asyncio', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    version, imported = outcome.stdout.splitlines()
    assert __version__ in version
    assert imported == "[]"


def test_editors_are_listed_for_people_and_for_programs():
    people = CliRunner().invoke(cli.cli, ["editors"])
    assert "Continue" in people.output
    programs = CliRunner().invoke(cli.cli, ["editors", "--json"])
    rows = json.loads(programs.output)
    assert {"editor", "title", "summary", "writable", "notes"} <= set(rows[0])
    assert any("end of life" in " ".join(row["notes"]) for row in rows if row["editor"] == "continue")


def test_fit_without_any_cluster_still_says_what_a_model_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("SEALANE_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(cli.cli, ["fit", "qwen2.5-coder:7b", "--json"])
    value = json.loads(result.stdout)
    assert value["model"] == "qwen2.5-coder:7b"
    assert value["total_bytes"] == value["weights_bytes"] + value["kv_bytes"] + value["compute_bytes"]
    assert value["places"] == []
    assert "kubeconfig" in value["problems"][0]


def test_an_unknown_model_is_told_with_the_nearest_names(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    result = CliRunner().invoke(cli.cli, ["fit", "qwen25-codr:7b", "--json", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "qwen2.5-coder:7b" in json.loads(result.stdout)["error"]["sentence"]


@pytest.mark.parametrize("args", [["connect", "zed"], ["test", "m"]])
def test_what_needs_the_gateway_says_how_to_start_it(args, tmp_path):
    result = CliRunner().invoke(cli.cli, [*args, "--json", "--data-dir", str(tmp_path)])
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "up-not-running"
    assert error["next_steps"][0]["command"].startswith("sealane up")


def test_a_broken_kubeconfig_names_its_file_and_line(tmp_path, monkeypatch):
    broken = tmp_path / "config"
    broken.write_text("apiVersion: v1\nclusters:\n  - name: [\n")
    monkeypatch.setenv("KUBECONFIG", str(broken))
    result = CliRunner().invoke(cli.cli, ["models", "--json", "--data-dir", str(tmp_path / "d")])
    sentence = json.loads(result.stdout)["error"]["sentence"]
    assert str(broken) in sentence
    assert "line" in sentence or ":4" in sentence or ":3" in sentence
