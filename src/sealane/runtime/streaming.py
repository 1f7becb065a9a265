"""What stands behind `sealane logs`, `exec` and `forward`: from a name to pods, and from pods to streams.

A name is a hosted model (all its copies) or `pod/NAME`. Where several clusters have it, the command must say which,
because streams go to one place. A model outlives its pods: its log goes on with new copies, and a forwarded port finds
another copy at the next connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import msgspec

from sealane.fleet import Cluster, Fleet
from sealane.kube import errors, merging, portforward
from sealane.kube.exec import Terminal
from sealane.kube.portforward import Listener, PortTaken, Tunnel
from sealane.kube.resources import PODS
from sealane.kube.tailing import Line, Source, Told, Wish
from sealane.lib import text
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import NextStep, SealaneError, UsageError
from sealane.models import hosted, speaking
from sealane.models.engines import ollama
from sealane.models.hosted import Key
from sealane.models.stage_views import ENGINE_CONTAINER

POD = "pod/"
LOOK_EVERY = 3.0  # seconds between looks at whether the pod is still there
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class NoCopy(SealaneError):
    """A hosted model has no copy that a stream could go to."""

    code = "model-no-copy"
    http_status = 503
    exit_code = 3


class PodGone(SealaneError):
    """The pod that a stream went to is gone."""

    code = "pod-gone"
    http_status = 404


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a name leads: a pod, or a model with its copies (`key` is None for a pod, `pod` "" for a model)."""

    cluster: Cluster
    namespace: str
    pod: str = ""
    key: Key | None = None
    manifest: dict[str, Any] = {}

    @property
    def words(self) -> str:
        """`pod/x` or the model's name."""
        return f"{POD}{self.pod}" if self.key is None else self.key.name


async def locate(fleet: Fleet, name: str, *, cluster: str = "", namespace: str = "") -> Place:
    """Where a name leads. Raises UnknownCluster, NotHosted, UsageError (several have it), NotFound and its like."""
    if name.startswith(POD):
        return await _locate_pod(fleet, name.removeprefix(POD), cluster=cluster, namespace=namespace)
    await hosted.read(fleet, namespace=namespace)
    key = hosted.find(fleet, name, cluster=cluster, namespace=namespace)
    return Place(cluster=fleet.cluster(key.cluster), namespace=key.namespace, key=key)


async def _locate_pod(fleet: Fleet, name: str, *, cluster: str, namespace: str) -> Place:
    asked = [fleet.cluster(cluster)] if cluster else list(fleet.clusters.values())

    async def look(each: Cluster) -> Place:
        space = namespace or each.context.namespace or "default"
        return Place(
            cluster=each,
            namespace=space,
            pod=name,
            manifest=await each.client.get(PODS, name, namespace=space),
        )

    answers = await asyncio.gather(*(look(each) for each in asked), return_exceptions=True)
    found = [answer for answer in answers if isinstance(answer, Place)]
    if len(found) == 1:
        return found[0]
    if found:
        names = text.listing(place.cluster.name for place in found)
        step = NextStep(title="Name the cluster", command=f"--cluster {found[0].cluster.name}")
        raise UsageError(f"Pod {name} is in {len(found)} clusters: {names}. Say which.", next_steps=(step,))
    raise next(
        (answer for answer in answers if isinstance(answer, BaseException)),
        UsageError("There is no cluster to look in."),
    )


_SINCE = re.compile(r"(\d+)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def wish(*, follow: bool, previous: bool, since: str, tail: int | None, clock: Clock = SYSTEM) -> Wish:
    """What the flags mean. UsageError for what is no length of time, and for following the past."""
    if follow and previous:
        raise UsageError("A run that has ended cannot be followed: leave out --follow or --previous.")
    start = None
    if since:
        parts = _SINCE.findall(since)
        if "".join(number + unit for number, unit in parts) != since:
            step = NextStep(title="For example", command="--since 10m")
            raise UsageError(f"--since {since} is no length of time such as 90s, 10m or 2h.", next_steps=(step,))
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
        start = clock.now() - datetime.timedelta(seconds=min(seconds, 10 * 365 * 86_400))
    return Wish(follow=follow, previous=previous, since=start, tail_lines=tail)


async def lines(
    fleet: Fleet, place: Place, wish: Wish, *, container: str = "", told: Told | None = None
) -> AsyncGenerator[Line, None]:
    """The log behind a name, several copies merged. Errors as in `kube.merging`."""
    if place.key is not None:
        found = speaking.lines(fleet, place.key, wish, told=told)
    else:
        source = Source(place.namespace, place.pod, container or default_container(place.manifest))
        http = place.cluster.client.http
        if wish.follow:

            async def guard() -> None:
                await speaking.until_forbidden(fleet, place.cluster, place.namespace, lambda: (place.pod,))

            found = merging.merged(http, merging.fixed(source), wish, clock=fleet.clock, guard=guard)
        else:
            found = merging.past(http, (source,), wish)
    async with aclosing(found) as merged:
        async for line in merged:
            yield line


@contextlib.asynccontextmanager
async def run(
    place: Place, command: Sequence[str], *, container: str, stdin: bool, tty: bool
) -> AsyncIterator[Terminal]:
    """A command in the pod, or in a copy of the model that serves. `NoCopy`, and what `Client.exec` raises."""
    client = place.cluster.client
    pod = place.pod or _copy_of(place)
    chosen = container or (ENGINE_CONTAINER if place.key else default_container(place.manifest))
    async with client.exec(
        pod, namespace=place.namespace, container=chosen, command=command, stdin=stdin, tty=tty
    ) as terminal:
        yield terminal


def default_container(manifest: dict[str, Any]) -> str:
    """The one that the pod's author named, else the first."""
    named = (manifest.get("metadata", {}).get("annotations") or {}).get(_DEFAULT_CONTAINER, "")
    containers = manifest.get("spec", {}).get("containers") or [{}]
    return str(named or containers[0].get("name", ""))


def port_of(place: Place) -> int:
    """The port that is meant when none was named. UsageError when a pod declares none."""
    if place.key is not None:
        return ollama.PORT
    containers = place.manifest.get("spec", {}).get("containers") or []
    ports = [port["containerPort"] for container in containers for port in container.get("ports") or []]
    if not ports:
        raise UsageError(
            f"{place.words} declares no port, so the port must be named.",
            next_steps=(NextStep(title="Name it", command=f"sealane forward {place.words} 8080"),),
        )
    return int(ports[0])


@contextlib.asynccontextmanager
async def forwarding(place: Place, *, port: int, local: int | None) -> AsyncIterator[Listener]:
    """A port of this computer for the pod's, or for any copy of a model that serves. `local` None: the same number if
    it is free, else another. `PortTaken`."""

    def opener() -> AbstractAsyncContextManager[Tunnel]:
        pod = place.pod or _copy_of(place)
        return place.cluster.client.port_forward(pod, namespace=place.namespace, port=port)

    async with contextlib.AsyncExitStack() as stack:
        try:
            listener = await stack.enter_async_context(
                portforward.listening(opener, port=port if local is None else local)
            )
        except (PortTaken, PermissionError):
            if local is not None:
                raise
            listener = await stack.enter_async_context(portforward.listening(opener))
        yield listener


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What `sealane forward --json` says once it is open."""

    url: str
    local: int
    port: int
    cluster: str
    namespace: str
    name: str


def opened(place: Place, listener: Listener, *, port: int) -> Opened:
    """The listener in words."""
    return Opened(
        url=listener.url,
        local=listener.port,
        port=port,
        cluster=place.cluster.name,
        namespace=place.namespace,
        name=place.words,
    )


def ports(wanted: str, place: Place) -> tuple[int, int | None]:
    """`PORT[:LOCAL]` as the pod's port and the local one, None where it was not said. UsageError."""
    remote, colon, local = wanted.partition(":")
    numbers = [part for part in (remote, local) if part]
    if any(not (part.isdigit() and 0 <= int(part) <= 65_535) for part in numbers) or remote == "0":
        raise UsageError(
            f"{wanted} is no PORT or PORT:LOCAL; ports go from 1 to 65535, and LOCAL 0 takes any that is free.",
            next_steps=(NextStep(title="For example", command=f"sealane forward {place.words} 11434:8080"),),
        )
    return int(remote) if remote else port_of(place), int(local or 0) if colon else None


async def keep(fleet: Fleet, place: Place, listener: Listener, *, on_trouble: Callable[[SealaneError], None]) -> None:
    """Until Ctrl-C or SIGTERM, telling which connections failed. Raises `PodGone` when it leads nowhere any more."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    waits = {
        asyncio.create_task(ended.wait(), name="forward: Ctrl-C"),
        asyncio.create_task(until_gone(fleet, place), name="forward: pod"),
        asyncio.create_task(_tell(listener, on_trouble), name="forward: troubles"),
    }
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    for task in done:
        if isinstance(found := task.result(), SealaneError):
            raise found


async def _tell(listener: Listener, on_trouble: Callable[[SealaneError], None]) -> None:
    while True:
        on_trouble(await listener.troubles.get())


async def until_gone(fleet: Fleet, place: Place) -> SealaneError:
    """Wait until there is nothing left to forward to, and say what became of it."""
    while True:
        await fleet.clock.sleep(LOOK_EVERY)
        if place.key is not None:
            if hosted.deployment_of(place.cluster, place.namespace, place.key.name) is None:
                return PodGone(f"{place.key.name} is no longer hosted in {place.cluster.name}.")
            continue
        try:
            pod = await place.cluster.client.get(PODS, place.pod, namespace=place.namespace)
        except errors.NotFound:
            return _gone(place, "is gone")
        except SealaneError:
            continue  # an outage is no end
        phase = pod.get("status", {}).get("phase", "")
        if pod["metadata"].get("uid") != place.manifest["metadata"].get("uid"):
            return _gone(place, "was replaced by another of that name")
        if phase in ("Succeeded", "Failed"):
            return _gone(place, f"has ended ({phase})")


def _gone(place: Place, what: str) -> PodGone:
    command = place.cluster.client.http.target("GET", "").kubectl(f"-n {place.namespace} get pods")
    return PodGone(
        f"{place.cluster.name}: pod {place.pod} {what}.",
        next_steps=(NextStep(title="See which pods there are", command=command),),
    )


def _copy_of(place: Place) -> str:
    found = speaking.ready_copy(place.cluster, place.key) if place.key else ""
    if not found:
        raise NoCopy(
            f"{place.words} has no copy in {place.cluster.name} that runs.",
            next_steps=(NextStep(title="See how it stands", command="sealane models"),),
        )
    return found
