"""Journey 1 on the real thing: a real API server, the real KAI Scheduler, the real Ollama; by browser and by terminal.

The models have the names of real ones and tiny random weights, so the answers are gibberish and the counts are real.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import openai
import pytest
from product import Product, product

from rig.cluster import Rig
from rig.models import FIM_TEMPLATE, Model, Shape

pytestmark = pytest.mark.rig

CHAT = "llama3.2:1b"
CODE = "qwen2.5-coder:1.5b"
EMBED = "all-minilm:latest"


@pytest.fixture(scope="module")
def running(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """`sealane up` on the rig's own kubeconfig."""
    rig.registry.add(Model(name=f"library/{CHAT}", shape=Shape(seed=21)))
    rig.registry.add(Model(name=f"library/{CODE}", shape=Shape(seed=22), template=FIM_TEMPLATE))
    rig.registry.add(Model(name=f"library/{EMBED}", shape=Shape(seed=23, pooling=True)))
    data_dir = tmp_path_factory.mktemp("rig-data")
    with product(data_dir, "--clusters", "rig0", KUBECONFIG=str(rig.kubeconfig)) as found:
        yield found


def place(name: str, *more: str) -> tuple[str, ...]:
    return ("--cluster", "rig0", "-n", "team-a", "--queue", "team-a", "--name", name, *more)


@pytest.fixture(scope="module")
def hosted(running: Product) -> Iterator[str]:
    """A chat model hosted by the terminal through KAI on half a card."""
    outcome = running.run("host", CHAT, *place("chat", "--gpu", "0.5", "--context", "2048"), "--json", timeout=180)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    yield CHAT
    running.run("remove", "chat", "--cluster", "rig0", "--with-weights", timeout=120)


def ask(running: Product, path: str, body: dict) -> dict:
    request = urllib.request.Request(
        running.ready["gateway"].removesuffix("/v1") + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {running.ready['key']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def client(running: Product) -> openai.OpenAI:
    return openai.OpenAI(base_url=running.ready["gateway"], api_key=running.ready["key"], max_retries=0)


def pods(rig: Rig, name: str) -> list[dict]:
    found = rig.clusters[0].api.get(f"/api/v1/namespaces/team-a/pods?labelSelector=app.kubernetes.io/name%3D{name}")
    return [pod for pod in found["items"] if not pod["metadata"].get("deletionTimestamp")]


def test_the_pod_was_bound_by_kai_to_half_a_card(rig: Rig, hosted: str):
    (pod,) = pods(rig, "chat")
    assert pod["spec"]["schedulerName"] == "kai-scheduler"
    assert pod["metadata"]["annotations"]["gpu-fraction"] == "0.5"
    assert pod["metadata"]["labels"]["runai-gpu-group"]
    assert pod["spec"]["nodeName"] in ("gpu-a", "gpu-b")


def test_a_chat_is_answered_with_the_engines_own_counts(running: Product, hosted: str):
    messages = [{"role": "user", "content": "hello"}]
    whole = client(running).chat.completions.create(
        model=hosted, messages=messages, max_tokens=8, seed=1, temperature=0
    )
    native = ask(
        running,
        "/api/chat",
        {
            "model": hosted,
            "messages": messages,
            "stream": False,
            "options": {"num_predict": 8, "seed": 1, "temperature": 0},
        },
    )
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (
        native["prompt_eval_count"],
        native["eval_count"],
    )
    assert whole.choices[0].message.content == native["message"]["content"]


def test_a_streamed_chat_ends_with_the_same_counts(running: Product, hosted: str):
    messages = [{"role": "user", "content": "hello"}]
    wishes = {"model": hosted, "messages": messages, "max_tokens": 8, "seed": 1, "temperature": 0}
    whole = client(running).chat.completions.create(**wishes)
    chunks = list(
        client(running).chat.completions.create(**wishes, stream=True, stream_options={"include_usage": True})
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    plain = list(client(running).chat.completions.create(**wishes, stream=True))
    assert all(chunk.usage is None for chunk in plain), "usage is shown only to those who asked for it"


def test_completions_answer_too(running: Product, hosted: str):
    answer = client(running).completions.create(model=hosted, prompt="hello", max_tokens=4, temperature=0)
    assert answer.choices[0].text is not None
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4


def test_embeddings_answer_too(running: Product):
    outcome = running.run("host", "all-minilm", *place("embed", "--gpu", "0"), "--json", timeout=180)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    answer = client(running).embeddings.create(model=EMBED, input=["a", "b"])
    assert [len(item.embedding) for item in answer.data] == [64, 64]
    assert answer.usage.prompt_tokens > 0
    assert running.json("test", "all-minilm")["ok"] is True
    assert running.run("remove", "embed", "--cluster", "rig0", "--with-weights", timeout=120).returncode == 0


def test_usage_is_metered_from_the_engines_own_numbers(running: Product, hosted: str):
    secret = json.loads(_console(running, "/keys", {"name": "metered"}))["secret"]
    used = openai.OpenAI(base_url=running.ready["gateway"], api_key=secret, max_retries=0)
    answers = [
        used.chat.completions.create(
            model=hosted, messages=[{"role": "user", "content": "hello"}], max_tokens=n, temperature=0
        )
        for n in (2, 5)
    ]
    wanted = sum(answer.usage.completion_tokens for answer in answers if answer.usage)

    def metered() -> bool:
        rows = json.loads(_console(running, "/keys.json"))["keys"]
        return any(row["name"] == "metered" and row["completion_tokens"] == wanted for row in rows)

    assert eventually(metered), "usage is written within a few seconds"


def _console(running: Product, path: str, form: dict[str, str] | None = None) -> bytes:
    data = json.dumps(form).encode() if form else None
    headers = {
        "Authorization": f"Bearer {running.token}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(running.console + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def eventually(check, *, seconds: float = 30) -> bool:
    """Whether `check` becomes true in time; waits on an event that nobody sets, as the rig's own tests do."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.25)):
        if check():
            return True
        pause.wait(0.25)
    return False


def test_two_copies_share_the_load_and_a_deleted_pod_costs_at_most_the_requests_it_held(
    rig: Rig, running: Product, hosted: str
):
    running.json("scale", "chat", "--copies", "2", "--cluster", "rig0")
    assert eventually(lambda: _ready(running, "chat") == 2, seconds=90)
    body = {"model": hosted, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}
    stop = threading.Event()
    outcomes: list[tuple[int, bool]] = []
    numbers = itertools.count()

    def load() -> None:
        while not stop.is_set():
            number = next(numbers)
            try:
                ask(running, "/v1/chat/completions", body)
                outcomes.append((number, True))
            except (OSError, urllib.error.URLError):
                outcomes.append((number, False))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        work = [pool.submit(load) for _ in range(4)]
        assert eventually(lambda: len(outcomes) > 40)
        started = next(numbers)
        victim = pods(rig, "chat")[0]["metadata"]["name"]
        rig.clusters[0].api.delete(f"/api/v1/namespaces/team-a/pods/{victim}")
        assert eventually(lambda: len(outcomes) > 40 + 400, seconds=60)
        stop.set()
        concurrent.futures.wait(work, timeout=60)
    failed = sorted(number for number, ok in outcomes if not ok)
    assert [number for number in failed if number < started] == [], "nothing fails before the pod is deleted"
    later = [number for number in failed if failed and number > failed[0] + 4]
    assert later == [], "no request made after the first error fails (four were under way)"
    assert eventually(lambda: _ready(running, "chat") == 2, seconds=90), "the lost copy comes back by itself"
    running.json("scale", "chat", "--copies", "1", "--cluster", "rig0")


def _ready(running: Product, name: str) -> int:
    return next(row["ready"] for row in running.json("models") if row["name"] == name)


def test_the_same_journey_in_the_browser(rig: Rig, running: Product):
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable, "install Chromium: apt-get install chromium"
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
        browser = driver.chromium.launch(executable_path=executable, args=flags)
        page = browser.new_page()
        page.goto(running.ready["console"])
        _host_by_clicks(page, sync_api)
        _connect_by_clicks(page, sync_api)
        browser.close()
    assert (
        running.run("remove", "qwen2-5-coder-1-5b", "--cluster", "rig0", "--with-weights", timeout=120).returncode == 0
    )
    assert eventually(lambda: pods(rig, "qwen2-5-coder-1-5b") == [])


def _host_by_clicks(page, sync_api) -> None:
    page.get_by_role("link", name="Host a model").first.click()
    page.get_by_role("radio", name=CODE).check()
    page.get_by_role("button", name="Deploy").click()
    sync_api.expect(page.get_by_text(f"{CODE} answers on").first).to_be_visible(timeout=120_000)


def _connect_by_clicks(page, sync_api) -> None:
    page.get_by_role("button", name="Test").first.click()
    sync_api.expect(page.get_by_text("its first words came after").first).to_be_visible(timeout=60_000)


def test_a_model_that_does_not_exist_fails_with_ollamas_own_words(running: Product):
    outcome = running.run(
        "host", "llama3.2:3b", *place("missing", "--gpu", "0"), "--json", "--timeout", "90", timeout=150
    )
    last = json.loads(outcome.stdout.strip().splitlines()[-1])
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert last["stage"] == "Failed"
    assert "llama3.2:3b" in last["sentence"]
    running.run("remove", "missing", "--cluster", "rig0", "--with-weights", timeout=120)


def test_removing_leaves_nothing_of_ours_but_the_weights_that_were_kept(rig: Rig, running: Product):
    outcome = running.run("host", CHAT, *place("brief", "--gpu", "0"), "--json", timeout=180)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    removed = running.json("remove", "brief", "--cluster", "rig0", timeout=120)
    assert any("Deployment" in item for item in removed["went"])
    claims = rig.clusters[0].api.get("/api/v1/namespaces/team-a/persistentvolumeclaims")["items"]
    kept = [claim["metadata"]["name"] for claim in claims if claim["metadata"]["name"].startswith("brief")]
    assert bool(kept) == any("PersistentVolumeClaim" in item for item in removed["stayed"])
