"""Checks of this computer and the clusters, each green, amber or red with its fix. Reads only; changes nothing.

The same checks serve the command and the page. Each has a limit of its own and fails alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Awaitable, Sequence
from pathlib import Path

from sealane.console.real.rights import sight_of
from sealane.console.services import DoctorCheck
from sealane.fleet import Fleet
from sealane.fleet.cluster import Cluster
from sealane.fleet.rights import Question, Verdict, refusal
from sealane.gpus import inventory
from sealane.kube import config
from sealane.kube.resources import DEPLOYMENTS, NODES, PODS, QUEUES
from sealane.lib import text
from sealane.lib.errors import SealaneError
from sealane.models import laptop

LIMIT = 8.0
DISK_WANTED = 200 << 20


class Doctor:
    """All checks over one fleet. `gateway_url` is "" when no `up` runs here."""

    def __init__(self, fleet: Fleet, *, data_dir: Path, gateway_url: str = "") -> None:
        self._fleet = fleet
        self._data_dir = data_dir
        self._gateway_url = gateway_url

    async def checks(self) -> Sequence[DoctorCheck]:
        """Every check, in the order in which things are needed."""
        local = await asyncio.to_thread(_local, self._data_dir)
        waits: list[Awaitable[list[DoctorCheck]]] = [_laptop()]
        waits += [self._cluster(cluster) for cluster in self._fleet.clusters.values()]
        found = await asyncio.gather(*waits)
        return [*local, *(check for group in found for check in group), self._gateway()]

    def _gateway(self) -> DoctorCheck:
        if self._gateway_url:
            return DoctorCheck(name="Gateway", state="ok", sentence=f"The gateway listens at {self._gateway_url}/v1.")
        return DoctorCheck(
            name="Gateway",
            state="warn",
            sentence="No `sealane up` runs on this data directory, so editors have no address.",
            fix="sealane up",
        )

    async def _cluster(self, cluster: Cluster) -> list[DoctorCheck]:
        name = f"Cluster {cluster.name}"
        try:
            await cluster.synced(NODES, PODS, QUEUES, timeout=LIMIT)
        except SealaneError as error:
            fix = error.next_steps[0] if error.next_steps else None
            step = (fix.command or fix.title) if fix else ""
            return [DoctorCheck(name=name, state="fail", sentence=error.sentence, fix=step)]
        warnings = [
            DoctorCheck(name=name, state="warn", sentence=warning, fix=f"kubectl config view --context {cluster.name}")
            for warning in cluster.context.warnings
        ]
        reachable = DoctorCheck(
            name=name, state="ok", sentence=f"{cluster.name} answers, Kubernetes {cluster.version}."
        )
        return [reachable, *warnings, *await self._rights(cluster), *await self._sight(cluster), *_gpus(cluster)]

    async def _sight(self, cluster: Cluster) -> list[DoctorCheck]:
        """What may not be seen, so that nobody takes it for nothing."""
        with contextlib.suppress(SealaneError):
            await cluster.synced(DEPLOYMENTS, timeout=LIMIT)
        found = sight_of(cluster)
        if found.models == "all":
            return []
        fix = "Name a namespace in which you have a role: sealane models -n NAMESPACE"
        return [DoctorCheck(name=f"Sight of {cluster.name}", state="warn", sentence=found.sentence, fix=fix)]

    async def _rights(self, cluster: Cluster) -> list[DoctorCheck]:
        name = f"Rights in {cluster.name}"
        namespace = cluster.context.namespace
        wanted = (("create", DEPLOYMENTS, ""), ("get", PODS, "proxy"))
        refused: list[Verdict] = []
        try:
            async with asyncio.timeout(LIMIT):
                for verb, resource, subresource in wanted:
                    allowed = await cluster.client.can_i(verb, resource, namespace=namespace, subresource=subresource)
                    if not allowed.allowed:
                        asked = Question(verb=verb, resource=resource, namespace=namespace, subresource=subresource)
                        refused.append(refusal(cluster.name, asked))
        except SealaneError as error:
            return [DoctorCheck(name=name, state="warn", sentence=f"Your rights could not be read. {error.sentence}")]
        except TimeoutError:
            sentence = f"Your rights could not be read within {text.duration(LIMIT)}."
            return [DoctorCheck(name=name, state="warn", sentence=sentence)]
        if not refused:
            sentence = f"You may host models in namespace {namespace}."
            return [DoctorCheck(name=name, state="ok", sentence=sentence)]
        fix = "Ask for the role `edit` there, or host in another namespace with -n; check by "
        return [
            DoctorCheck(name=name, state="warn", sentence=found.sentence, fix=f"{fix}{found.who[0].command}")
            for found in refused
        ]


def _gpus(cluster: Cluster) -> list[DoctorCheck]:
    facts = inventory.facts(cluster)
    name = f"GPUs in {cluster.name}"
    cards = sum(len(node.cards) for node in facts.nodes)
    if not facts.nodes_known:
        sentence = "You may not list the nodes, so its GPUs are not known; a model can be hosted all the same."
        return [DoctorCheck(name=name, state="ok", sentence=sentence)]
    if not cards:
        sentence = "No node offers a GPU; models can run on CPU only."
        return [DoctorCheck(name=name, state="warn", sentence=sentence, fix="Install the GPU operator on the cluster")]
    found = text.count(cards, "GPU")
    if not facts.kai:
        sentence = f"{found}; no KAI Scheduler, so only whole cards can be asked for."
        return [DoctorCheck(name=name, state="ok", sentence=sentence)]
    if facts.gpu_sharing is False:
        sentence = f"{found} and the KAI Scheduler, but GPU sharing is switched off, so parts of a card are refused."
        return [
            DoctorCheck(name=name, state="warn", sentence=sentence, fix="--set global.gpuSharing=true in KAI's chart")
        ]
    leaves = sum(1 for queue in facts.queues if queue.leaf)
    sharing = "GPU sharing is on" if facts.gpu_sharing else "whether GPU sharing is on cannot be seen"
    sentence = f"{found}, the KAI Scheduler with {text.count(leaves, 'queue')}, and {sharing}."
    return [DoctorCheck(name=name, state="ok", sentence=sentence)]


def _local(data_dir: Path) -> list[DoctorCheck]:
    """The checks of this computer. Blocks on its disk."""
    return [_python(), _disk(data_dir), _kubeconfig()]


def _python() -> DoctorCheck:
    version = ".".join(map(str, sys.version_info[:3]))
    return DoctorCheck(name="Python", state="ok", sentence=f"Python {version}.")


def _disk(data_dir: Path) -> DoctorCheck:
    place = data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    sentence = f"{text.decimal_bytes(free)} free for the data directory {data_dir}."
    if free >= DISK_WANTED:
        return DoctorCheck(name="Disk", state="ok", sentence=sentence)
    return DoctorCheck(name="Disk", state="warn", sentence=sentence, fix="Free some space, or --data-dir DIR")


def _kubeconfig() -> DoctorCheck:
    try:
        found = config.load()
    except SealaneError as error:
        return DoctorCheck(
            name="Kubeconfig",
            state="warn",
            sentence=error.sentence,
            fix="Not needed for the sandbox; your clusters need one",
        )
    names = list(found.contexts)
    sentence = f"{text.count(len(names), 'context')} in {text.listing(map(str, found.files))}."
    return DoctorCheck(name="Kubeconfig", state="ok", sentence=sentence)


async def _laptop() -> list[DoctorCheck]:
    cards = await laptop.read()
    if cards:
        sentence = f"Ollama on this computer holds {text.count(len(cards), 'model')}."
        return [DoctorCheck(name="Ollama here", state="ok", sentence=sentence)]
    sentence = "No Ollama answers on this computer; models are offered from the catalogue."
    return [DoctorCheck(name="Ollama here", state="ok", sentence=sentence)]
