"""One shape for everything that can go wrong."""

from sealane.lib.errors import Evidence, NextStep, NotAllowed, SealaneError, UsageError


def test_an_error_is_its_sentence():
    assert str(SealaneError("Queue vision is at its limit.")) == "Queue vision is at its limit."


def test_the_json_form_has_the_keys_that_contracts_promise():
    error = UsageError(
        "No queue.",
        evidence=(Evidence(label="queue", value="vision", object="queue/vision"),),
        next_steps=(NextStep(title="Name one", command="--queue research"),),
    )
    assert error.to_json() == {
        "code": "usage",
        "sentence": "No queue.",
        "evidence": [{"label": "queue", "value": "vision", "unit": "", "object": "queue/vision"}],
        "next_steps": [{"title": "Name one", "command": "--queue research"}],
    }


def test_exit_codes_are_those_of_the_contract():
    assert (SealaneError("x").exit_code, UsageError("x").exit_code, NotAllowed("x").exit_code) == (1, 2, 4)
    assert NotAllowed("x").http_status == 403
