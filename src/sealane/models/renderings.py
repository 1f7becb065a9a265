"""One Plan, three texts: YAML, kubectl commands and Helm values; each makes the same objects.

Every click shows its code. All forms are made from the Plan's own manifests and completed wish, never from the form
that a person filled in, so that they cannot disagree; tests apply each and compare the objects field by field. Nothing
here decides anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from sealane.manifests import dump
from sealane.models.engines import ollama
from sealane.models.types import Plan, Share

FIELD_MANAGER: Final = "sealane"
CHART: Final = "charts/sealane-model"


def as_yaml(plan: Plan) -> str:
    """All objects as one YAML stream, in the order in which they are applied."""
    return dump.dump_all(plan.manifests)


def as_kubectl(plan: Plan) -> str:
    """Commands for a shell: write the file, let the server check it, apply it, follow it."""
    context, namespace = shlex.quote(plan.spec.cluster), shlex.quote(plan.spec.namespace)
    file = shlex.quote(f"{plan.spec.name}.yaml")
    kubectl = f"kubectl --context {context} -n {namespace}"
    apply = f"{kubectl} apply --server-side --field-manager={FIELD_MANAGER}"
    body = as_yaml(plan)
    mark = _mark(body)
    return "\n".join(
        (
            f"cat > {file} <<'{mark}'",
            body.rstrip("\n"),
            mark,
            "# look first: the server checks, nothing is written",
            f"{apply} --dry-run=server -f {file}",
            "# then for real",
            f"{apply} -f {file}",
            "# follow it",
            f"{kubectl} rollout status {shlex.quote(f'deployment/{plan.spec.name}')} --timeout=1h",
            "",
        )
    )


def as_helm_values(plan: Plan) -> str:
    """values.yaml for Sealane's own chart, with the command that installs it."""
    spec = plan.spec
    command = (
        f"helm install {shlex.quote(spec.name)} {CHART} --kube-context {shlex.quote(spec.cluster)} "
        f"-n {shlex.quote(spec.namespace)} -f values.yaml"
    )
    # A context may be called anything, and a line break in a comment would begin values of its own.
    comment = "\n".join(f"# {line}" for line in command.splitlines())
    return f"{comment}\n{dump.dump(helm_values(plan))}"


def helm_values(plan: Plan) -> dict[str, Any]:
    """The chart's values as an object. Numbers beyond 2^53 or of many digits are text: Helm reads numbers as floats."""
    spec = plan.spec
    if not plan.manifests:
        return {}
    deployment = _kind(plan, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    serve = pod["containers"][0]
    environment = {pair["name"]: pair["value"] for pair in serve["env"]}
    return {
        "model": spec.model,
        "name": spec.name,
        "engine": spec.engine,
        "image": ollama.IMAGE,
        "copies": spec.copies,
        "context": spec.context,
        "parallel": spec.parallel,
        "kvCache": spec.kv,
        "share": _share(spec.share),
        "gpuOverheadBytes": environment.get("OLLAMA_GPU_OVERHEAD", ""),
        "cardFloorMiB": _card_floor(pod),
        "kai": {"enabled": "schedulerName" in pod, "queue": spec.queue},
        "registry": {"insecure": spec.insecure_registry, "keySecret": spec.registry_secret},
        "storage": _storage(plan, pod),
        "resources": {
            "cpu": serve["resources"]["requests"]["cpu"],
            "memory": serve["resources"]["requests"]["memory"],
        },
    }


def _share(share: Share) -> dict[str, Any]:
    """As the chart reads it: `text` for the annotation, and exactly one of the amounts, the others ""."""
    return {
        "text": share.text,
        "devices": str(share.devices) if share.devices else "",
        "fraction": f"{share.fraction:g}" if share.fraction is not None else "",
        "memoryMiB": str(share.memory_mib) if share.memory_mib is not None else "",
    }


def _storage(plan: Plan, pod: Mapping[str, Any]) -> dict[str, Any]:
    volume = pod["volumes"][0]
    if "persistentVolumeClaim" in volume:
        return {"kind": "claim", **_claim(_kind(plan, "PersistentVolumeClaim")["spec"])}
    if "ephemeral" in volume:
        return {"kind": "each", **_claim(volume["ephemeral"]["volumeClaimTemplate"]["spec"])}
    return {"kind": "empty", "size": "", "className": ""}


def _claim(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": spec["resources"]["requests"]["storage"], "className": spec["storageClassName"]}


def _card_floor(pod: Mapping[str, Any]) -> str:
    """The value of the card-size rule: `Gt` this many MiB; "" when the pod has no such rule."""
    rule = pod.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    return str(rule["nodeSelectorTerms"][0]["matchExpressions"][0]["values"][0]) if rule else ""


def _kind(plan: Plan, kind: str) -> Mapping[str, Any]:
    return next(item for item in plan.manifests if item["kind"] == kind)


def _mark(body: str) -> str:
    """A heredoc mark that is no line of the body."""
    mark = "SEALANE"
    while mark in body.splitlines():
        mark += "_"
    return mark
