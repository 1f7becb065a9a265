"""Journey 1 in the sandbox by the command line: host, prove, connect, scale, remove; and what goes wrong on the way."""

import json
import os
import subprocess
import urllib.request

import pytest
from product import SEALANE, environment, product

pytestmark = pytest.mark.xdist_group("journey")

STAGES = ["Submitted", "Waiting", "Scheduled", "Image", "Pulling", "Loading", "Answering"]


def lines(outcome: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def test_the_ready_line_is_the_contract(running):
    assert set(running.ready) == {"console", "gateway", "key", "kubeconfig", "clusters", "sandbox"}
    assert running.ready["clusters"] == ["harbor-eu", "atlas-us", "bench"]
    assert running.ready["sandbox"] is True
    assert running.ready["gateway"].endswith("/v1")
    assert running.ready["key"].startswith("sk-sealane-")


def test_a_model_is_hosted_proven_connected_scaled_and_removed(running):
    place = ("--cluster", "harbor-eu", "-n", "team-code", "--queue", "research")
    outcome = running.run("host", "qwen2.5-coder:1.5b", *place, "--gpu", "0.25", "--name", "journey", "--json")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    told = lines(outcome)
    assert [line["stage"] for line in told][-1] == "Answering"
    assert all(set(line) == {"stage", "sentence", "progress", "seconds"} for line in told)
    order = [STAGES.index(line["stage"]) for line in told]
    assert order == sorted(order), "stages never step back"

    row = next(row for row in running.json("models") if row["name"] == "journey")
    assert (row["cluster"], row["namespace"], row["stage"], row["ready"]) == ("harbor-eu", "team-code", "Answering", 1)
    assert (row["share"], row["queue"], row["engine"]) == ("0.25", "research", "ollama")

    proof = running.json("test", "qwen2.5-coder:1.5b", "--editor", "continue")
    assert proof["ok"] is True
    assert {"Chat", "Autocomplete"} <= {check["name"] for check in proof["checks"]}

    config = running.json("connect", "continue", "--model", "qwen2.5-coder:1.5b")
    assert set(config) == {"editor", "path", "format", "content", "notes"}
    assert running.ready["key"] in config["content"]

    assert running.json("scale", "journey", "--copies", "2", "--cluster", "harbor-eu")["copies"] == 2
    removed = running.json("remove", "journey", "--cluster", "harbor-eu")
    assert any("Deployment" in item for item in removed["went"])
    assert any("weights" in item for item in removed["stayed"])
    assert not [row for row in running.json("models") if row["name"] == "journey"]


def test_a_dry_run_prints_manifests_and_creates_nothing(running):
    place = ("--cluster", "harbor-eu", "-n", "team-code", "--name", "never")
    manifests = running.json("host", "llama3.2:1b", *place, "--dry-run")["manifests"]
    assert {"Deployment", "Service"} <= {item["kind"] for item in manifests}
    assert not [row for row in running.json("models") if row["name"] == "never"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("qwen25-codr:7b",), "unknown-model", "qwen2.5-coder:7b"),
        (("qwen2.5-coder:8b",), "unknown-tag", "qwen2.5-coder:7b"),
        (("llama3.2:1b", "--cluster", "harbour"), "unknown-cluster", "harbor-eu"),
        (("llama3.2:1b", "--cluster", "bench", "--gpu", "0.5"), "fraction-without-kai", "KAI"),
        (("llama3.2:1b", "--cluster", "harbor-eu", "--queue", "reserch"), "queue-missing", "research"),
        (("llama3.2:1b", "--cluster", "harbor-eu", "-n", "team-cod"), "namespace-missing", "team-code"),
        (("llama3.2:1b", "--cluster", "harbor-eu", "--gpu", "half"), "bad-share", "half"),
        (
            ("llama3.1:8b", "--cluster", "harbor-eu", "-n", "nlp-prod", "--name", "nomic-embed-text"),
            "name-taken",
            "nomic",
        ),
        (("llama3.3:70b", "--cluster", "bench", "--gpu", "1"), "fits-nowhere", "GiB"),
        (
            ("llama3.2:1b", "--cluster", "harbor-eu", "--queue", "research", "--gpu", "1", "--copies", "90"),
            "copies-above-quota",
            "90",
        ),
    ],
)
def test_what_cannot_be_hosted_is_one_sentence_with_a_way_out(running, args, code, words):
    outcome = running.run("host", *args, "--json")
    assert outcome.returncode in (1, 2, 4)
    error = json.loads(outcome.stdout.strip().splitlines()[-1])["error"]
    assert error["code"] == code, error
    assert words in error["sentence"] + " ".join(item["title"] + item["command"] for item in error["next_steps"])
    assert "Traceback" not in outcome.stderr


def test_a_tag_that_only_the_registry_can_refuse_fails_with_the_registrys_words(running):
    place = ("--cluster", "harbor-eu", "-n", "team-code", "--name", "wrong")
    outcome = running.run("host", "registry.example/team/no-such:1b", *place, "--json", "--timeout", "60")
    last = lines(outcome)[-1]
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert last["stage"] == "Failed"
    assert "registry.example/team/no-such:1b" in last["sentence"]
    running.json("remove", "wrong", "--cluster", "harbor-eu", "--with-weights")


def test_waiting_longer_than_the_limit_is_exit_code_3_and_undoes_nothing(running):
    place = ("--cluster", "harbor-eu", "-n", "team-code", "--name", "slow", "--gpu", "0.25", "--queue", "research")
    outcome = running.run("host", "gemma3:4b", *place, "--json", "--timeout", "1")
    assert outcome.returncode == 3, outcome.stdout + outcome.stderr
    assert [row for row in running.json("models") if row["name"] == "slow"]
    running.json("remove", "slow", "--cluster", "harbor-eu", "--with-weights")


def test_a_large_pull_shows_how_far_it_is(running):
    place = ("--cluster", "harbor-eu", "-n", "team-code", "--name", "large", "--gpu", "1", "--queue", "nlp")
    outcome = running.run("host", "llama3.3:70b", *place, "--json", "--timeout", "7")
    progress = [line["progress"] for line in lines(outcome) if line["stage"] == "Pulling"]
    told = [each for each in progress if each is not None]
    assert told, outcome.stdout + outcome.stderr
    assert told == sorted(told)
    assert all(0 <= each <= 1 for each in told)
    running.json("remove", "large", "--cluster", "harbor-eu", "--with-weights")


def test_a_second_up_on_the_same_directory_is_refused_and_harms_nothing(running):
    outcome = subprocess.run(
        [*SEALANE, "up", "--json", "--port", "0", "--gateway-port", "0", "--data-dir", str(running.data_dir)],
        capture_output=True, text=True, timeout=30, check=False, env=environment(),
    )  # fmt: skip
    assert outcome.returncode == 1
    assert json.loads(outcome.stdout)["error"]["code"] == "data-dir-busy"
    assert running.json("models")


def test_a_port_in_use_names_its_holder(running, tmp_path):
    port = running.console.rpartition(":")[2]
    outcome = subprocess.run(
        [*SEALANE, "up", "--json", "--port", port, "--gateway-port", "0", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=False, env=environment(),
    )  # fmt: skip
    error = json.loads(outcome.stdout)["error"]
    assert error["code"] == "port-in-use"
    assert f"(process {running.process.pid})" in error["sentence"]
    assert error["next_steps"][0]["command"] == "sealane up --port 0"


def test_the_bearer_token_of_the_ready_line_opens_the_json_twins(running):
    request = urllib.request.Request(
        f"{running.console}/home.json", headers={"Authorization": f"Bearer {running.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)


def test_doctor_is_green_on_the_sandbox(running):
    found = running.json("doctor")
    assert found["ok"] is True
    assert all(check["state"] != "fail" for check in found["checks"])
    assert any(check["name"] == "Gateway" and check["state"] == "ok" for check in found["checks"])


def test_the_key_and_what_was_deployed_outlive_a_restart(tmp_path):
    with product(tmp_path) as first:
        key = first.ready["key"]
        place = ("--cluster", "bench", "--name", "kept", "--gpu", "0")
        assert first.run("host", "all-minilm", *place, "--json").returncode == 0
    left = [name for name in os.listdir(tmp_path) if name in ("running.json",)]
    assert left == []
    with product(tmp_path) as second:
        assert second.ready["key"] == key
        assert [row["stage"] for row in second.json("models") if row["name"] == "kept"]
