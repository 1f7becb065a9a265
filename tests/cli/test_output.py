"""How commands speak: sentences for people, JSON for programs, and never a traceback."""

import json

import click
import pytest
from click.testing import CliRunner

from sealane.cli import output
from sealane.lib.errors import Evidence, NextStep, NotAllowed, UsageError


def command_that(raises: BaseException | None = None, code: int | None = None):
    @click.command()
    @output.shared
    @output.acting
    async def command(**_: object) -> int | None:
        if raises is not None:
            raise raises
        return code

    return command


ERROR = NotAllowed(
    "You may not create deployments in team-a.",
    evidence=(Evidence(label="needs", value="create deployments"),),
    next_steps=(NextStep(title="Ask for the role edit", command="kubectl auth can-i --list"),),
)


def test_an_error_is_its_sentence_evidence_and_steps_on_stderr():
    result = CliRunner().invoke(command_that(ERROR))
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "You may not create deployments in team-a.",
        "  needs: create deployments",
        "  → Ask for the role edit:  kubectl auth can-i --list",
    ]


def test_an_error_with_json_has_the_shape_of_the_contract_on_stdout():
    result = CliRunner().invoke(command_that(ERROR), ["--json"])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"] == ERROR.to_json()


@pytest.mark.parametrize(("code", "expected"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_gives_its_own_exit_code(code, expected):
    assert CliRunner().invoke(command_that(code=code)).exit_code == expected


def test_a_mistake_of_ours_is_one_sentence_and_no_traceback():
    result = CliRunner().invoke(command_that(KeyError("x")))
    assert result.exit_code == 1
    assert "Sealane met a mistake of its own: KeyError" in result.stderr
    assert "Traceback" not in result.output


def test_wrong_usage_is_exit_code_2():
    assert CliRunner().invoke(command_that(UsageError("no"))).exit_code == 2
    assert CliRunner().invoke(command_that(), ["--nope"]).exit_code == 2


def test_ctrl_c_is_130():
    assert CliRunner().invoke(command_that(KeyboardInterrupt())).exit_code == 130


def test_shared_options_may_come_as_variables(tmp_path):
    seen = {}

    @click.command()
    @output.shared
    @output.acting
    async def command(**given: object) -> None:
        seen.update(given)

    CliRunner().invoke(command, env={"SEALANE_DATA_DIR": str(tmp_path), "SEALANE_CLUSTERS": "a,b"})
    assert seen == {"as_json": False, "data_dir": tmp_path, "clusters": "a,b"}


def test_json_is_one_line(capsys):
    output.emit({"a": [1, 2]})
    assert capsys.readouterr().out == '{"a":[1,2]}\n'


@pytest.mark.parametrize("evil", ["\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "a\rb", "\u202egnp.exe"])
def test_what_others_wrote_cannot_command_the_terminal(evil, capsys):
    output.show_error(UsageError(evil, evidence=(Evidence(label=evil, value=evil),)), as_json=False)
    said = capsys.readouterr().err
    assert not set(said) & set("\x1b\x07\x9b\r\u202e")
    output.say("Grüße → „4.7 GB“\tok\nsecond line")
    assert capsys.readouterr().out == "Grüße → „4.7 GB“\tok\nsecond line\n"
