"""The verbs: submit a plan, scale, restart, change a knob. Each asks first, acts once, and says what it did.

Every write is a server-side apply or a subresource, with the caller's own rights and the field manager `sealane`;
nothing is written that the API server did not accept in a dry run. What is hosted is named by a `hosted.Key`. Removing
is `models.removal`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from sealane.fleet import Cluster, Fleet
from sealane.gpus import inventory
from sealane.gpus.facts import ClusterFacts
from sealane.kube import errors as kube_errors
from sealane.kube import resources
from sealane.kube.client import Client
from sealane.lib import text
from sealane.lib.errors import Evidence, NextStep, NotAllowed, SealaneError, UsageError
from sealane.models import capacity, errors, hosted, preflight, rights, shares, stages
from sealane.models.action_errors import PartlyApplied
from sealane.models.hosted import Key
from sealane.models.plan import plan as make_plan
from sealane.models.removal import Removal, preview_removal, remove
from sealane.models.stage_views import DeploymentView, view
from sealane.models.types import Hosted, ModelCard, ModelSpec, Plan

__all__ = [
    "Removal",
    "Submission",
    "change",
    "preview_removal",
    "remove",
    "replan",
    "restart",
    "scale",
    "submit",
]

RESTARTED = "sealane.dev/restarted-at"
SEEN_WITHIN = 3.0
"""Seconds that a submission waits for the live cache to show what was applied; the truth is there either way."""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What `submit` did: `objects` as `Kind name`, in order. With `dry_run` nothing exists."""

    key: Key
    objects: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    dry_run: bool = False


async def submit(fleet: Fleet, plan: Plan, *, dry_run: bool = False) -> Submission:
    """Ask the server about everything (dry run), then apply it in order. Raises the plan's first refusal, what
    `preflight.check` raises, and PartlyApplied when something failed after the first object was there."""
    if plan.refusals:
        raise plan.refusals[0]
    cluster = fleet.cluster(plan.spec.cluster)
    new = hosted.deployment_of(cluster, plan.spec.namespace, plan.spec.name) is None
    rights.demand(cluster, "host" if new else "change", plan.spec.namespace, name=plan.spec.name)
    try:
        warnings = (*plan.warnings, *await preflight.check(cluster.client, plan))
    except NotAllowed:
        cluster.doubt()
        raise
    key = Key(plan.spec.cluster, plan.spec.namespace, plan.spec.name)
    names = tuple(f"{item['kind']} {item['metadata']['name']}" for item in plan.manifests)
    if not dry_run:
        await _apply_all(cluster.client, plan)
        await _until_seen(fleet, key)
    return Submission(key=key, objects=names, warnings=warnings, dry_run=dry_run)


async def _until_seen(fleet: Fleet, key: Key) -> None:
    """Return once the cache shows the model, so that the page that opens next does not say "no such model"."""
    cluster = fleet.cluster(key.cluster)
    changes = fleet.subscribe(pace=0.0)
    try:
        async with asyncio.timeout(SEEN_WITHIN):
            async for _ in changes:
                if hosted.deployment_of(cluster, key.namespace, key.name) is not None:
                    return
    except TimeoutError:
        return
    finally:
        changes.close()


async def _apply_all(client: Client, plan: Plan) -> None:
    there: list[str] = []
    for manifest in plan.manifests:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        try:
            await preflight.apply(client, plan.spec, manifest)
        except SealaneError as error:
            if not there:
                raise
            raise PartlyApplied(
                f"{name} could not be applied: {error.sentence} {text.listing(there)} {_is(there)} there already.",
                evidence=(*error.evidence, *(Evidence(label="applied", value=each) for each in there)),
                next_steps=(*error.next_steps, _take_back(plan, len(there))),
            ) from error
        there.append(name)


def _take_back(plan: Plan, count: int) -> NextStep:
    """By kubectl, because `sealane remove` finds a model by its Deployment, which is what failed to be there."""
    spec = plan.spec
    kinds = ",".join(str(manifest["kind"]).lower() for manifest in plan.manifests[:count])
    labels = hosted.selector(spec.name)
    command = f"kubectl --context {spec.cluster} -n {spec.namespace} delete {kinds} -l {labels}"
    return NextStep(title="Take back what is there", command=command)


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


async def scale(fleet: Fleet, key: Key, copies: int) -> Hosted:
    """Set the number of copies through the scale subresource; gives back the model after the change, whose sentence
    says why the new copies may wait. Refuses (CopiesAboveQuota) what the KAI queue may never hold. Raises NotHosted."""
    if copies < 0:
        raise UsageError(f"{copies} copies make no sense; ask for 0 or more.")
    cluster = fleet.cluster(key.cluster)
    rights.demand(cluster, "scale", key.namespace, name=key.name)
    spec = hosted.spec_of(cluster.name, await _live(cluster, key))
    warnings: tuple[str, ...] = ()
    if copies > spec.copies:
        warnings = check_copies(spec, copies, await inventory.current(cluster))
    try:
        await cluster.client.scale(resources.DEPLOYMENTS, key.name, copies, namespace=key.namespace)
    except kube_errors.Forbidden as error:
        raise _no_right(cluster, key, "scale", error) from error
    engines = await hosted.ask_engines(cluster, key.namespace, key.name)
    stage = stages.stage_of(hosted.picture(cluster, key.namespace, key.name, engines=engines))
    after = hosted.row(cluster.name, await _live(cluster, key), stage)
    return msgspec.structs.replace(after, sentence=warnings[0]) if warnings else after


def check_copies(spec: ModelSpec, copies: int, facts: ClusterFacts) -> tuple[str, ...]:
    """Whether a queue may hold `copies` of the spec's share. Raises CopiesAboveQuota when it never may; returns a
    warning when others hold what is needed now. Pure."""
    if not facts.kai or not spec.queue or not spec.share.on_gpu:
        return ()
    least = spec.share.memory_mib or 0
    sizes = [mib for node in facts.nodes if node.cards and (mib := node.memory_mib) and mib >= least]
    each = shares.devices(spec.share, card_mib=min(sizes) if sizes else None)
    wanted, more = copies * each, max(0, copies - spec.copies) * each
    warnings: list[str] = []
    for bound in capacity.bounds(facts, spec.queue):
        if bound.forbids(wanted):
            rule = f"queue {bound.queue} {bound.word} {bound.most:g}"
            raise _above(spec, copies, each, rule, fitting=bound.fitting(each))
        if bound.delays(more):
            warnings.append(
                f"Queue {bound.queue} {bound.word} {text.amount(bound.most, 'GPU')} and {bound.held:g} are held; "
                f"{text.count(max(0, copies - spec.copies), 'new copy', 'new copies')} may wait."
            )
    return tuple(warnings[:1])


def _above(spec: ModelSpec, copies: int, each: float, bound: str, *, fitting: int) -> errors.CopiesAboveQuota:
    steps = [NextStep(title="Look at the queues", command="kubectl get queues")]
    if fitting:
        command = f"sealane scale {spec.name} --copies {fitting}"
        steps.insert(0, NextStep(title=f"Ask for {text.count(fitting, 'copy', 'copies')}", command=command))
    return errors.CopiesAboveQuota(
        f"{text.count(copies, 'copy', 'copies')} of {capacity.share_words(spec.share)} are "
        f"{text.amount(copies * each, 'GPU')}; {bound}.",
        evidence=(
            Evidence(label="asked", value=copies * each, unit="GPUs"),
            Evidence(label="bound", value=bound, object=f"queue/{spec.queue}"),
        ),
        next_steps=tuple(steps),
    )


async def restart(fleet: Fleet, key: Key) -> None:
    """Replace every copy, one after the other, by a changed annotation of the pod template. Raises NotHosted."""
    cluster = fleet.cluster(key.cluster)
    rights.demand(cluster, "restart", key.namespace, name=key.name)
    await _live(cluster, key)
    stamp = cluster.now().isoformat(timespec="seconds")
    patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: stamp}}}}}
    try:
        await cluster.client.patch(resources.DEPLOYMENTS, key.name, patch, namespace=key.namespace)
    except kube_errors.Forbidden as error:
        raise _no_right(cluster, key, "restart", error) from error


async def replan(fleet: Fleet, key: Key, card: ModelCard, **knobs: Any) -> Plan:
    """The plan of a hosted model with some knobs turned: any field of ModelSpec but its name and place
    (`context=16384`, `copies=2`, `share=…`, `parallel=…`, `kv=…`). Nothing is applied. Raises NotHosted."""
    cluster = fleet.cluster(key.cluster)
    spec = msgspec.structs.replace(hosted.spec_of(cluster.name, await _live(cluster, key)), **knobs)
    return make_plan(spec, card, await inventory.current(cluster), update=True)


async def change(fleet: Fleet, key: Key, card: ModelCard, **knobs: Any) -> Submission:
    """Turn knobs of a hosted model: plan again and submit. Raises what `replan` and `submit` raise."""
    return await submit(fleet, await replan(fleet, key, card, **knobs))


async def _live(cluster: Cluster, key: Key) -> DeploymentView:
    """The Deployment as the server has it now, not the cache: an action must not rest on an old number."""
    try:
        obj = await cluster.client.get(resources.DEPLOYMENTS, key.name, namespace=key.namespace)
    except kube_errors.NotFound as error:
        known = [each.metadata.name for each in hosted.deployments(cluster)]
        raise hosted.not_hosted(key, known) from error
    found: DeploymentView = view(obj, DeploymentView)
    if not hosted.is_ours(found):
        raise hosted.not_hosted(key, [each.metadata.name for each in hosted.deployments(cluster)])
    return found


def _no_right(cluster: Cluster, key: Key, action: rights.Action, error: kube_errors.Forbidden) -> NotAllowed:
    cluster.doubt()
    return rights.refused(cluster.name, key.namespace, rights.NEEDS[action][0], error)
