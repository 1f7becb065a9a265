# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Limits: LimitRanges that fill in and refuse, quotas with scopes, and what the server says to wrong ones."""

from __future__ import annotations

from talks.script import Scene, do, say

_RANGE = """
apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec:
  limits:
  - type: Container
    default: {cpu: 500m, memory: 256Mi}
    defaultRequest: {cpu: 100m, memory: 128Mi}
    min: {cpu: 50m, memory: 64Mi}
    max: {cpu: "2", memory: 1Gi}
    maxLimitRequestRatio: {cpu: "10"}
  - type: Pod
    max: {cpu: "3"}
  - type: PersistentVolumeClaim
    min: {storage: 1Gi}
    max: {storage: 10Gi}
"""


def _pod(resources: str, name: str = "one") -> str:
    containers = f"[{{name: main, image: 'nginx:1.27', resources: {resources}}}]"
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{terminationGracePeriodSeconds: 1, containers: {containers}}}\n"


def _claim(size: str) -> str:
    return f"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: disk}}\nspec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {size}}}}}}}\n"


def _range(limits: str) -> str:
    return f"apiVersion: v1\nkind: LimitRange\nmetadata: {{name: bad}}\nspec: {{limits: [{limits}]}}\n"


_TWO = """
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  containers:
  - {name: a, image: "nginx:1.27", resources: {limits: {cpu: "2"}, requests: {cpu: "1"}}}
  - {name: b, image: "nginx:1.27", resources: {limits: {cpu: "2"}, requests: {cpu: "1"}}}
"""
RANGES = Scene(
    name="talk-limits",
    lines=(
        say("limits-create", "apply -f -", stdin=_RANGE),
        say("limits-get", "get limits"),
        say("limits-describe", "describe limits sizes", sort=True),
        say("limits-yaml", "get limits sizes -o yaml"),
        do("get limits sizes"),
        say(
            "limits-filled",
            "create -f - -o jsonpath='{.spec.containers[0].resources} {.metadata.annotations}'",
            stdin=_pod("{}", "filled"),
        ),
        say(
            "limits-partly",
            "create -f - -o jsonpath='{.spec.containers[0].resources} {.metadata.annotations}'",
            stdin=_pod("{limits: {cpu: 200m}}", "partly"),
        ),
        say(
            "limits-request",
            "create -f - -o jsonpath='{.spec.containers[0].resources} {.metadata.annotations}'",
            stdin=_pod("{requests: {cpu: 60m}}", "request"),
        ),
        say("limits-too-much", "create -f -", stdin=_pod("{limits: {cpu: 2500m}}")),
        say("limits-too-little", "create -f -", stdin=_pod("{limits: {memory: 32Mi}, requests: {memory: 32Mi}}")),
        say("limits-ratio", "create -f -", stdin=_pod("{limits: {cpu: '2'}, requests: {cpu: 100m}}")),
        say(
            "limits-several",
            "create -f -",
            stdin=_pod("{limits: {cpu: '4'}, requests: {cpu: 100m}}"),
        ),
        say("limits-request-over", "create -f -", stdin=_pod("{requests: {cpu: '1'}}")),
        say("limits-pod-sum", "create -f -", stdin=_TWO),
        say("limits-claim-large", "create -f -", stdin=_claim("20Gi")),
        say("limits-claim-small", "create -f -", stdin=_claim("100Mi")),
        say("limits-claim-fits", "create -f -", stdin=_claim("2Gi")),
        say("limits-bad-default", "create -f -", stdin=_range("{type: Container, max: {cpu: 1}, default: {cpu: 2}}")),
        say("limits-bad-order", "create -f -", stdin=_range("{type: Container, max: {cpu: 1}, min: {cpu: 2}}")),
        say(
            "limits-bad-request",
            "create -f -",
            stdin=_range("{type: Container, default: {cpu: 1}, defaultRequest: {cpu: 2}}"),
        ),
        say("limits-bad-type", "create -f -", stdin=_range("{type: Bottle, max: {cpu: 1}}")),
        say("limits-bad-pod-default", "create -f -", stdin=_range("{type: Pod, default: {cpu: 1}}")),
        say("limits-bad-claim", "create -f -", stdin=_range("{type: PersistentVolumeClaim, default: {storage: 1Gi}}")),
        say("limits-bad-ratio", "create -f -", stdin=_range("{type: Container, maxLimitRequestRatio: {cpu: 500m}}")),
        say(
            "limits-bad-twice",
            "create -f -",
            stdin=_range("{type: Container, max: {cpu: 1}}, {type: Container, max: {cpu: 2}}"),
        ),
        say("limits-bad-name", "create -f -", stdin=_range("{type: Container, max: {gpus: 1}}")),
        say("limits-explain", "explain limits.spec.limits"),
        do("delete pods --all --wait=false"),
    ),
)


def _quota(spec: str) -> str:
    return f"apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: bad}}\nspec: {spec}\n"


SCOPES = Scene(
    name="talk-scopes",
    lines=(
        say("scopes-create", "create quota plain --hard=pods=1 --scopes=BestEffort"),
        do("create quota busy --hard=pods=2,requests.cpu=1 --scopes=NotBestEffort"),
        do("create quota batch --hard=pods=1 --scopes=Terminating"),
        do(
            "create quota objects --hard=count/configmaps=3,secrets=2,services=1,services.nodeports=0,count/cronjobs.batch=0"
        ),
        do("get quota objects -o jsonpath='{.status.used}'", until="count/configmaps"),
        do("get quota plain busy batch -o jsonpath='{.items[*].status.used.pods}'", until="0 0 0"),
        say("scopes-get", "get quota"),
        say("scopes-describe", "describe quota plain"),
        say("scopes-describe-busy", "describe quota busy"),
        do("create -f -", stdin=_pod("{}", "first")),
        do("get quota plain -o jsonpath='{.status.used.pods}'", until="1"),
        say("scopes-best-effort", "create -f -", stdin=_pod("{}", "second")),
        say("scopes-not-best-effort", "create -f -", stdin=_pod("{requests: {cpu: 100m}}", "third")),
        say("scopes-too-much-cpu", "create -f -", stdin=_pod("{requests: {cpu: '1'}}", "fourth")),
        say("scopes-missing-cpu", "create -f -", stdin=_pod("{requests: {memory: 1Mi}}", "fifth")),
        do("get quota busy -o jsonpath='{.status.used}'", until='"pods":"1"'),
        say("scopes-used", "get quota busy -o jsonpath='{.status}'"),
        say("scopes-configmaps", "create configmap a"),
        do("create configmap b"),
        do("get quota objects -o jsonpath='{.status.used}'", until='configmaps":"3"'),
        say("scopes-configmaps-over", "create configmap c"),
        say("scopes-nodeport", "create service nodeport open --tcp=80"),
        say("scopes-service", "create service clusterip shut --tcp=80"),
        say("scopes-cronjob", "create cronjob tick --image=nginx:1.27 --schedule='* * * * *'"),
        say("scopes-bad-scope", "create -f -", stdin=_quota("{hard: {pods: 1}, scopes: [Odd]}")),
        say("scopes-bad-both", "create -f -", stdin=_quota("{hard: {pods: 1}, scopes: [BestEffort, NotBestEffort]}")),
        say("scopes-bad-mix", "create -f -", stdin=_quota("{hard: {requests.cpu: 1}, scopes: [BestEffort]}")),
        say("scopes-bad-resource", "create -f -", stdin=_quota("{hard: {bottles: 1}}")),
        say("scopes-bad-count", "create -f -", stdin=_quota("{hard: {pods: 1500m}}")),
        say("scopes-bad-negative", "create -f -", stdin=_quota("{hard: {pods: -1}}")),
        say("scopes-immutable", 'patch quota plain -p \'{"spec":{"scopes":["Terminating"]}}\''),
        say(
            "scopes-selector",
            "create -f -",
            stdin=_quota(
                "{hard: {pods: 1}, scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In}]}}"
            ),
        ),
        do("delete pods --all --wait=false"),
    ),
)
SCENES = (RANGES, SCOPES)
