# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""The journey itself: a hosted model as the planner makes it, its logs, queues and pod groups, and KAI's refusals."""

from __future__ import annotations

from talks import manifests
from talks.script import Scene, do, say

_LABEL = "-l app.kubernetes.io/name=coder"
_UP = do("rollout status deployment/coder --timeout=55s")
HOSTING = Scene(
    name="talk-host",
    labels=("pod-security.kubernetes.io/enforce=restricted",),
    leaves=("queue/talk-host", "queue/talk-host-root"),
    lines=(
        say("queue-create", "apply -f -", stdin=manifests.QUEUES),
        say("queue-get", "get queue {ns} {ns}-root"),
        say("queue-yaml", "get queue {ns} -o jsonpath='{.spec}'"),
        say("queue-bad", "create -f -", stdin="apiVersion: scheduling.run.ai/v2\nkind: Queue\nmetadata: {name: talk-bad}\nspec: {resources: {gpu: {quota: much}}}\n"),
        say("queue-unknown-field", "create -f -", stdin="apiVersion: scheduling.run.ai/v2\nkind: Queue\nmetadata: {name: talk-bad}\nspec: {colour: blue}\n"),
        say("model-dry", "apply --server-side --dry-run=server -f -", stdin=manifests.model("talk-host")),
        say("model-create", "apply --server-side --field-manager=sealane -f -", stdin=manifests.model("talk-host")),
        _UP,
        say("model-again", "apply --server-side --field-manager=sealane -f -", stdin=manifests.model("talk-host")),
        say("model-diff", "diff --server-side --field-manager=sealane -f -", stdin=manifests.model("talk-host")),
        say("model-get", f"get deploy,svc,rs {_LABEL}"),
        say("model-pods", f"get pods {_LABEL}"),
        say("model-yaml", "get deploy coder -o yaml"),
        say("model-service-yaml", "get svc coder -o yaml"),
        say("model-owners", "get deploy coder -o yaml --show-managed-fields"),
        say("model-describe", "describe deploy coder"),
        say("model-pod-spec", f"get pods {_LABEL} -o jsonpath='{{.items[0].spec}}'"),
        say("model-pod-meta", f"get pods {_LABEL} -o jsonpath='{{.items[0].metadata.labels}} {{.items[0].metadata.annotations}}'"),
        say("model-pod-containers", f"get pods {_LABEL} -o jsonpath='{{range .items[0].status.containerStatuses[*]}}{{.name}} {{.ready}} {{.started}} {{.restartCount}}{{end}}'"),
        say("model-pod-init", f"get pods {_LABEL} -o jsonpath='{{range .items[0].status.initContainerStatuses[*]}}{{.name}} {{.state.terminated.reason}} {{.state.terminated.exitCode}}{{end}}'"),
        say("podgroup-get", "get podgroups"),
        say("podgroup-spec", "get podgroups -o jsonpath='{.items[0].spec}'"),
        say("podgroup-owner", "get podgroups -o jsonpath='{.items[0].metadata.ownerReferences[0].kind}'"),
        say("logs", "logs deploy/coder -c pull --tail=1"),
        say("logs-default-container", "logs deploy/coder --tail=0"),
        say("logs-no-container", "logs deploy/coder -c nothing"),
        say("logs-previous", "logs deploy/coder -c ollama --previous"),
        say("logs-bad-tail", "logs deploy/coder --tail=-2"),
        say("logs-since", "logs deploy/coder -c pull --since=1s --tail=0"),
        say("logs-follow-ended", "logs -f deploy/coder -c pull --tail=1"),
        say("logs-missing-deployment", "logs deploy/nobody"),
        say("model-label", "label deploy coder sealane.dev/model=other"),
        say("model-scale", "scale deploy coder --replicas=2"),
        _UP,
        say("model-scaled", "get deploy coder"),
        say("model-scale-conflict", "apply --server-side --field-manager=sealane -f -", stdin=manifests.model("talk-host")),
        say("model-scale-forced", "apply --server-side --field-manager=sealane --force-conflicts -f -", stdin=manifests.model("talk-host", copies=1)),
        say("model-restart", "rollout restart deploy coder"),
        _UP,
        say("model-history", "rollout history deploy coder"),
        say("model-wait", "wait deploy/coder --for=condition=Available --timeout=30s"),
        say("strict-comes-first", "create -f - --dry-run=server", stdin=manifests.shared_pod(gpu_fraction="0.5")),
        say("model-delete", "delete deploy coder --cascade=foreground"),
        say("model-gone", f"get all {_LABEL},app.kubernetes.io/managed-by=sealane -o name"),
        say("model-service-delete", "delete svc coder"),
        do("get podgroups", until="No resources"),
        say("podgroup-gone", "get podgroups"),
        say("queue-delete", "delete queue {ns}"),
    ),
)  # fmt: skip
FAILING = Scene(
    name="talk-fail",
    lines=(
        do("apply -f -", stdin=manifests.LONE.replace("lone", "stuck").replace("containers:", "nodeSelector: {nowhere: 'yes'}\n  containers:")),
        say("unschedulable-reason", "get pod stuck -o jsonpath='{.status.phase} {.status.conditions[0].type} {.status.conditions[0].reason} {.status.conditions[0].status}'", until="Unschedulable"),
        say("unschedulable-table", "get pod stuck"),
        say("unschedulable-event", "get events --field-selector involvedObject.name=stuck -o custom-columns=T:.type,R:.reason,C:.source.component,P:.reportingComponent", until="FailedScheduling"),
        say("unschedulable-logs", "logs stuck"),
        do("apply -f -", stdin=manifests.LONE.replace("lone", "late").replace('"nginx:1.27"', '"nginx:no-such-image"')),
        do("get pod late", until="ImagePull"),
        say("no-image-logs", "logs late"),
        say("no-image-phase", "get pod late -o jsonpath='{.status.phase} {.status.containerStatuses[0].ready} {.status.containerStatuses[0].restartCount}'"),
        do("apply -f -", stdin=manifests.CLAIM),
        say("claim-pending", "get pvc data"),
        say("delete-stuck", "delete pod stuck --now"),
        say("delete-forced", "delete pod late --force"),
    ),
)  # fmt: skip
KAI = Scene(
    name="talk-kai",
    leaves=("queue/talk-kai", "queue/talk-kai-root", "queue/talk-kai-lost"),
    lines=(
        do("apply -f -", stdin=manifests.QUEUES),
        say("both-shares", "create -f - --dry-run=server", stdin=manifests.shared_pod(gpu_fraction="0.5")),
        say(
            "fraction-too-big",
            "create -f - --dry-run=server",
            stdin=manifests.shared_pod(gpu_fraction="1.5", alone="yes"),
        ),
        say("fraction-zero", "create -f - --dry-run=server", stdin=manifests.shared_pod(gpu_fraction="0", alone="yes")),
        say(
            "fraction-words",
            "create -f - --dry-run=server",
            stdin=manifests.shared_pod(gpu_fraction="half", alone="yes"),
        ),
        say("memory-words", "create -f - --dry-run=server", stdin=manifests.shared_pod(gpu_memory="lots", alone="yes")),
        say(
            "memory-and-fraction",
            "create -f - --dry-run=server",
            stdin=manifests.shared_pod(gpu_memory="100", gpu_fraction="0.5", alone="yes"),
        ),
        say(
            "part-accepted", "create -f - --dry-run=server", stdin=manifests.shared_pod(gpu_fraction="0.5", alone="yes")
        ),
        say(
            "fraction-in-deployment",
            "create -f - --dry-run=server -o name",
            stdin=manifests.model("talk-kai").replace("0.25", "2"),
        ),
        say(
            "queue-missing-parent",
            "create -f -",
            stdin=manifests.QUEUES.split("---")[1]
            .replace("'{ns}-root'", "'{ns}-none'")
            .replace("name: '{ns}'", "name: '{ns}-lost'"),
        ),
        say("queue-patch", 'patch queue {ns} --type=merge -p \'{"spec":{"resources":{"gpu":{"quota":2}}}}\''),
        say("queue-patch-strategic", "patch queue {ns} -p '{\"spec\":{}}'"),
        say("queue-describe", "describe queue {ns}"),
        say("queue-label", "label queue {ns} team=a"),
        say("queue-status", "get queue {ns} -o jsonpath='{.status}'"),
        say("queue-delete-parent", "delete queue {ns}-root"),
    ),
)
SCENES = (HOSTING, FAILING, KAI)
