"""From what was typed to a plan, and from a plan to a model that answers: what stands behind `sealane host`.

Where no cluster was named, the one is taken where the model would start soonest; clusters that do not answer are left
out. Following a deployment undoes nothing when its time is over: the model goes on coming up without us.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sealane.fleet import Fleet
from sealane.fleet.cluster import Cluster
from sealane.gpus import inventory
from sealane.gpus.facts import ClusterFacts
from sealane.lib.errors import NextStep, SealaneError
from sealane.models import actions, capacity, laptop, resolve, shares
from sealane.models import plan as planning
from sealane.models.observer import Observer
from sealane.models.types import ModelCard, ModelSpec, Plan, Share, Stage


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said; "" and None mean that it was not said."""

    model: str
    cluster: str = ""
    namespace: str = ""
    name: str = ""
    gpu: str = ""
    queue: str = ""
    copies: int = 1
    context: int = 8192
    parallel: int = 1
    insecure_registry: bool = False


class NoCluster(SealaneError):
    """No cluster answers, so nothing can be planned."""

    code = "cluster-none"
    http_status = 503


async def card_of(model: str, *, insecure: bool = False) -> ModelCard:
    """The card of a tag: the laptop's own, the catalogue's, a registry's. Raises as `resolve` does."""
    return await resolve.resolve(model, laptop=await laptop.read(), insecure=insecure, blind=True)


async def make_plan(fleet: Fleet, wish: Wish) -> Plan:
    """The plan for a wish; where no cluster was named, for the one where it would start soonest.

    Raises BadShare, UnknownModel and their like, UnknownCluster, NoCluster. Refusals are inside the plan.
    """
    share = shares.parse(wish.gpu) if wish.gpu else Share()
    named = [fleet.cluster(wish.cluster)] if wish.cluster else list(fleet.clusters.values())
    card, facts = await asyncio.gather(card_of(wish.model, insecure=wish.insecure_registry), known_facts(named))
    plans = [planning.plan(_spec(wish, share, fleet.cluster(item.name)), card, item) for item in facts]
    return min(plans, key=_rank)


def _rank(plan: Plan) -> tuple[bool, int, int]:
    return bool(plan.refusals), capacity.RANK[plan.placement.starts], plan.spec.share.devices or 0


async def known_facts(clusters: Sequence[Cluster]) -> list[ClusterFacts]:
    """Facts of every cluster that answers. Raises the cause when only one was asked, NoCluster when none answers."""
    found = await asyncio.gather(*(inventory.current(cluster) for cluster in clusters), return_exceptions=True)
    facts: list[ClusterFacts] = []
    for item in found:
        if isinstance(item, ClusterFacts):
            facts.append(item)
        elif not isinstance(item, SealaneError) or len(clusters) == 1:
            raise item
    if not facts:
        raise NoCluster(
            "No cluster answers, so nothing can be planned.",
            next_steps=(NextStep(title="See why", command="sealane doctor"),),
        )
    return facts


def _spec(wish: Wish, share: Share, cluster: Cluster) -> ModelSpec:
    return ModelSpec(
        model=wish.model,
        cluster=cluster.name,
        namespace=wish.namespace or cluster.context.namespace or "default",
        name=wish.name,
        share=share,
        queue=wish.queue,
        copies=wish.copies,
        context=wish.context,
        parallel=wish.parallel,
        insecure_registry=wish.insecure_registry,
    )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How hosting ended: the last stage, and the exit code of contracts (0 answering, 1 failed, 3 still waits)."""

    stage: Stage
    exit_code: int


async def deploy(fleet: Fleet, plan: Plan, *, timeout: float, on_stage: Callable[[Stage], None]) -> Outcome:
    """Apply a plan and follow it until it answers, fails, or `timeout` seconds are over; nothing is undone then.

    Raises the plan's first refusal, or what the API server refuses.
    """
    spec = plan.spec
    last = Stage(stage="Submitted", sentence=f"{spec.name} was sent to {spec.cluster}.")
    async with Observer(fleet) as observer:
        await actions.submit(fleet, plan)
        on_stage(last)
        with contextlib.suppress(TimeoutError):
            following = observer.follow(spec.cluster, spec.namespace, spec.name)
            async with asyncio.timeout(timeout), contextlib.aclosing(following) as stages:
                async for stage in stages:
                    if stage != last:
                        on_stage(stage)
                    last = stage
                    if stage.stage in ("Answering", "Failed"):
                        break
    return Outcome(stage=last, exit_code={"Answering": 0, "Failed": 1}.get(last.stage, 3))


async def dry_run(fleet: Fleet, plan: Plan) -> list[dict[str, Any]]:
    """The plan's manifests, once the API server has said that it would take them. Raises as `deploy` does."""
    await actions.submit(fleet, plan, dry_run=True)
    return list(plan.manifests)
