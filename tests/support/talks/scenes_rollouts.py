# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Rollouts: scale, status, history, undo, restart, pause, and one that cannot succeed."""

from __future__ import annotations

from talks import manifests
from talks.script import Scene, do, say

_SETTLED = do("rollout status deployment/web --timeout=50s")
ROLLOUT = Scene(
    name="talk-rollout",
    lines=(
        do("apply -f -", stdin=manifests.WEB),
        _SETTLED,
        say("scale", "scale deployment web --replicas=3"),
        _SETTLED,
        say("scale-read", "get deployment web"),
        say("scale-conditional", "scale deployment web --replicas=1 --current-replicas=9"),
        say("scale-missing", "scale deployment nobody --replicas=1"),
        say("scale-negative", "scale deployment web --replicas=-1"),
        say("rollout-status", "rollout status deployment/web"),
        say("rollout-history", "rollout history deployment/web"),
        do("set image deployment/web web=nginx:1.28"),
        do("annotate deployment/web kubernetes.io/change-cause='newer image'"),
        _SETTLED,
        say("rollout-history-two", "rollout history deployment/web"),
        say("rollout-history-revision", "rollout history deployment/web --revision=2"),
        say("rollout-history-missing", "rollout history deployment/web --revision=9"),
        say("rollout-replicasets", "get rs -o custom-columns=R:.metadata.annotations.deployment\\\\.kubernetes\\\\.io/revision,D:.spec.replicas --no-headers", sort=True),
        say("rollout-undo", "rollout undo deployment/web"),
        _SETTLED,
        say("rollout-undo-read", "get deploy web -o jsonpath='{.spec.template.spec.containers[0].image} {.metadata.annotations.deployment\\.kubernetes\\.io/revision}'"),
        say("rollout-undo-to", "rollout undo deployment/web --to-revision=2"),
        say("rollout-undo-missing", "rollout undo deployment/web --to-revision=77"),
        _SETTLED,
        say("rollout-restart", "rollout restart deployment/web"),
        _SETTLED,
        say("rollout-restart-read", "get deploy web -o jsonpath='{.spec.template.metadata.annotations}'"),
        say("rollout-pause", "rollout pause deployment/web"),
        say("rollout-pause-again", "rollout pause deployment/web"),
        say("rollout-restart-paused", "rollout restart deployment/web"),
        say("rollout-resume", "rollout resume deployment/web"),
        _SETTLED,
        say("rollout-conditions", "get deploy web -o jsonpath='{range .status.conditions[*]}{.type} {.status} {.reason} {.message}{\"\\n\"}{end}'", sort=True),
        say("rollout-status-missing", "rollout status deployment/nobody"),
        say("scale-zero", "scale deployment web --replicas=0"),
        do("get pods -l app=web", until="No resources"),
        say("scale-zero-read", "get deployment web -o wide", until=r"0/0 +0 +0"),
        say("scale-zero-pods", "get pods -l app=web"),
        say("scale-zero-endpoints", "get endpoints web", until="<none>"),
        say("autoscale", "autoscale deployment web --min=1 --max=3 --cpu-percent=50"),
    ),
)  # fmt: skip
SCENES = (ROLLOUT,)
