"""Whose log is a model's: each copy's engine, or its pull while the engine has not started.

Copies come and go (scaling, a rollout, a node that was lost) and a copy goes from pulling to serving, so what is to be
listened to is a set that changes with the cache. Everybody who shows a model's log reads it here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing

from sealane.fleet import Cluster, Fleet
from sealane.fleet.rights import NoRight
from sealane.kube import merging
from sealane.kube.resources import PODS
from sealane.kube.tailing import Line, Source, Told, Wish
from sealane.models import hosted
from sealane.models.hosted import Key
from sealane.models.stage_views import ENGINE_CONTAINER, PULL_CONTAINER, PodView

LOOK_EVERY = 5.0
"""Seconds between looks at whether an open log may still be read; the answer itself is as old as a review of rights."""


def container_of(pod: PodView) -> str:
    """The container that has something to say: the engine once it ran, else the pull; "" when the pod is not ours."""
    names = {each.name for each in (*(pod.spec.init_containers or ()), *pod.spec.containers)}
    engine = pod.container(ENGINE_CONTAINER)
    started = engine is not None and (engine.state.running or engine.state.terminated or engine.restart_count)
    wanted = ENGINE_CONTAINER if started or PULL_CONTAINER not in names else PULL_CONTAINER
    return wanted if wanted in names else ""


def sources(cluster: Cluster, key: Key, *, copy: str = "") -> tuple[Source, ...]:
    """The model's logs as the cache has its copies now; only one copy's if named."""
    pods = hosted.picture(cluster, key.namespace, key.name).pods
    return tuple(
        Source(key.namespace, pod.metadata.name, container_of(pod))
        for pod in pods
        if copy in ("", pod.metadata.name) and pod.spec.node_name
    )


async def joining(fleet: Fleet, key: Key, *, copy: str = "") -> AsyncGenerator[Collection[Source], None]:
    """The same whenever it changes, until the model (or the one copy) is gone."""
    cluster = fleet.cluster(key.cluster)
    subscription = fleet.subscribe(kinds=hosted.KINDS)
    known: tuple[Source, ...] | None = None
    try:
        async for _ in subscription:
            picture = hosted.picture(cluster, key.namespace, key.name)
            if picture.deployment is None:
                return
            if copy and all(pod.metadata.name != copy for pod in picture.pods):
                return
            found = sources(cluster, key, copy=copy)
            if found != known:
                known = found
                yield found
    finally:
        subscription.close()


async def lines(
    fleet: Fleet, key: Key, wish: Wish, *, copy: str = "", told: Told | None = None
) -> AsyncGenerator[Line, None]:
    """A model's log, all copies merged or one; with `follow` until it is gone. Errors as in `kube.merging`."""
    cluster = fleet.cluster(key.cluster)
    if wish.follow:

        async def guard() -> None:
            def pods() -> list[str]:
                return [source.pod for source in sources(cluster, key, copy=copy)]

            await until_forbidden(fleet, cluster, key.namespace, pods)

        found = merging.merged(
            cluster.client.http, joining(fleet, key, copy=copy), wish, clock=fleet.clock, told=told, guard=guard
        )
    else:
        found = merging.past(cluster.client.http, sources(cluster, key, copy=copy), wish, told=told)
    async with aclosing(found) as merged:
        async for line in merged:
            yield line


async def until_forbidden(fleet: Fleet, cluster: Cluster, namespace: str, pods: Callable[[], Collection[str]]) -> None:
    """Raises NoRight once the logs of all these pods may no longer be read; a right to one by its name counts."""
    while True:
        verdicts = [cluster.access.may("get", PODS, namespace, name=pod, subresource="log") for pod in pods()]
        if verdicts and all(verdict.denied for verdict in verdicts):
            raise NoRight(verdicts[0])
        await fleet.clock.sleep(LOOK_EVERY)


def ready_copy(cluster: Cluster, key: Key) -> str:
    """The name of a copy that serves, the longest-lived first; else of any that has a node; "" when there is none."""
    pods = [pod for pod in hosted.picture(cluster, key.namespace, key.name).pods if pod.spec.node_name]
    pods.sort(key=lambda pod: (pod.leaving, not pod.ready, str(pod.metadata.creation_timestamp), pod.metadata.name))
    return pods[0].metadata.name if pods else ""
