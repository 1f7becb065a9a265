"""What the API server asks of a kubelet: logs, and a way to a pod's port (`sandbox.api.backends.PodBackend`)."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Sequence

from sealane.sandbox.api.backends import NoLogs, NotListening
from sealane.sandbox.streams.console import Process
from sealane.sandbox.world import objects
from sealane.sandbox.world.kubelet import connections, inside
from sealane.sandbox.world.kubelet.containers import Container
from sealane.sandbox.world.kubelet.kubelet import Kubelet
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.programs.messages import ASGIApp

_WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class Backend:
    """The pods of one cluster."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    async def logs(
        self,
        pod: Obj,
        *,
        container: str,
        follow: bool,
        tail_lines: int | None,
        previous: bool,
        timestamps: bool,
        since_seconds: float | None,
    ) -> AsyncIterator[bytes]:
        """The lines of a container's log. Raises NoLogs with the kubelet's words."""
        if self._lost(pod):
            node, address = pod["spec"].get("nodeName", ""), pod.get("status", {}).get("hostIP", "")
            url = f"https://{address}:10250/containerLogs/{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            raise NoLogs(f'Get "{url}/{container}": dial tcp {address}:10250: i/o timeout (node {node})')
        found = self._container(pod, container)
        log = found.previous if previous else found.log
        name = pod["metadata"]["name"]
        if log is None and previous:
            raise NoLogs(f'previous terminated container "{found.name}" in pod "{name}" not found')
        if log is None:
            reason = _WAITING.get(found.waiting[0], found.waiting[0])
            raise NoLogs(f'container "{found.name}" in pod "{name}" is waiting to start: {reason}')
        now = self._kubelet.cluster.clock.now()
        since = None if since_seconds is None else now - datetime.timedelta(seconds=since_seconds)
        async for line in log.read(
            follow=follow and not previous, tail_lines=tail_lines, timestamps=timestamps, since=since
        ):
            yield line

    def proxy(self, pod: Obj, port: int) -> ASGIApp:
        """What answers on that port. Raises NotListening."""
        if self._lost(pod):
            raise NotListening(f"dial tcp {pod.get('status', {}).get('podIP', '')}:{port}: i/o timeout")
        run = self._kubelet.runs.get(objects.uid(pod))
        listening = None if run is None else run.listeners.get(port)
        if listening is None or listening.over.is_set():
            address = pod.get("status", {}).get("podIP", "")
            raise NotListening(f"dial tcp {address}:{port}: connect: connection refused")
        return connections.cut_with(listening)

    def exec(self, pod: Obj, *, container: str, command: Sequence[str]) -> Process:
        """What a command does in a container. Raises NoContainer."""
        return inside.execute(self._kubelet, pod, name=container, command=command)

    def attach(self, pod: Obj, *, container: str) -> Process:
        """The container's own process, seen from outside. Raises NoContainer."""
        return inside.attach(self._kubelet, pod, name=container)

    def _lost(self, pod: Obj) -> bool:
        return self._kubelet.cluster.troubles.lost(pod["spec"].get("nodeName", ""))

    def _container(self, pod: Obj, name: str) -> Container:
        run = self._kubelet.runs.get(objects.uid(pod))
        names = [item["name"] for item in pod["spec"].get("containers") or ()]
        wanted = name or (names[0] if names else "")
        found = None if run is None else run.container(wanted)
        if found is None:
            raise NoLogs(
                f'container "{wanted}" in pod "{pod["metadata"]["name"]}" is waiting to start: ContainerCreating'
            )
        return found
