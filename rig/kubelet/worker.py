"""One pod, from the moment it is bound to a node until it is gone.

Init containers run one after the other, then all others side by side; what ends is started again as the pod's restart
policy says, later and later. Every change goes to the API server through one publisher, so that an outage of the API
server delays the news and loses none, and no container waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.api import Api, JsonObject
from rig.errors import RigError
from rig.kubelet import environment, sandbox
from rig.kubelet.container import Conditions, Container, pod_status
from rig.kubelet.events import Events
from rig.kubelet.executing import Inside
from rig.kubelet.logs import Log
from rig.kubelet.probes import Care, Target, start_probes
from rig.kubelet.publisher import Publisher
from rig.kubelet.sandbox import AddressPool, Mount, Sandbox
from rig.kubelet.volumes import Volumes
from rig.nodes import stamp

_LOG = logging.getLogger(__name__)
_BACKOFF = (1.0, 30.0)  # seconds: the first wait and the longest; a real kubelet says 10 and 300
_STEADY = 60.0  # a run of this many seconds clears the back-off
_RUNNABLE = ("ollama/ollama", "docker.io/ollama/ollama", "index.docker.io/ollama/ollama")
NO_SUCH_IMAGE = "no-such-image"  # in an image's name or tag: it cannot be pulled


@dataclass(frozen=True, kw_only=True)
class Host:
    """What the kubelet lends to its pods."""

    api: Api
    pool: AddressPool
    index: int
    folder: Path
    image_env: Mapping[str, str]
    image_mounts: Sequence[Mount]
    node_address: Callable[[str], str]
    volumes: Callable[[JsonObject, Path], Volumes]
    events: Events


class Worker:
    """Runs one pod in threads of its own."""

    def __init__(self, pod: JsonObject, host: Host) -> None:
        self.pod = pod
        self.inits = [Container(spec) for spec in pod["spec"].get("initContainers") or []]
        self.mains = [Container(spec) for spec in pod["spec"]["containers"]]
        self.uid = str(pod["metadata"]["uid"])
        self._host = host
        self._folder = host.folder / self.uid
        self._volumes = host.volumes(pod, self._folder / "volumes")
        self._sandbox: Sandbox | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._conditions = Conditions()
        self._began = stamp()
        self._ending = threading.Event()
        self._publisher = Publisher(host.api, self.path, self._status)
        self._lock = threading.Lock()
        if not self.inits:
            for container in self.mains:
                container.wait("ContainerCreating")

    @property
    def path(self) -> str:
        """The pod's path in the API."""
        meta = self.pod["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"

    def start(self) -> None:
        """Begin to run it."""
        self._publisher.start()
        self._thread("run", self._run)

    def container(self, name: str) -> Container | None:
        """The container of that name, init containers included."""
        return next((c for c in (*self.inits, *self.mains) if c.name == name), None)

    def inside(self, name: str) -> Inside | None:
        """The way into a running container; None when no process of that name runs, or is only pretended to."""
        container = self.container(name)
        with self._lock:
            process = self._processes.get(name)
        if container is None or process is None or process.poll() is not None:
            return None
        first = sandbox.first_process(process.pid)
        if first is None:
            return None
        stdin = (lambda data: _write(process, data)) if process.stdin is not None else None
        return Inside(process=first, env=self._environment(container), log=container.logs[-1], stdin=stdin)

    @property
    def network(self) -> int | None:
        """A process in the pod's network, None when it has none (any more)."""
        with self._lock:
            return self._sandbox.network if self._sandbox else None

    def end(self, *, grace: float) -> None:
        """End every container within `grace` seconds, then take the network away."""
        with self._lock:
            self._ending.set()
            self._publisher.stop()
            processes = list(self._processes.values())
            network, self._sandbox = self._sandbox, None
        enders = [self._thread("end", lambda p=p: sandbox.end(p, grace=grace)) for p in processes]  # type: ignore[misc]
        for thread in enders:
            thread.join()
        if network is not None:
            network.close()

    def crash(self, name: str) -> None:
        """SIGKILL a container as the kernel would when memory runs out; raises KeyError when it does not run."""
        with self._lock:
            process = self._processes[name]
        sandbox.end(process, grace=0, how=signal.SIGKILL)

    # ---- running

    def _run(self) -> None:
        try:
            if not self._have_images():
                return
            if not any(is_runnable(c.spec) for c in (*self.inits, *self.mains)):
                self._pretend()
                return
            self._open_sandbox()
            for container in self.inits:
                if container.spec.get("restartPolicy") == "Always":
                    self._thread(container.name, lambda c=container: self._supervise(c, policy="Always"))  # type: ignore[misc]
                elif not self._complete(container):
                    return
            policy = self.pod["spec"].get("restartPolicy", "Always")
            for container in self.mains:
                container.wait("ContainerCreating")
                self._thread(container.name, lambda c=container: self._supervise(c, policy=policy))  # type: ignore[misc]
            self._publisher.notice()
        except RigError as error:
            self._event("FailedCreatePodSandBox", error.sentence, warning=True)
            _LOG.warning("pod %s: %s", self.path, error)

    def _have_images(self) -> bool:
        """Images are not pulled; one that is said not to exist fails as it would, until the pod goes."""
        missing = [c for c in (*self.inits, *self.mains) if NO_SUCH_IMAGE in c.spec["image"]]
        tries = 0
        while missing and not self._ending.is_set():
            for container in missing:
                image = container.spec["image"]
                text = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
                container.wait("ErrImagePull" if tries % 2 == 0 else "ImagePullBackOff", text)
                self._event("Failed", f'Failed to pull image "{image}": {text}', container=container, warning=True)
            self._publisher.notice()
            tries += 1
            self._ending.wait(_backoff(tries))
        return not missing

    def _pretend(self) -> None:
        """A pod of images that cannot be run here: all of it is Running and Ready at once, with an address."""
        self._open_sandbox()
        for container in self.inits:
            container.run()
            container.end(0)
        for container in self.mains:
            container.run()
            container.ready = container.started = True
        self._publisher.notice()

    def _open_sandbox(self) -> None:
        network = Sandbox(self._host.pool, index=self._host.index)
        with self._lock:
            if not self._ending.is_set():
                self._sandbox = network
        if self._ending.is_set():
            network.close()
        self._publisher.notice()

    def _complete(self, container: Container) -> bool:
        """Run an init container until it ends with 0; False when the pod is over before that."""
        self._supervise(container, policy=self.pod["spec"].get("restartPolicy", "Always"), until_success=True)
        return container.exit_code == 0 and not self._ending.is_set()

    def _supervise(self, container: Container, *, policy: str, until_success: bool = False) -> None:
        """Run a container, and again, until the policy or the pod's end says that it is enough."""
        failures = 0
        while not self._ending.is_set():
            began = time.monotonic()
            code = self._run_once(container)
            if code is None or self._ending.is_set():
                return
            container.end(code)
            self._publisher.notice()
            if policy == "Never" or (code == 0 and (until_success or policy == "OnFailure")):
                return
            failures = 1 if time.monotonic() - began > _STEADY else failures + 1
            self._back_off(container, failures)

    def _back_off(self, container: Container, failures: int) -> None:
        pause = _backoff(failures)
        meta = self.pod["metadata"]
        where = f"container={container.name} pod={meta['name']}_{meta['namespace']}({self.uid})"
        text = f"back-off {pause:.0f}s restarting failed {where}"
        self._event(
            "BackOff", f"Back-off restarting failed container {container.name}", container=container, warning=True
        )
        self._ending.wait(min(pause, 0.5))  # long enough for `terminated` to be seen, as in a real cluster
        container.wait("CrashLoopBackOff", text)
        container.restarts += 1
        self._publisher.notice()
        self._ending.wait(max(0.0, pause - 0.5))

    def _run_once(self, container: Container) -> int | None:
        """One run from start to end; None when the pod ended before it started."""
        process = self._launch(container)
        if process is None:
            return None
        over = threading.Event()
        self._probe(container, over=over)
        collector = container.logs[-1].collect(process)
        code = process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        over.set()
        collector.join(timeout=5)
        return code

    def _launch(self, container: Container) -> subprocess.Popen[bytes] | None:
        while not self._ending.is_set():
            try:
                mounts = [*self._host.image_mounts, *self._volumes.mounts(self.pod, container.spec)]
                env = self._environment(container)
            except environment.ConfigMissing as error:
                container.wait("CreateContainerConfigError", str(error))
                self._publisher.notice()
                self._ending.wait(1.0)
                continue
            image = ("ollama", "serve") if is_runnable(container.spec) else ("sleep", "infinity")
            argv = environment.command_line(container.spec, env, entrypoint=image)
            root = self._folder / f"{container.name}-{container.restarts}"
            container.logs.append(Log(self._folder / "logs" / f"{container.name}-{container.restarts}.log"))
            with self._lock:
                if self._sandbox is None:
                    return None
                process = self._sandbox.run(
                    argv,
                    root=root,
                    mounts=mounts,
                    env=env,
                    folder=container.spec.get("workingDir") or "/",
                    stdin=bool(container.spec.get("stdin")),
                )
                self._processes[container.name] = process
            container.run()
            self._event("Started", f"Started container {container.name}", container=container)
            return process
        return None

    def _environment(self, container: Container) -> dict[str, str]:
        address = self._sandbox.address if self._sandbox else ""
        return environment.environment(
            container.spec,
            pod=self.pod,
            image={**self._host.image_env, "HOSTNAME": self.pod["metadata"]["name"]},
            address=address,
            lookup=self._volumes.lookup,
        )

    # ---- probing

    def _probe(self, container: Container, *, over: threading.Event) -> None:
        """Start the probes of this run."""

        def execute(argv: Sequence[str], limit: float) -> bool:
            process = self._processes[container.name]
            return sandbox.execute(process, argv, env=self._environment(container), limit=limit)

        def restart(kind: str) -> None:
            text = f"Container {container.name} failed {kind} probe, will be restarted"
            self._event("Killing", text, container=container)
            sandbox.end(self._processes[container.name], grace=5)

        def unready() -> None:
            self._event("Unhealthy", "Readiness probe failed", container=container, warning=True)

        network = self._sandbox
        if network is None:
            return
        target = Target(container=container.spec, address=network.address, execute=execute)
        care = Care(state=container, changed=self._publisher.notice, restart=restart, unready=unready)
        start_probes(target, care, over=over)

    # ---- telling

    def _status(self) -> JsonObject:
        return pod_status(
            self.pod,
            inits=self.inits,
            mains=self.mains,
            conditions=self._conditions,
            node_address=self._host.node_address(self.pod["spec"]["nodeName"]),
            address=self._sandbox.address if self._sandbox else "",
            began=self._began,
        )

    def _event(self, reason: str, message: str, *, container: Container | None = None, warning: bool = False) -> None:
        name = container.name if container else ""
        self._host.events.emit(self.pod, reason, message, container=name, warning=warning)

    def _thread(self, what: str, run: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=run, name=f"rig-{self.pod['metadata']['name']}-{what}", daemon=True)
        thread.start()
        return thread


def _write(process: subprocess.Popen[bytes], data: bytes) -> None:
    if process.stdin is not None:
        process.stdin.write(data)
        process.stdin.flush()


def is_runnable(spec: JsonObject) -> bool:
    """Whether a container of the manifest has Ollama's image, the one that can be run here."""
    image = spec["image"].split("@")[0]
    return image in _RUNNABLE or image.rsplit(":", 1)[0] in _RUNNABLE


def _backoff(failures: int) -> float:
    first, longest = _BACKOFF
    return min(first * 2.0 ** (failures - 1), longest)
