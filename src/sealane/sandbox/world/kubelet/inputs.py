"""What a pod gets from its cluster: environment, GPU memory, volumes; and what is missing for it to start.

The wording of problems is the kubelet's own.
"""

from __future__ import annotations

from fractions import Fraction

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.controllers.volumes import claims_of
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.scheduler import cards

_MIB = 1024**2
_SOURCES = (("secretKeyRef", "secrets", "secret"), ("configMapKeyRef", "configmaps", "configmap"))


def environment(cluster: Cluster, pod: Obj, container: Obj) -> dict[str, str]:
    """The container's environment: literals, keys of ConfigMaps and Secrets (not decoded), pod fields."""
    found = objects.environment(container)
    namespace = pod["metadata"]["namespace"]
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": namespace,
        "spec.nodeName": pod["spec"].get("nodeName", ""),
    }
    for item in container.get("env") or ():
        source = item.get("valueFrom") or {}
        if "fieldRef" in source:
            found[item["name"]] = fields.get(source["fieldRef"]["fieldPath"], "")
        reference = source.get("configMapKeyRef")
        if reference:
            config = cluster.get("configmaps", namespace, reference["name"]) or {}
            found[item["name"]] = str((config.get("data") or {}).get(reference["key"], ""))
    return found


def configuration_problem(cluster: Cluster, pod: Obj, container: Obj) -> str:
    """`secret "x" not found` and its kin, "" when all that the environment names is there."""
    namespace = pod["metadata"]["namespace"]
    for item in container.get("env") or ():
        for field, plural, word in _SOURCES:
            reference = (item.get("valueFrom") or {}).get(field)
            if not reference or reference.get("optional"):
                continue
            found = cluster.get(plural, namespace, reference["name"])
            if found is None:
                return f'{word} "{reference["name"]}" not found'
            if reference["key"] not in {**(found.get("data") or {}), **(found.get("stringData") or {})}:
                return f"couldn't find key {reference['key']} in {word.title()} {namespace}/{reference['name']}"
    for source in container.get("envFrom") or ():
        for field, plural, word in (("secretRef", "secrets", "secret"), ("configMapRef", "configmaps", "configmap")):
            reference = source.get(field)
            if reference and not reference.get("optional") and not cluster.get(plural, namespace, reference["name"]):
                return f'{word} "{reference["name"]}" not found'
    return ""


def volume_problem(cluster: Cluster, pod: Obj) -> str:
    """Why the pod's volumes cannot be mounted yet, "" when they can."""
    namespace = pod["metadata"]["namespace"]
    for name in claims_of(pod):
        claim = cluster.get("persistentvolumeclaims", namespace, name)
        if claim is None or claim.get("status", {}).get("phase") != "Bound":
            return f"waiting for claim {name}"
    for volume in pod["spec"].get("volumes") or ():
        for field, plural, word in (("secret", "secrets", "secretName"), ("configMap", "configmaps", "name")):
            source = volume.get(field)
            if not source or source.get("optional"):
                continue
            if cluster.get(plural, namespace, source[word]) is None:
                return (
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
                    f'{field.lower()} "{source[word]}" not found'
                )
    return ""


def gpu_memory(cluster: Cluster, pod: Obj) -> int | None:
    """Bytes of GPU memory that the pod may use: its devices or its part of one; None without a GPU."""
    node = cluster.get("nodes", "", pod["spec"].get("nodeName", ""))
    fresh = cluster.get("pods", *objects.key(pod)) or pod
    ask = cards.ask_of(fresh)
    if node is None or not ask.any:
        return None
    memory = int(objects.number(objects.labels(node).get("nvidia.com/gpu.memory", 0)))
    part = cards.of_node(node, ()).part_of(ask) if ask.shared else Fraction(ask.devices)
    if ask.memory_mib:
        return ask.memory_mib * _MIB
    return int(memory * _MIB * part)


def gpu_name(cluster: Cluster, pod: Obj) -> str:
    """The product name of the node's GPU."""
    node = cluster.get("nodes", "", pod["spec"].get("nodeName", ""))
    return "" if node is None else objects.labels(node).get("nvidia.com/gpu.product", "")


def memory_limit(container: Obj) -> int | None:
    """The container's memory limit in bytes."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return None if limit is None else int(objects.number(limit))
