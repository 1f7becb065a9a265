"""Services to their pods: Endpoints and EndpointSlices, and a cluster IP where the API side gave none.

Named target ports are looked up in each pod, as the real controller does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sealane.kube import selectors
from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

_SERVICE = "kubernetes.io/service-name"


class EndpointsController(Controller):
    """One Endpoints object and one slice per Service that has a selector."""

    name = "endpoints"
    kinds = ("services", "pods")
    warm_pace = 0.1

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "services":
            return (objects.key(obj),)
        services = self.cluster.list("services", obj["metadata"]["namespace"])
        labels = objects.labels(obj)
        return [
            objects.key(service)
            for service in services
            if service["spec"].get("selector") and selectors.of_labels(service["spec"]["selector"]).matches(labels)
        ]

    def reconcile(self, key: Key) -> float | None:
        service = self.cluster.get("services", key[0], key[1])
        if service is None:
            self._clear(key)
            return None
        outside = service["spec"].get("type") == "ExternalName"
        if outside or not service["spec"].get("selector") or objects.deleting(service):
            return None
        wanted = selectors.of_labels(service["spec"]["selector"])
        pods = [
            pod
            for pod in self.cluster.list("pods", key[0])
            if wanted.matches(objects.labels(pod))
            and pod.get("status", {}).get("podIP")
            and pod["status"].get("phase") not in objects.FINISHED
        ]
        self._endpoints(service, pods)
        self._slice(service, pods)
        return None

    def _clear(self, key: Key) -> None:
        found = self.cluster.get("endpoints", *key)
        if found is not None:
            self.cluster.delete("endpoints", found)
        for each in self._slices(*key):
            self.cluster.delete("endpointslices", each)

    def _slices(self, namespace: str, service: str) -> list[Obj]:
        """The slices of a Service, whose names end in a random tail as everywhere."""
        return self.cluster.list("endpointslices", namespace, labels={_SERVICE: service})

    def _endpoints(self, service: Obj, pods: list[Obj]) -> None:
        namespace, name = objects.key(service)
        ready = [_address(pod) for pod in pods if objects.ready(pod)]
        waiting = [_address(pod) for pod in pods if not objects.ready(pod)]
        subset: dict[str, Any] = {"ports": _ports(service, pods)}
        if ready:
            subset["addresses"] = ready
        if waiting:
            subset["notReadyAddresses"] = waiting
        body: Obj = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": name, "namespace": namespace, "labels": dict(objects.labels(service))},
            "subsets": [subset] if ready or waiting else [],
        }
        self._put("endpoints", body, ("subsets",))

    def _slice(self, service: Obj, pods: list[Obj]) -> None:
        namespace, name = objects.key(service)
        labels = {
            **objects.labels(service),
            _SERVICE: name,
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        reference = objects.owner_reference(service, api_version="v1", kind="Service")
        known = self._slices(namespace, name)
        own_name = known[0]["metadata"]["name"] if known else f"{name}-{self.cluster.suffix()}"
        body: Obj = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": own_name,
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [reference],
            },
            "addressType": "IPv4",
            "endpoints": [_endpoint(pod) for pod in pods],
            "ports": _ports(service, pods),
        }
        self._put("endpointslices", body, ("endpoints", "ports"))

    def _put(self, plural: str, body: Obj, fields: tuple[str, ...]) -> None:
        namespace, name = objects.key(body)
        if self.cluster.get(plural, namespace, name) is None:
            if self.cluster.kind(plural) is not None:
                self.cluster.create(plural, body)
            return

        def change(obj: Obj) -> None:
            for field in fields:
                obj[field] = body[field]

        self.cluster.change(plural, namespace, name, change)


def _ports(service: Obj, pods: list[Obj]) -> list[Obj]:
    found = []
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        entry: Obj = {"port": target_port(target, pods, port["port"]), "protocol": port.get("protocol", "TCP")}
        if port.get("name"):
            entry["name"] = port["name"]
        found.append(entry)
    return found


def target_port(target: int | str, pods: list[Obj], default: int) -> int:
    """The number behind a target port; a name is looked up in the pods."""
    if isinstance(target, int) or str(target).isdigit():
        return int(target)
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            for port in container.get("ports") or ():
                if port.get("name") == target:
                    return int(port["containerPort"])
    return default


def _address(pod: Obj) -> Obj:
    return {
        "ip": pod["status"]["podIP"],
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {"kind": "Pod", **_reference(pod)},
    }


def _endpoint(pod: Obj) -> Obj:
    ready = objects.ready(pod)
    leaving = objects.deleting(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": leaving},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {"kind": "Pod", **_reference(pod)},
    }


def _reference(pod: Obj) -> Obj:
    return {
        "name": pod["metadata"]["name"],
        "namespace": pod["metadata"]["namespace"],
        "uid": objects.uid(pod),
    }
