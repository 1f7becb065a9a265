"""From what is seen to where a model stands: Submitted → Waiting → Scheduled → Image → Pulling → Loading → Answering.

`stage_of` is pure and total: any snapshot has exactly one stage and one sentence. Each copy has a stage of its own;
the model's is the best of them, because one answering copy answers. `Failed` is said only when no copy gets anywhere;
Kubernetes goes on trying meanwhile, so a model may come back from Failed by itself.
"""

from __future__ import annotations

from sealane.lib import text
from sealane.models import failures, waits
from sealane.models.stage_views import (
    ENGINE_CONTAINER,
    PULL_CONTAINER,
    ContainerStatus,
    DeploymentView,
    EngineFacts,
    EventView,
    PodView,
    Snapshot,
)
from sealane.models.types import Stage, StageName

ORDER: tuple[StageName, ...] = (
    "Failed",
    "Submitted",
    "Waiting",
    "Scheduled",
    "Image",
    "Pulling",
    "Loading",
    "Answering",
)
"""From least to most: the model's stage is the greatest of its copies'."""

_IMAGE_FAULTS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CONFIG_FAULTS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


def stage_of(snapshot: Snapshot) -> Stage:
    """Where the model stands now. `seconds` counts from the deployment's creation."""
    stage = _stage(snapshot)
    made = snapshot.deployment.metadata.creation_timestamp if snapshot.deployment else None
    seconds = max(0.0, (snapshot.now - made).total_seconds()) if made else 0.0
    return Stage(
        stage=stage.stage,
        sentence=stage.sentence,
        progress=stage.progress,
        seconds=seconds,
        done_bytes=stage.done_bytes,
        total_bytes=stage.total_bytes,
    )


def copy_stages(snapshot: Snapshot) -> dict[str, Stage]:
    """The stage of each copy, by pod name; pods that are leaving are left out."""
    return {pod.metadata.name: _pod(snapshot, pod) for pod in snapshot.pods if not pod.leaving}


def _stage(snapshot: Snapshot) -> Stage:
    deployment = snapshot.deployment
    where = f"{snapshot.name} in namespace {snapshot.namespace} of {snapshot.cluster}"
    if deployment is None:
        return Stage(stage="Failed", sentence=f"There is no {where}: it was removed.")
    if deployment.metadata.deletion_timestamp is not None:
        return Stage(stage="Failed", sentence=f"{where} is being removed.")
    if deployment.spec.replicas == 0:
        return Stage(stage="Waiting", sentence=f"{snapshot.name} is scaled to 0 copies; ask for one to start it.")
    copies = copy_stages(snapshot)
    if snapshot.pods_hidden:
        return _unseen(snapshot, deployment)
    if not copies:
        return _no_pods(snapshot, deployment)
    over = {pod.metadata.name for pod in snapshot.pods if pod.status.phase == "Failed"}  # each has its successor
    return _best(deployment, {name: each for name, each in copies.items() if name not in over} or copies)


def _unseen(snapshot: Snapshot, deployment: DeploymentView) -> Stage:
    """Pods may not be listed: what the Deployment counts is all that is known."""
    ready, wanted = deployment.status.ready_replicas, deployment.spec.replicas
    where = f"namespace {snapshot.namespace} of {snapshot.cluster}"
    return Stage(
        stage="Answering" if ready else "Submitted",
        sentence=f"{ready} of {text.count(wanted, 'copy', 'copies')} {'is' if ready == 1 else 'are'} ready; "
        f"you have no permission to list pods in {where}, so that is all that is known.",
        progress=1.0 if ready else None,
    )


def _no_pods(snapshot: Snapshot, deployment: DeploymentView) -> Stage:
    refused = _refusal(snapshot, deployment)
    if not refused:
        return Stage(stage="Submitted", sentence=f"The cluster took {snapshot.name}; its first pod is not there yet.")
    may_pass = failures.is_quota(refused) and not failures.quota_is_too_small(refused)
    kind: StageName = "Waiting" if may_pass else "Failed"
    return Stage(stage=kind, sentence=failures.creation(refused))


def _refusal(snapshot: Snapshot, deployment: DeploymentView) -> str:
    """The text of ReplicaFailure; before the controller wrote it, that of the last FailedCreate event."""
    for condition in deployment.status.conditions or ():
        if condition.type == "ReplicaFailure" and condition.status == "True":
            return condition.message
    events = [event for event in snapshot.events if event.reason == "FailedCreate"]
    return max(events, key=lambda event: event.at).message if events else ""


def _best(deployment: DeploymentView, copies: dict[str, Stage]) -> Stage:
    ranked = sorted(copies.values(), key=lambda stage: (ORDER.index(stage.stage), stage.progress or 0.0))
    best, wanted = ranked[-1], deployment.spec.replicas
    if wanted <= 1 and len(copies) == 1:
        return best
    answering = sum(stage.stage == "Answering" for stage in ranked)
    summary = f"{answering} of {text.count(wanted, 'copy', 'copies')} {'answers' if answering == 1 else 'answer'}."
    behind = "" if ranked[0].stage == best.stage else f" {ranked[0].stage}: {ranked[0].sentence}"
    sentence = f"{summary}{behind}" if best.stage == "Answering" else f"{summary} {best.sentence}"
    return Stage(
        stage=best.stage,
        sentence=sentence,
        progress=best.progress,
        done_bytes=best.done_bytes,
        total_bytes=best.total_bytes,
    )


def _pod(snapshot: Snapshot, pod: PodView) -> Stage:
    if pod.status.phase == "Failed":
        why = pod.status.message or pod.status.reason or "no reason was given"
        if pod.status.reason == "Evicted":
            told = f"{pod.metadata.name} was evicted from {pod.spec.node_name}: {failures.last_line(why)}."
            return Stage(stage="Failed", sentence=told)
        return Stage(stage="Failed", sentence=f"{pod.metadata.name} failed: {failures.last_line(why)}.")
    if not pod.spec.node_name:
        return Stage(stage="Waiting", sentence=waits.sentence(snapshot, pod))
    pull, engine = pod.container(PULL_CONTAINER), pod.container(ENGINE_CONTAINER)
    if _unheard(pod):
        return Stage(stage="Failed", sentence=failures.unheard(pod.metadata.name, node=pod.spec.node_name))
    broken = _image_fault(snapshot, pod, pull) or _image_fault(snapshot, pod, engine)
    if broken:
        return Stage(stage="Failed", sentence=broken)
    facts = snapshot.engines.get(pod.metadata.name, EngineFacts())
    if pull is not None and not _finished(pull):
        return _pulling(snapshot, pod, pull, facts)
    if engine is not None and (pull is not None or engine.state.running is not None or engine.ended is not None):
        return _engine(snapshot, pod, engine, facts)
    return _starting(snapshot, pod)


def _finished(container: ContainerStatus) -> bool:
    ended = container.state.terminated
    return ended is not None and ended.exit_code == 0


def _unheard(pod: PodView) -> bool:
    """Whether the node is not heard of: its controller took readiness from the pod, its kubelet did not."""
    contained = pod.condition("ContainersReady")
    ready = pod.condition("Ready")
    return (
        not pod.spec.readiness_gates
        and contained is not None
        and ready is not None
        and (contained.status, ready.status) == ("True", "False")
    )


def _image_fault(snapshot: Snapshot, pod: PodView, container: ContainerStatus | None) -> str:
    waiting = container.state.waiting if container else None
    if container is None or waiting is None:
        return ""
    if waiting.reason in _IMAGE_FAULTS:
        name = _image_of(pod, container.name)
        told = [event.message for event in _about(snapshot, pod) if event.reason == "Failed"]
        said = failures.image_cause(waiting.message, told, image=name)
        return failures.image(name, node=pod.spec.node_name, reason=waiting.reason, message=said)
    if waiting.reason in _CONFIG_FAULTS:
        said = failures.last_line(waiting.message) or waiting.reason
        return f"The container {container.name} of {pod.metadata.name} cannot be made: {said}."
    return ""


def _image_of(pod: PodView, container: str) -> str:
    both = [*(pod.spec.init_containers or ()), *pod.spec.containers]
    return next((each.image for each in both if each.name == container), container)


def _starting(snapshot: Snapshot, pod: PodView) -> Stage:
    """A node is chosen and no container runs yet: the image may be on its way."""
    about = _about(snapshot, pod)
    pulling = [event for event in about if event.reason == "Pulling"]
    pulled = [event for event in about if event.reason == "Pulled"]
    if len(pulling) > len(pulled):
        image = _image_of(pod, PULL_CONTAINER) if pod.spec.init_containers else _image_of(pod, ENGINE_CONTAINER)
        return Stage(stage="Image", sentence=f"{pod.spec.node_name} fetches the image {image}.")
    return Stage(stage="Scheduled", sentence=f"{pod.metadata.name} has a place on {pod.spec.node_name}.")


def _about(snapshot: Snapshot, pod: PodView) -> list[EventView]:
    return [event for event in snapshot.events if event.involved_object.uid == pod.metadata.uid]


def _pulling(snapshot: Snapshot, pod: PodView, pull: ContainerStatus, facts: EngineFacts) -> Stage:
    ended = pull.ended
    if ended is not None and ended.exit_code != 0:
        if ended.reason == "OOMKilled":
            return Stage(stage="Failed", sentence=_exit(pod, pull))
        return Stage(stage="Failed", sentence=failures.pull(ended.message or facts.error, model=snapshot.model))
    if pull.state.running is None:
        return _starting(snapshot, pod)
    if facts.error:
        return Stage(stage="Failed", sentence=failures.pull(facts.error, model=snapshot.model))
    if facts.pull is None or not facts.pull.total:
        return Stage(stage="Pulling", sentence=f"{pod.metadata.name} pulls {snapshot.model}.")
    done, total = min(facts.pull.done, facts.pull.total), facts.pull.total
    return Stage(
        stage="Pulling",
        sentence=f"Pulling {snapshot.model}: {text.decimal_bytes(done)} of {text.decimal_bytes(total)}.",
        progress=done / total,
        done_bytes=done,
        total_bytes=total,
    )


def _engine(snapshot: Snapshot, pod: PodView, engine: ContainerStatus, facts: EngineFacts) -> Stage:
    ended = engine.ended
    if ended is not None and (ended.exit_code != 0 or ended.reason == "OOMKilled"):
        return Stage(stage="Failed", sentence=_exit(pod, engine))
    if engine.state.running is None or not pod.ready:
        return Stage(stage="Loading", sentence=f"The engine of {pod.metadata.name} starts on {pod.spec.node_name}.")
    if facts.error:
        return Stage(stage="Failed", sentence=failures.load(facts.error, model=snapshot.model))
    if facts.silent:
        return Stage(stage="Failed", sentence=failures.silent(pod.metadata.name, node=pod.spec.node_name))
    if facts.loaded:
        return Stage(stage="Answering", sentence=f"{snapshot.model} answers on {pod.spec.node_name}.", progress=1.0)
    if facts.closed:
        told = (
            f"{pod.metadata.name} is ready; you may not ask its engine (no right to pods/proxy), so that is all known."
        )
        return Stage(stage="Answering", sentence=told, progress=1.0)
    if facts.stored:
        told = f"{snapshot.model} answers on {pod.spec.node_name}; the first request loads it into memory."
        return Stage(stage="Answering", sentence=told, progress=1.0)
    again = failures.again(engine.last_state.terminated, restarts=engine.restart_count)
    return Stage(stage="Loading", sentence=f"{pod.spec.node_name} loads {snapshot.model} into memory{again}.")


def _exit(pod: PodView, container: ContainerStatus) -> str:
    ended = container.ended
    both = [*(pod.spec.init_containers or ()), *pod.spec.containers]
    spec = next((each for each in both if each.name == container.name), None)
    return failures.exit_of(
        container.name,
        code=ended.exit_code if ended else 0,
        reason=ended.reason if ended else "",
        message=ended.message if ended else "",
        limit=((spec.resources.limits if spec else None) or {}).get("memory", ""),
        restarts=container.restart_count,
    )
