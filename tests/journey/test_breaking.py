"""What is broken on purpose in the sandbox is told truly by the product, and everything recovers after healing.

Each scenario is started as a user starts it. What is asked for is the sentence on the model's page, which is the one of
the command line and the lists too: they come from one value. Nothing sleeps: pages are asked until they say it.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

import broken_words
import pytest
from product import SEALANE, environment, product

pytestmark = pytest.mark.xdist_group("journey")

WITHIN = 40.0


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A product of its own: what is broken here is nobody else's."""
    with product(tmp_path_factory.mktemp("data")) as found:
        yield found


def ask(up, path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON of a page, or of what a form does."""
    headers = {"Authorization": f"Bearer {up.token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(up.console + path, data=data, headers=headers)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def until(up, path: str, true) -> Any:
    """The page once it says so; fails with what it says last."""
    deadline = time.monotonic() + WITHIN
    while True:
        page = ask(up, path)
        if "error" not in page and true(page):
            return page
        assert time.monotonic() < deadline, page


def model_path(run: dict[str, Any]) -> str:
    return f"/models/{run['cluster']}/{run['namespace']}/{run['model']}.json"


@pytest.fixture
def start(up):
    """Start a scenario for long, and heal it after the test; gives back the run."""

    def go(name: str) -> Any:
        answer = ask(up, "/break", {"name": name, "seconds": 3600})
        assert "error" not in answer, answer
        return answer["runs"][0]

    yield go
    assert ask(up, "/break/heal", {})["runs"] == []


@pytest.mark.parametrize(
    ("name", "stage", "said"),
    [
        ("image-missing", "Failed", f"{broken_words.IMAGE_MISSING} gpu-2: failed to pull and unpack image"),
        ("model-missing", "Failed", broken_words.MODEL_MISSING),
        ("volume-full", "Failed", "The volume is full, so llama3.1:8b cannot be pulled"),
        ("registry-away", "Failed", "The pod cannot reach the registry of llama3.1:8b"),
        ("registry-slow", "Pulling", "GB of 4.9 GB."),
        ("engine-crash", "Failed", "was killed (OOMKilled)"),
        ("queue-deleted", "Waiting", "Queue nlp does not exist in harbor-eu"),
        ("card-lost", "Failed", "nvidia-container-cli: device error"),
        ("node-lost", "Failed", broken_words.NODE_LOST),
        ("rights-taken", "Answering", "you have no permission to list pods in namespace nlp-prod of harbor-eu"),
    ],
)
def test_a_model_tells_its_trouble_and_recovers(up, start, name, stage, said):
    run = start(name)
    path = model_path(run)
    told = until(up, path, lambda page: page["stage"]["stage"] == stage and said in page["stage"]["sentence"])
    if stage == "Failed":
        assert any(said in copy["sentence"] for copy in told["copies"])
    ask(up, "/break/heal", {})
    until(
        up, path, lambda page: page["stage"]["stage"] == "Answering" and "permission" not in page["stage"]["sentence"]
    )


def test_a_full_node_sends_the_model_elsewhere(up, start):
    run = start("node-disk-full")
    path = model_path(run)
    until(up, path, lambda page: any("was evicted from" in copy["sentence"] for copy in page["copies"]))
    until(up, path, lambda page: page["stage"]["stage"] == "Answering")
    ask(up, "/break/heal", {})
    until(up, path, lambda page: all(copy["tone"] == "ok" for copy in page["copies"]))


def column(page: Any, cluster: str) -> Any:
    return next(item for item in page["clusters"] if item["cluster"]["name"] == cluster)


def known(up, cluster: str) -> Any:
    """What the page says of the cluster while it is well: all of it was read, so that there is something to keep."""

    def well(page: Any) -> bool:
        return bool(column(page, cluster)["known"]) and is_well(column(page, cluster)["cluster"])

    return column(until(up, "/clusters.json", well), cluster)


def is_well(row: Any) -> bool:
    return row["state"] == "live" and not row["behind"]


FACTS = ("region", "nodes", "ready", "gpus", "kai", "sharing", "queues", "models", "nodes_known", "queues_known")


@pytest.mark.parametrize(
    ("name", "state", "said"),
    [
        ("api-restart", "reconnecting", broken_words.API_AWAY),
        ("token-expired", "unauthorized", "does not accept the credentials of this context (401 Unauthorized)"),
        ("api-busy", "busy", "has received too many requests and has asked us to try again later (429"),
        ("api-hangs", "reconnecting", "did not answer within"),
    ],
)
def test_a_cluster_says_why_it_is_away_keeps_what_was_known_with_its_age_and_is_live_again(
    up, start, name, state, said
):
    target = {"token-expired": "harbor-eu"}.get(name, "atlas-us")
    before = known(up, target)
    cluster = start(name)["cluster"]
    assert cluster == target

    def away(page):
        row = column(page, cluster)["cluster"]
        return row["state"] == state and said in row["sentence"] and row["behind"] > 0

    told = column(until(up, "/clusters.json", away), cluster)
    assert {key: told[key] for key in FACTS} == {key: before[key] for key in FACTS}
    assert told["cluster"]["behind_why"]
    ask(up, "/break/heal", {})
    until(up, "/clusters.json", lambda page: is_well(column(page, cluster)["cluster"]))


def test_a_slow_server_is_live_and_its_pages_are_quick(up, start):
    before = known(up, "atlas-us")
    start("api-slow")
    page = ask(up, "/clusters.json")
    assert column(page, "atlas-us")["cluster"]["state"] == "live"
    assert {key: column(page, "atlas-us")[key] for key in FACTS} == {key: before[key] for key in FACTS}


def test_a_lost_history_costs_nothing_that_was_known(up, start):
    before = known(up, "harbor-eu")
    start("history-gone")
    page = until(up, "/clusters.json", lambda page: column(page, "harbor-eu")["known"])
    assert {key: column(page, "harbor-eu")[key] for key in FACTS} == {key: before[key] for key in FACTS}
    until(up, "/clusters.json", lambda page: is_well(column(page, "harbor-eu")["cluster"]))


def test_the_command_line_breaks_lists_and_heals(up):
    listed = up.run("break", "--list")
    assert listed.returncode == 0
    assert "node-lost        A node is lost (atlas-us, 240 s)" in listed.stdout
    begun = up.run("break", "engine-crash", "--cluster", "bench", "--for", "10m")
    assert begun.returncode == 0, begun.stderr
    assert "The engine is killed for its memory in bench: ends by itself in" in begun.stdout
    assert "sealane break --heal" in begun.stdout
    again = up.json("break", "engine-crash", "--cluster", "bench", code=1)
    assert again["error"]["sentence"] == "“The engine is killed for its memory” runs in bench; heal it first."
    row = next(row for row in up.json("models") if row["cluster"] == "bench")
    assert row["model"] == "qwen2.5-coder:1.5b"
    assert [run["name"] for run in up.json("break")["runs"] if not run["ended"]] == ["engine-crash"]
    assert "Healed: The engine is killed for its memory in bench." in up.run("break", "--heal").stdout
    assert up.run("break").stdout.startswith("Nothing is broken.")


def test_what_cannot_be_broken_says_so_in_one_sentence(up):
    unknown = up.run("break", "flood")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("There is no scenario flood; there are: api-restart,")
    assert up.run("break", "node-lost", "--for", "2 days").returncode == 2


def test_real_clusters_are_never_broken(up, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\n"
        "clusters: [{name: prod, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: me, user: {token: x}}]\ncontexts: [{name: prod, context: {cluster: prod, user: me}}]\n"
    )
    command = [*SEALANE, "break", "node-lost", "--clusters", "prod", "--data-dir", str(tmp_path / "none")]
    variables = environment(KUBECONFIG=str(config))
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=variables)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("Only the sandbox's simulated clusters may be broken, and it is not open.")
