# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Autoscaling: HorizontalPodAutoscalers by hand and by file, in both versions, and what is wrong with some.

What the controller measures is not here: the rig has no metrics server.
"""

from __future__ import annotations

from talks.script import Scene, do, say

_WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "nginx:1.27", resources: {requests: {cpu: 100m}}}]}
"""


def _hpa(spec: str, *, name: str = "bad", version: str = "v2") -> str:
    target = "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}"
    return f"apiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}}}\nspec: {{{target}, {spec}}}\n"


def _metric(text: str) -> str:
    return _hpa(f"maxReplicas: 3, metrics: [{text}]")


_CPU = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}"
AUTOSCALING = Scene(
    name="talk-hpa",
    lines=(
        do("apply -f -", stdin=_WEB),
        say("hpa-autoscale", "autoscale deployment web --min=1 --max=4 --cpu=70%"),
        say("hpa-autoscale-again", "autoscale deployment web --min=1 --max=4 --cpu=70%"),
        say("hpa-autoscale-missing", "autoscale deployment nobody --max=4"),
        say("hpa-autoscale-bad", "autoscale deployment web --name=other --min=5 --max=4"),
        say("hpa-spec", "get hpa web -o jsonpath='{.spec}'"),
        say("hpa-v1-spec", "get hpa.v1.autoscaling web -o jsonpath='{.apiVersion} {.spec}'"),
        say("hpa-file", "create -f -", stdin=_hpa(f"maxReplicas: 3, metrics: [{_CPU}]", name="file")),
        say(
            "hpa-v1-file",
            "create -f -",
            stdin=_hpa("minReplicas: 2, maxReplicas: 5, targetCPUUtilizationPercentage: 50", name="old", version="v1"),
        ),
        say("hpa-v1-as-v2", "get hpa old -o jsonpath='{.spec.metrics} {.spec.minReplicas}'"),
        say(
            "hpa-behaviour",
            "create -f - -o jsonpath='{.spec.behavior}'",
            stdin=_hpa(
                f"maxReplicas: 3, metrics: [{_CPU}], behavior: {{scaleDown: {{stabilizationWindowSeconds: 10}}}}",
                name="calm",
            ),
        ),
        say("hpa-defaults", "create -f - -o jsonpath='{.spec}'", stdin=_hpa("maxReplicas: 3", name="plain")),
        say("hpa-bad-max", "create -f -", stdin=_hpa("minReplicas: 4, maxReplicas: 3")),
        say("hpa-bad-zero", "create -f -", stdin=_hpa("maxReplicas: 0")),
        say("hpa-bad-min", "create -f -", stdin=_hpa("minReplicas: 0, maxReplicas: 3")),
        say("hpa-bad-type", "create -f -", stdin=_metric("{type: Odd}")),
        say("hpa-bad-empty", "create -f -", stdin=_metric("{type: Resource}")),
        say(
            "hpa-bad-none",
            "create -f -",
            stdin=_metric("{type: Resource, resource: {name: cpu, target: {type: Utilization}}}"),
        ),
        say(
            "hpa-bad-both",
            "create -f -",
            stdin=_metric(
                "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 5, averageValue: 1}}}"
            ),
        ),
        say(
            "hpa-bad-percent",
            "create -f -",
            stdin=_metric(
                "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 0}}}"
            ),
        ),
        say(
            "hpa-bad-target",
            "create -f -",
            stdin=_metric("{type: Resource, resource: {name: cpu, target: {type: Wide, averageUtilization: 5}}}"),
        ),
        say(
            "hpa-bad-window",
            "create -f -",
            stdin=_hpa("maxReplicas: 3, behavior: {scaleDown: {stabilizationWindowSeconds: 4000}}"),
        ),
        say(
            "hpa-no-target",
            "create -f -",
            stdin="apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: bad}\nspec: {maxReplicas: 3}\n",
        ),
        say("hpa-explain", "explain hpa.spec"),
        say("hpa-explain-metric", "explain hpa.spec.metrics.resource.target"),
        say("hpa-resources", "api-resources --api-group=autoscaling"),
        say("hpa-delete", "delete hpa web"),
    ),
)
SCENES = (AUTOSCALING,)
