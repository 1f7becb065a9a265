"""A small Sealane in memory: three clusters, a few models, every state that a page must be able to say."""

from __future__ import annotations

import asyncio
import datetime
import html
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, cast

import msgspec

from sealane.console import problems
from sealane.console.breaking import Broken, CannotBreak, Fault, Look, Run, Said, Scenario
from sealane.console.health import Project
from sealane.console.real.health import RealHealth
from sealane.console.services import (
    ClusterRow,
    ContextRow,
    Copy,
    Detail,
    DoctorCheck,
    EditorFile,
    EditorInfo,
    Happening,
    KeyRow,
    Ref,
    Removal,
    Services,
    Settings,
)
from sealane.editors.types import Check
from sealane.fleet import Fleet
from sealane.gpus.facts import Card, ClusterFacts, Node, Queue
from sealane.health import risk, verdicts
from sealane.health.risk import Risk, Workload
from sealane.lib import ids, text
from sealane.lib.clock import Clock, ManualClock
from sealane.lib.errors import Evidence, NextStep, SealaneError, UsageError
from sealane.models import hosted
from sealane.models.types import Fit, Hosted, ModelCard, ModelSpec, Placement, Plan, Share, Stage


def shown(answer: Any) -> str:
    """A page's HTML with its entities resolved, for tests that look for addresses and text."""
    return html.unescape(answer.text)


TOKEN = "one-time-token"
KEY = "sk-sealane-abcdefghijklmnop4f2a"
START = datetime.datetime(2026, 11, 24, 14, 4, 9, tzinfo=datetime.UTC)
GIB = 1024**3


def card(tag: str, gigabytes: float, *, source: str = "catalogue", **more: object) -> ModelCard:
    """A model card with believable facts."""
    facts: dict[str, object] = {
        "title": tag.partition(":")[0],
        "family": "qwen2",
        "parameters": round(gigabytes * 1.6, 1),
        "quantization": "Q4_K_M",
        "weights_bytes": int(gigabytes * 1e9),
        "context_max": 32768,
        "licence": "Apache-2.0",
        "capabilities": ("chat", "tools"),
    }
    return msgspec.convert({"tag": tag, "source": source, **facts, **more}, ModelCard)


CARDS = (
    card("qwen2.5-coder:1.5b", 1.0, capabilities=("chat", "fim")),
    card("qwen2.5-coder:7b", 4.7, capabilities=("chat", "fim", "tools")),
    card("llama3.1:8b", 4.9),
    card("gemma3:12b", 8.1, capabilities=("chat", "vision")),
    card("gpt-oss:20b", 14.0),
    card("llama3.3:70b", 43.0),
    card("nomic-embed-text", 0.27, capabilities=("embedding",), context_max=2048),
    card("bge-m3", 1.2, capabilities=("embedding",)),
    card("phi4:14b", 9.1),
    card("mistral-small:24b", 14.3),
)
LAPTOP = (card("qwen2.5-coder:7b", 4.7, source="laptop"), card("llama3.1:8b", 4.9, source="laptop"))


def facts() -> tuple[ClusterFacts, ...]:
    """Two clusters with KAI and one without."""

    def queue(name: str, parent: str, quota: float, limit: float | None, allocated: float, **more: float) -> Queue:
        requested = more.get("requested", allocated)
        return Queue(
            name=name,
            parent=parent,
            quota=quota,
            limit=limit,
            weight=1.0,
            allocated=allocated,
            allocated_non_preemptible=0.0,
            requested=requested,
            children=("research", "vision") if not parent else (),
        )

    def node(name: str, product: str, mib: int, cards: tuple[Card, ...]) -> Node:
        return Node(name=name, ready=True, schedulable=True, product=product, memory_mib=mib, cards=cards)

    gpu_2 = (
        Card(index=0, free=0.0, users=("vision-lab/segment-train",)),
        Card(index=1, free=0.9, group="g1", users=("nlp-prod/nomic-embed-text",)),
    )
    harbor = ClusterFacts(
        name="harbor-eu",
        version="v1.35.4",
        kai=True,
        gpu_sharing=True,
        region="eu",
        nodes=(
            node("gpu-2", "NVIDIA-L40S", 46068, gpu_2),
            node("gpu-3", "NVIDIA-L40S", 46068, (Card(index=0, free=1.0),)),
        ),
        queues=(
            queue("team", "", 8, 10, 2.1),
            queue("research", "team", 4, 6, 1.1),
            queue("vision", "team", 1, 2, 2.0, requested=4),
        ),
        namespaces=("default", "kube-system", "nlp-prod", "team-code"),
        storage_class="standard",
        sandbox=True,
    )
    bench = ClusterFacts(
        name="bench",
        version="v1.34.2",
        kai=False,
        gpu_sharing=None,
        region="here",
        nodes=(node("bench-1", "NVIDIA-RTX-4090", 24564, (Card(index=0, free=1.0),)),),
        queues=(),
        namespaces=("default",),
        storage_class="",
        sandbox=True,
    )
    return harbor, bench


class FakeClusters:
    """Three clusters, of which one does not answer."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.items = [
            ClusterRow(name="harbor-eu", state="live", version="v1.35.4", server="https://127.0.0.1:6441", user="dana"),
            ClusterRow(
                name="atlas-us",
                state="unreachable",
                sentence="Its certificate expired at 12:00 on 24 Nov 2026.",
                server="https://127.0.0.1:6442",
                user="dana",
                age=7200.0,
                error=UsageError(
                    "Its certificate expired.", next_steps=(NextStep(title="Renew it", command="sealane doctor"),)
                ),
            ),
            ClusterRow(name="bench", state="live", version="v1.34.2", server="https://127.0.0.1:6443", user="dana"),
        ]
        self.known = list(facts())

    def rows(self) -> Sequence[ClusterRow]:
        return self.items

    def facts(self) -> Sequence[ClusterFacts]:
        return self.known

    async def settle(self) -> None:
        return None

    async def changes(self) -> AsyncIterator[None]:
        while True:
            await self.changed.wait()
            self.changed.clear()
            yield None


class FakeModels:
    """Hosted models, changed by what is asked of them."""

    def __init__(self, clock: Clock) -> None:
        self.changed = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.clock = clock
        self.submitted: list[Plan] = []
        self.scaled: list[tuple[Ref, int]] = []
        self.restarted: list[Ref] = []
        self.refuse: SealaneError | None = None
        self.details: dict[Ref, Detail] = {}
        for cluster, namespace, name, model, stage, copies, ready in (
            ("harbor-eu", "team-code", "qwen2-5-coder-7b", "qwen2.5-coder:7b", "Answering", 2, 1),
            ("harbor-eu", "nlp-prod", "nomic-embed-text", "nomic-embed-text", "Answering", 1, 1),
            ("harbor-eu", "team-code", "gemma3-12b", "gemma3:12b", "Waiting", 1, 0),
            ("harbor-eu", "team-code", "gpt-oss-20b", "gpt-oss:20b", "Pulling", 1, 0),
            ("bench", "default", "phi4-14b", "phi4:14b", "Failed", 1, 0),
        ):
            self.put(cluster, namespace, name, model, stage, copies=copies, ready=ready)

    def put(
        self, cluster: str, namespace: str, name: str, model: str, stage: str, *, copies: int = 1, ready: int = 0
    ) -> None:
        """Host something by hand."""
        said = {
            "Waiting": "Queue vision is at its limit: 2 of 2 GPUs are in use, and this model asks for 0.5 more.",
            "Failed": "The model phi4:14b does not exist at the registry.",
            "Pulling": "Pulling 5.2 GB of 14.0 GB.",
        }.get(stage, "It answers.")
        share = Share(fraction=0.25) if cluster == "harbor-eu" else Share(devices=1)
        spec = ModelSpec(
            model=model, cluster=cluster, namespace=namespace, name=name, share=share, queue="research", copies=copies
        )
        hosted = Hosted(
            cluster=cluster,
            namespace=namespace,
            name=name,
            model=model,
            engine="ollama",
            stage=stage,  # type: ignore[arg-type]
            copies=copies,
            ready=ready,
            share=share.text,
            queue="research" if cluster == "harbor-eu" else "",
            endpoint=f"http://{name}.{namespace}:11434",
            sentence=said,
            context=8192,
        )
        pulling = stage == "Pulling"
        self.details[Ref(cluster, namespace, name)] = Detail(
            hosted=hosted,
            spec=spec,
            stage=Stage(
                stage=hosted.stage,
                sentence=said,
                progress=0.37 if pulling else None,
                seconds=20.0,
                done_bytes=5_200_000_000 if pulling else 0,
                total_bytes=14_000_000_000 if pulling else 0,
            ),
            copies=tuple(
                Copy(
                    name=f"{name}-7c9d8f6b5-tq9v{index}",
                    tone="ok" if index < ready else "run",
                    state="Answering" if index < ready else "Pulling",
                    sentence="" if index < ready else said,
                    node="gpu-2",
                    share=share.text,
                    age=840.0,
                )
                for index in range(copies)
            ),
            passed={"Submitted": 0.0, "Scheduled": 1.2, "Image": 2.0} if stage != "Waiting" else {"Submitted": 0.0},
            happenings=(Happening(at=START, tone="run", sentence=f"Scaled up to {copies}."),),
        )

    def hosted(self) -> Sequence[Hosted]:
        return [detail.hosted for detail in self.details.values()]

    def detail(self, ref: Ref) -> Detail:
        found = self.details.get(ref)
        if found is None:
            key = hosted.Key(ref.cluster, ref.namespace, ref.name)
            raise hosted.not_hosted(key, [known.name for known in self.details])
        return found

    def poke(self) -> None:
        """Say that something changed, from any thread."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.changed.set)

    async def changes(self) -> AsyncIterator[None]:
        self.loop = asyncio.get_running_loop()
        while True:
            await self.changed.wait()
            self.changed.clear()
            yield None

    async def submit(self, plan: Plan) -> None:
        if self.refuse:
            raise self.refuse
        self.submitted.append(plan)
        spec = plan.spec
        self.put(spec.cluster, spec.namespace, spec.name, spec.model, "Pulling", copies=spec.copies)
        ref = Ref(spec.cluster, spec.namespace, spec.name)
        self.details[ref] = msgspec.structs.replace(self.details[ref], spec=spec)
        self.changed.set()

    async def scale(self, ref: Ref, copies: int) -> None:
        if self.refuse:
            raise self.refuse
        self.scaled.append((ref, copies))
        old = self.detail(ref)
        self.details[ref] = msgspec.structs.replace(
            old,
            spec=msgspec.structs.replace(old.spec, copies=copies),
            hosted=msgspec.structs.replace(old.hosted, copies=copies),
        )
        self.changed.set()

    async def restart(self, ref: Ref) -> None:
        self.restarted.append(ref)

    async def preview_removal(self, ref: Ref, *, with_weights: bool) -> Removal:
        self.detail(ref)
        volume = f"PersistentVolumeClaim {ref.name}-weights: 4.7 GB of weights"
        went = (f"Deployment {ref.name}", f"Service {ref.name}")
        return Removal(went=(*went, volume), stayed=()) if with_weights else Removal(went=went, stayed=(volume,))

    async def remove(self, ref: Ref, *, with_weights: bool) -> Removal:
        removal = await self.preview_removal(ref, with_weights=with_weights)
        del self.details[ref]
        self.changed.set()
        return removal

    async def logs(self, ref: Ref, *, copy: str, tail: int, previous: bool) -> Sequence[str]:
        copies = [copy] if copy else [each.name for each in self.detail(ref).copies]
        run = " before" if previous else ""
        return [
            ("" if copy else f"{name} | ") + f'time=2026-11-24T14:0{index}:00Z msg="line {index} of {name}{run}"'
            for index in range(min(tail, 5))
            for name in copies
        ]


class FakeCatalogue:
    """The catalogue and the laptop's models."""

    def __init__(self) -> None:
        self.on_laptop: tuple[ModelCard, ...] = LAPTOP

    def cards(self) -> Sequence[ModelCard]:
        return CARDS

    def search(self, wanted: str) -> Sequence[ModelCard]:
        return [card for card in CARDS if wanted.lower() in card.tag]

    async def laptop(self) -> Sequence[ModelCard]:
        return self.on_laptop

    async def resolve(self, tag: str) -> ModelCard:
        for known in (*self.on_laptop, *CARDS):
            if known.tag == tag:
                return known
        if "/" in tag:
            return card(tag, 2.0, source="registry")
        near = text.nearest(tag, [known.tag for known in CARDS])
        raise UnknownModel(f"There is no model {tag}. Near: {text.listing(near, word='or')}.")


class UnknownModel(SealaneError):
    """As the catalogue raises it."""

    code = "unknown-model"
    http_status = 404


class FakePlanner:
    """Plans on the fakes, with the refusals that matter to pages."""

    def fit(self, card: ModelCard, *, context: int) -> Fit:
        kv = context * 60_000
        return Fit(
            model=card.tag,
            weights_bytes=card.weights_bytes,
            kv_bytes=kv,
            compute_bytes=600_000_000,
            total_bytes=card.weights_bytes + kv + 600_000_000,
            basis="header",
            error_percent=5.0,
        )

    def places(self, fit: Fit) -> Sequence[Placement]:
        share = f"{max(0.05, round(fit.total_bytes / (45 * GIB) + 0.02, 2)):g}"
        size = text.binary_bytes(fit.total_bytes)
        starts = "never" if fit.total_bytes > 24 * GIB else "now"
        return (
            Placement(
                cluster="harbor-eu",
                queue="research",
                node="gpu-2",
                share=share,
                starts="now",
                sentence=f"Starts now on gpu-2: {size} fit the 0.9 of card 1 that is free.",
            ),
            Placement(
                cluster="harbor-eu",
                queue="vision",
                node="",
                share=share,
                starts="waits",
                sentence="Waits: queue vision is at its limit, 2 of 2 GPUs.",
            ),
            Placement(
                cluster="bench",
                queue="",
                node="bench-1",
                share="1",
                starts=starts,
                sentence="Starts now on bench-1, whose one card is free."
                if starts == "now"
                else f"Needs {size}; the largest card of bench has 24.0 GiB.",
            ),
        )

    def plan(self, spec: ModelSpec, card: ModelCard, *, update: bool = False) -> Plan:
        fit = self.fit(card, context=spec.context)
        place = next(
            (p for p in self.places(fit) if (p.cluster, p.queue) == (spec.cluster, spec.queue)),
            Placement(cluster=spec.cluster, queue=spec.queue, node="", share="1", starts="now", sentence="Starts now."),
        )
        share = spec.share
        if share == Share():
            share = Share(fraction=float(place.share)) if float(place.share) < 1 else Share(devices=1)
        spec = msgspec.structs.replace(spec, name=spec.name or ids.dns_label(spec.model), share=share)
        return Plan(
            spec=spec,
            card=card,
            fit=fit,
            placement=place,
            manifests=tuple(_manifest(kind, spec) for kind in ("PersistentVolumeClaim", "Deployment", "Service")),
            warnings=("The weights are read again by each copy.",) if spec.copies > 1 else (),
            refusals=_refusals(spec),
        )

    def yaml(self, plan: Plan) -> str:
        spec = plan.spec
        return (
            f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {spec.name}\n  namespace: {spec.namespace}\n"
            f"spec:\n  replicas: {spec.copies}\n  # one copy's share\n  template:\n    metadata:\n      annotations:\n"
            f'        gpu-fraction: "{spec.share.text}"\n    spec:\n      containers:\n        - name: ollama\n'
            f'          env:\n            - name: OLLAMA_CONTEXT_LENGTH\n              value: "{spec.context}"\n'
        )

    def kubectl(self, plan: Plan) -> str:
        return f"kubectl --context {plan.spec.cluster} -n {plan.spec.namespace} apply -f {plan.spec.name}.yaml\n"

    def helm(self, plan: Plan) -> str:
        return f"model: {plan.spec.model}\ncopies: {plan.spec.copies}\n"


def _manifest(kind: str, spec: ModelSpec) -> dict[str, object]:
    name = f"{spec.name}-weights" if kind == "PersistentVolumeClaim" else spec.name
    return {"kind": kind, "metadata": {"name": name, "namespace": spec.namespace}}


class CopiesOverQuota(SealaneError):
    """As the planner refuses."""

    code = "copies-over-quota"
    http_status = 422


def _refusals(spec: ModelSpec) -> tuple[SealaneError, ...]:
    if spec.cluster == "bench" and (spec.share.fraction or spec.share.memory_mib):
        return (
            UsageError(
                "bench has no KAI Scheduler, so it cannot give a part of a card.",
                next_steps=(NextStep(title="Ask for a whole card", command="--gpu 1"),),
            ),
        )
    if spec.copies > 24:
        sentence = f"Queue research may use 6 GPUs, and {spec.copies} copies of {spec.share.text} ask for more."
        evidence = (Evidence(label="Limit", value=6, unit="GPUs", object="queue/research"),)
        return (CopiesOverQuota(sentence, evidence=evidence),)
    return ()


class FakeKeys:
    """Keys in a list."""

    def __init__(self) -> None:
        self.items = [
            KeyRow(
                id="k1",
                name="up",
                created=START,
                hint="4f2a",
                requests=1204,
                prompt_tokens=88_000,
                completion_tokens=41_000,
            ),
            KeyRow(id="k2", name="old editor", created=START, hint="9b1c", revoked=START),
        ]

    async def rows(self) -> Sequence[KeyRow]:
        return self.items

    async def create(self, name: str) -> tuple[KeyRow, str]:
        row = KeyRow(id=f"k{len(self.items) + 1}", name=name, created=START, hint="zz99")
        self.items.append(row)
        return row, "sk-sealane-the-secret-zz99"

    async def revoke(self, key_id: str) -> KeyRow:
        for index, row in enumerate(self.items):
            if row.id == key_id:
                self.items[index] = msgspec.structs.replace(row, revoked=START)
                return self.items[index]
        raise problems.NoSuchPage(f"/keys/{key_id}")


class FakeEditors:
    """Three editors, of which one has ended."""

    def __init__(self) -> None:
        self.saved: list[str] = []
        self.works = True

    def all(self) -> Sequence[EditorInfo]:
        return (
            EditorInfo(
                id="continue", title="VS Code + Continue", notes=("Continue has ended: its repository is read-only.",)
            ),
            EditorInfo(id="zed", title="Zed"),
            EditorInfo(id="curl", title="curl"),
            EditorInfo(id="aider", title="aider"),
        )

    async def file(self, editor: str, hosted: Hosted, *, key: str) -> EditorFile:
        known = {item.id for item in self.all()}
        if editor not in known:
            raise UsageError(f"There is no editor {editor}.")
        return EditorFile(
            editor=editor,
            path="" if editor == "curl" else "~/.continue/config.yaml",
            format="yaml" if editor == "continue" else "sh",
            content=(
                f"name: Sealane\nmodels:\n  - name: {hosted.model}\n    apiKey: {key}\n"
                "    roles: [chat, edit]\n    contextLength: 8192\n"
            ),
            notes=("Restart the editor once.",),
            savable=editor != "curl",
        )

    async def save(self, editor: str, hosted: Hosted, *, key: str) -> str:
        self.saved.append(editor)
        return f"Wrote ~/.continue/config.yaml for {hosted.model}"

    async def test(self, editor: str, hosted: Hosted, *, key: str) -> Sequence[Check]:
        if not self.works:
            return [
                Check(
                    name="Key",
                    ok=False,
                    ms=2.0,
                    sentence=f"The gateway refused the key {key}.",
                    fix=(NextStep(title="Make a new key"),),
                )
            ]
        return [
            Check(name="Address", ok=True, ms=1.0, sentence="127.0.0.1 answers."),
            Check(name="Chat", ok=True, ms=212.0, sentence="“def is_even(n)” in 48 tokens."),
        ]


class FakeDoctor:
    """Three checks."""

    async def checks(self) -> Sequence[DoctorCheck]:
        return (
            DoctorCheck(name="Gateway", state="ok", sentence="answers at 127.0.0.1:8701."),
            DoctorCheck(name="atlas-us", state="fail", sentence="does not answer.", fix="Renew its certificate."),
            DoctorCheck(name="bench", state="warn", sentence="has no KAI Scheduler.", fix="Install it to share cards."),
        )


class FakeHealth:
    """Two workloads that run, over the figures that ship."""

    def __init__(self, *, silent: tuple[str, ...] = (), workloads: tuple[Workload, ...] | None = None) -> None:
        self._silent = silent
        self._workloads = RUNNING if workloads is None else workloads
        self._real = RealHealth(cast(Fleet, _NoFleet()))

    def risks(self) -> Sequence[Risk]:
        return risk.risks(self._workloads, verdicts.known)

    def silent(self) -> Sequence[str]:
        return self._silent

    def watched(self) -> Sequence[Project]:
        return self._real.watched()

    def project(self, repository: str) -> Project:
        found = self._real.project(repository)
        row = next((one for one in self.risks() if one.project == found.repository), None)
        return found if row is None else msgspec.structs.replace(found, rests=row.workloads, copies=row.copies)


class _NoFleet:
    clusters: ClassVar[dict[str, object]] = {}


RUNNING = (
    Workload(
        cluster="harbor-eu", namespace="team-code", kind="Deployment", name="qwen2-5-coder-7b",
        images=("ollama/ollama:0.23.0",), copies=2, gpus=1.0,
    ),
    Workload(
        cluster="atlas-us", namespace="<b>lab</b>", kind="Pod", name="mine",
        images=("registry.example.com/team/llm:1",), copies=1, gpus=0.0,
    ),
)  # fmt: skip


class FakeSwitch:
    """Two contexts; using one is remembered."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self.broken: SealaneError | None = None
        self.behind: SealaneError | None = None

    def contexts(self) -> Sequence[ContextRow]:
        if self.broken:
            raise self.broken
        return (
            ContextRow(name="prod-fra", server="https://10.0.0.1:6443", user="priya"),
            ContextRow(
                name="dev", server="https://10.0.0.2:6443", warnings=("It does not check the server’s certificate.",)
            ),
        )

    def problem(self) -> SealaneError | None:
        return self.behind

    async def use(self, clusters: str) -> None:
        self.used.append(clusters)


class FakeBreaking:
    """Two scenarios; what is started runs until it is healed."""

    def __init__(self) -> None:
        self.runs: tuple[Run, ...] = ()
        self.asked: list[tuple[str, str, str, float | None]] = []
        self.silent: SealaneError | None = None

    async def state(self) -> Broken:
        if self.silent:
            raise self.silent
        scenarios = (
            Scenario(
                name="node-lost", title="A node is lost", teaches="Nodes die.", cluster="harbor-eu", needs="model",
                seconds=240, heals="gpu-2 is back.",
            ),
            Scenario(
                name="api-slow", title="The API server is slow", teaches="Slow is not broken.", cluster="atlas-us",
                needs="nothing", seconds=60, heals="It is quick again.",
            ),
        )  # fmt: skip
        return Broken(scenarios=scenarios, clusters=("harbor-eu", "atlas-us"), speed=1.0, runs=self.runs)

    async def start(self, name: str, *, cluster: str = "", model: str = "", seconds: float | None = None) -> Broken:
        self.asked.append((name, cluster, model, seconds))
        found = next((item for item in (await self.state()).scenarios if item.name == name), None)
        if found is None or any(not run.ended for run in self.runs):
            raise CannotBreak(f"“{name}” cannot be started.")
        at = "2026-03-04T09:00:00Z"
        run = Run(
            id=len(self.runs) + 1, name=name, title=found.title, cluster=cluster or found.cluster,
            namespace="team-code", model="qwen2-5-coder-7b", started=at, ends="2026-03-04T09:04:00Z",
            left=found.seconds, ended="", said=(Said(at=at, say="gpu-2 falls silent."),),
            faults=(Fault(fault=name, cluster=found.cluster, since=at, ends="2026-03-04T09:04:00Z"),),
            heals=found.heals,
            look=(Look(say="Which copy is where", at="/models/harbor-eu/team-code/qwen2-5-coder-7b"),),
        )  # fmt: skip
        self.runs = (run, *self.runs)
        return await self.state()

    async def heal(self, name: str = "", *, cluster: str = "") -> Broken:
        ended = "2026-03-04T09:01:00Z"
        self.runs = tuple(
            msgspec.structs.replace(run, ended=run.ended or ended, left=0.0, faults=())
            if name in {"", run.name} and cluster in {"", run.cluster} else run
            for run in self.runs
        )  # fmt: skip
        return await self.state()


def build(*, sandbox: bool = True, clock: Clock | None = None, **more: object) -> Services:
    """All of it. `more` replaces single services."""
    clock = clock or ManualClock(START)
    parts: dict[str, object] = {
        "settings": Settings(
            version="0.1.0",
            sandbox=sandbox,
            token=TOKEN,
            gateway_url="http://127.0.0.1:8701/v1",
            kubeconfig="~/.sealane/kubeconfig",
            key=KEY,
            hosts=("127.0.0.1", "localhost", "testserver", "[::1]"),
        ),
        "clusters": FakeClusters(),
        "models": FakeModels(clock),
        "catalogue": FakeCatalogue(),
        "planner": FakePlanner(),
        "keys": FakeKeys(),
        "editors": FakeEditors(),
        "doctor": FakeDoctor(),
        "health": FakeHealth(),
        "switch": FakeSwitch(),
        "breaking": FakeBreaking() if sandbox else None,
        "clock": clock,
    }
    return Services(**{**parts, **more})  # type: ignore[arg-type]
