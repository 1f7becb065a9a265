"""The life of one pod on its node: volumes, images, init containers in order, then all main containers until the end.

One task a pod. Every step is written to the API as the kubelet writes it (status, events), so that `kubectl get
pods -w` shows `Init:0/1`, `PodInitializing`, `Running`, `Init:CrashLoopBackOff` … at the right moments.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.kubelet import connections, images, inputs, probes, status
from sealane.sandbox.world.kubelet.containers import Container, Killed
from sealane.sandbox.world.kubelet.volumes import Volumes
from sealane.sandbox.world.ollama.storage import ModelStore
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs import ollama
from sealane.sandbox.world.programs.base import Surroundings
from sealane.sandbox.world.programs.messages import ASGIApp

log = logging.getLogger(__name__)
MANAGER = "kubelet"
_PULL_AGAIN = 10.0
_NOT_STARTED = 128


class PodRun:
    """A pod on a node. `listeners` maps ports to what answers there; `containers` are init ones first."""

    def __init__(
        self,
        pod: Obj,
        *,
        cluster: Cluster,
        images_: images.Images,
        volumes: Volumes,
        ip: str,
        host_ip: str,
    ) -> None:
        self.pod = pod
        self.listeners: dict[int, connections.Listening] = {}
        self.containers = [
            *(Container(spec, init=True) for spec in pod["spec"].get("initContainers") or ()),
            *(Container(spec, init=False) for spec in pod["spec"].get("containers") or ()),
        ]
        self.added: list[Container] = []  # ephemeral ones, as `kubectl debug` adds them
        self._cluster = cluster
        self._images = images_
        self._volumes = volumes
        self._ip = ip
        self._host_ip = host_ip
        self._backing_off: set[str] = set()
        self._warm = cluster.warm
        self._evicted = ""
        self._own_stores: dict[str, ModelStore] = {}
        if not any(item.init for item in self.containers):
            for item in self.containers:
                item.hold("ContainerCreating")

    @property
    def node(self) -> str:
        return str(self.pod["spec"]["nodeName"])

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        return next((item for item in (*self.containers, *self.added) if item.name == name), None)

    def add(self, spec: Obj) -> Container | None:
        """Add an ephemeral container, to be run `once`; None when it is there already."""
        if self.container(str(spec["name"])) is not None:
            return None
        container = Container(spec, init=False)
        container.hold("ContainerCreating")
        self.added.append(container)
        return container

    async def once(self, container: Container) -> None:
        """Run an ephemeral container to its end: it is never started again."""
        if await self._start(container):
            await self._program(container)
        self._publish()

    async def live(self) -> None:
        """Until all containers have ended for good, or the task is cancelled."""
        self._publish()
        await self._until(self._volumes_ready)
        for container in self.containers:
            if container.init and not await self._initialise(container):
                return
        main = [item for item in self.containers if not item.init]
        for item in main:
            item.hold("PodInitializing" if len(main) < len(self.containers) else "ContainerCreating")
        async with asyncio.TaskGroup() as group:
            for item in main:
                group.create_task(self._keep(item), name=f"container {item.name}")

    def stopped(self) -> None:
        """The pod is being ended: say so for every running container, and end them."""
        for item in (*self.containers, *self.added):
            if item.running:
                self._event("Killing", f"Stopping container {item.name}", item)
                item.end(self._cluster.clock.now(), code=0)
        self.listeners.clear()

    async def _initialise(self, container: Container) -> bool:
        """Run an init container until it succeeds; False when it may not be tried again."""
        restart = self.pod["spec"].get("restartPolicy", "Always")
        while True:
            code = await self._program(container) if await self._start(container) else _NOT_STARTED
            self._publish()
            if code == 0:
                return True
            if restart == "Never":
                return False
            await self._back_off(container)

    async def _keep(self, container: Container) -> None:
        """Run a main container, again and again as the restart policy says."""
        restart = self.pod["spec"].get("restartPolicy", "Always")
        while True:
            code = await self._program(container) if await self._start(container) else _NOT_STARTED
            self._publish()
            if restart == "Never" or (restart == "OnFailure" and code == 0):
                return
            await self._back_off(container)

    async def _back_off(self, container: Container) -> None:
        seconds = container.back_off()
        if not seconds:
            await self._pause(1.0)
            return
        namespace, name = objects.key(self.pod)
        text = f"back-off {_spoken(seconds)} restarting failed container={container.name} pod={name}_{namespace}"
        container.hold("CrashLoopBackOff", f"{text}({objects.uid(self.pod)})")
        self._backing_off.add(container.name)
        self._publish()
        said = f"Back-off restarting failed container {container.name} in pod {name}_{namespace}"
        self._event("BackOff", f"{said}({objects.uid(self.pod)})", container, warning=True)
        await self._cluster.troubles.nap(self._cluster.clock, seconds)
        self._backing_off.discard(container.name)

    async def _start(self, container: Container) -> bool:
        """Image, configuration, and the container's process; False when the runtime cannot start it."""
        await self._image(container)
        await self._until(lambda: self._configuration_ready(container))
        await self._pause(0.3)
        container.start(self._cluster.clock.now())
        self._event("Created", f"Created container: {container.name}", container)
        problem = "" if container.init else self._cluster.troubles.start(self.pod)
        if problem:
            container.end(self._cluster.clock.now(), code=_NOT_STARTED, reason="StartError", message=problem)
            self._event("Failed", f"Error: {problem}", container, warning=True)
            return False
        self._event("Started", f"Started container {container.name}", container)
        self._publish()
        return True

    async def _program(self, container: Container) -> int:
        """Run the container's program to its end, and note how it ended."""
        written = container.log
        assert written is not None  # noqa: S101 - it was started
        clock = self._cluster.clock

        def be_ready() -> None:
            if not container.init and not self._probed(container):
                container.ready = True
                self._publish()

        around = Surroundings(
            clock=clock,
            pod=self.pod,
            container=container.spec,
            environment=inputs.environment(self._cluster, self.pod, container.spec),
            say=lambda text: written.write(clock.now(), text),
            listen=lambda port, app: self._listen(container, port, app),
            be_ready=be_ready,
            store_at=lambda path: self._store(container, path),
            gpu_memory=inputs.gpu_memory(self._cluster, self.pod),
            gpu_name=inputs.gpu_name(self._cluster, self.pod),
            memory_limit=inputs.memory_limit(container.spec),
            warm=self._warm,
            registry=self._cluster.troubles.registry(self.pod),
            measured_by=lambda meter: setattr(container, "meter", meter),
        )
        program = ollama.of(container.spec, init=container.init)
        code, reason = 0, ""
        try:
            async with asyncio.TaskGroup() as group:
                beside = (
                    group.create_task(self._probe(container), name=f"probe {container.name}"),
                    group.create_task(self._struck(container, around.say), name=f"trouble {container.name}"),
                    group.create_task(_told(container), name=f"signals of {container.name}"),
                )
                code = await _guarded(lambda: program(around), around.say)
                for task in beside:
                    task.cancel()
        except* Killed as killed:
            first = killed.exceptions[0]
            code, reason = (first.code, first.reason) if isinstance(first, Killed) else (137, "Error")
        container.end(clock.now(), code=code, reason=reason)
        if not any(item.running for item in self.containers):
            self.listeners.clear()
        return code

    async def _struck(self, container: Container, say: Callable[[str], None]) -> None:
        """End the container when a trouble says so. Raises Killed."""
        troubles = self._cluster.troubles
        while not container.init:
            kill = troubles.kill(self.pod)
            if kill is None:
                await troubles.changed()
                continue
            await troubles.nap(self._cluster.clock, kill.after)
            if troubles.kill(self.pod) is not None:
                for line in kill.words.splitlines():
                    say(line)
                raise Killed(kill.reason, kill.code)

    def _listen(self, container: Container, port: int, app: ASGIApp) -> None:
        self.listeners[port] = connections.Listening(app, container.over)

    def _probed(self, container: Container) -> bool:
        """Whether readiness is for a probe to say."""
        return not self._warm and any(container.spec.get(f"{kind}Probe") for kind in ("readiness", "startup"))

    async def _probe(self, container: Container) -> None:
        """Ask the container's program as its probes say, until its end."""
        prober = probes.Prober(
            container,
            clock=self._cluster.clock,
            pod=lambda: self._cluster.get("pods", *objects.key(self.pod)) or self.pod,
            ip=self._ip,
            listeners=self.listeners,
            tell=lambda reason, text, warning: self._event(reason, text, container, warning=warning),
            publish=self._publish,
            is_warm=self._warm,
        )
        await prober.run()

    def _store(self, container: Container, path: str) -> ModelStore:
        found = self._volumes.store(self.pod, container.spec, path)
        if found is not None:
            return found
        return self._own_stores.setdefault(f"{container.name}/{container.serial}", ModelStore())

    async def _image(self, container: Container) -> None:
        image, node = container.image, self.node
        while True:
            async with self._images.lock(node, image):
                if self._warm or (self._images.has(node, image) and images.exists(image)):
                    self._images.add(node, image)
                    text = f'Container image "{image}" already present on machine'
                    self._event("Pulled", text, container)
                    return
                if await self._pull(container):
                    return
            self._event("Failed", "Error: ImagePullBackOff", container, warning=True)
            cause = container.waiting[1]
            container.hold("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {cause}')
            self._backing_off.add(container.name)
            self._publish()
            await self._cluster.troubles.nap(self._cluster.clock, _PULL_AGAIN)
            self._backing_off.discard(container.name)

    async def _pull(self, container: Container) -> bool:
        image = container.image
        self._event("Pulling", f'Pulling image "{image}"', container)
        seconds = images.seconds(image) * self._cluster.troubles.slowness if not self._refusal(image) else 1.5
        await self._pause(seconds)
        why = self._refusal(image)
        if not why:
            self._images.add(self.node, image)
            took = f"{seconds:.3f}s"
            text = (
                f'Successfully pulled image "{image}" in {took} ({took} including waiting). '
                f"Image size: {images.size(image)} bytes."
            )
            self._event("Pulled", text, container)
            return True
        self._event("Failed", f'Failed to pull image "{image}": {why}', container, warning=True)
        self._event("Failed", "Error: ErrImagePull", container, warning=True)
        self._event("BackOff", f'Back-off pulling image "{image}"', container)
        container.hold("ErrImagePull", why)
        self._backing_off.add(container.name)
        self._publish()
        await self._pause(1.5)
        self._backing_off.discard(container.name)
        return False

    def _refusal(self, image: str) -> str:
        """Why the image cannot be pulled now, "" where it can."""
        missing = "" if images.exists(image) else images.not_found(image)
        return self._cluster.troubles.image(self.node, image) or missing

    def _volumes_ready(self) -> bool:
        problem = inputs.volume_problem(self._cluster, self.pod)
        if problem.startswith("MountVolume"):
            self._cluster.event(self.pod, "FailedMount", problem, type="Warning", component=MANAGER, host=self.node)
        return not problem

    def _configuration_ready(self, container: Container) -> bool:
        problem = inputs.configuration_problem(self._cluster, self.pod, container.spec)
        if problem:
            container.hold("CreateContainerConfigError", problem)
            self._event("Failed", f"Error: {problem}", container, warning=True)
            self._publish()
        return not problem

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Look again and again; pods wait for volumes and configuration without a limit, as on a real node."""
        while not ready():
            await self._cluster.clock.sleep(0.5)

    async def _pause(self, seconds: float) -> None:
        await self._cluster.clock.sleep(0 if self._warm else seconds)

    def evict(self, message: str) -> None:
        """The node needs what this pod takes: its containers end, and it is Failed with the kubelet's reason."""
        self.stopped()
        self._evicted = message
        self._cluster.event(self.pod, "Evicted", message, type="Warning", component=MANAGER, host=self.node)
        self.publish()

    def publish(self) -> None:
        """Say again how the pod stands: its node was not heard of for a while."""
        self._publish()

    def _publish(self) -> None:
        if self._cluster.troubles.lost(self.node):
            return
        now = self._cluster.clock.stamp()

        def change(obj: Obj) -> None:
            status.write(
                obj,
                containers=self.containers,
                backing_off=frozenset(self._backing_off),
                ip=self._ip,
                host_ip=self._host_ip,
                now=now,
            )
            if self.added:
                entries = [item.status(backing_off=False) for item in self.added]
                obj["status"]["ephemeralContainerStatuses"] = entries
            if self._evicted:
                obj["status"] |= {"phase": "Failed", "reason": "Evicted", "message": self._evicted}

        namespace, name = objects.key(self.pod)
        current = self._cluster.get("pods", namespace, name)
        if current is not None and objects.uid(current) == objects.uid(self.pod):
            self._cluster.change("pods", namespace, name, change, manager=MANAGER, subresource="status")

    def _event(self, reason: str, message: str, container: Container, *, warning: bool = False) -> None:
        if self._cluster.troubles.lost(self.node):
            return
        part = "initContainers" if container.init else "containers"
        part = "ephemeralContainers" if any(item is container for item in self.added) else part
        self._cluster.event(
            self.pod,
            reason,
            message,
            type="Warning" if warning else "Normal",
            component=MANAGER,
            host=self.node,
            field_path=f"spec.{part}{{{container.name}}}",
        )


async def _told(container: Container) -> None:
    """End the container when somebody inside sends its process a signal. Raises Killed."""
    container.told = asyncio.get_running_loop().create_future()
    code = await container.told
    raise Killed("Completed" if code == 0 else "Error", code)


async def _guarded(program: Callable[[], Awaitable[int]], say: Callable[[str], None]) -> int:
    """The program's exit code; an error of the simulation itself ends the container with 1, as a crash would."""
    try:
        return await program()
    except Killed:
        raise
    except Exception as error:
        log.exception("a simulated program failed")
        say(f"the simulation of this program failed: {error}")
        return 1


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
