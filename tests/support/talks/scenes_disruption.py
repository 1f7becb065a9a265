"""Disruption: budgets, evictions that they refuse, and what the server says to budgets that make no sense."""

from __future__ import annotations

from talks.script import Scene, do, say

_PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "nginx:1.27"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: held, labels: {app: held}}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "nginx:1.27"}]}
"""
_EVICT = '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"NAME","namespace":"{ns}"}}'


def _budget(spec: str, name: str = "bad") -> str:
    return f"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def _evict(name: str) -> tuple[str, str]:
    path = f"/api/v1/namespaces/{{ns}}/pods/{name}/eviction"
    return f"create --raw '{path}' -f -", _EVICT.replace("NAME", name)


_HELD, _BODY = _evict("held")
_NOBODY, _NO_BODY = _evict("nobody")
BUDGETS = Scene(
    name="talk-budget",
    lines=(
        do("apply -f -", stdin=_PODS),
        do("wait --for=condition=Available deployment/web --timeout=50s"),
        do("wait --for=condition=Ready pod/held --timeout=50s"),
        say("pdb-create", "create pdb web --selector=app=web --min-available=1"),
        say("pdb-create-percent", "create pdb half --selector=app=nobody --min-available=50%"),
        say("pdb-create-max", "create pdb most --selector=app=nothing --max-unavailable=1"),
        say("pdb-create-both", "create pdb both --selector=app=web --min-available=1 --max-unavailable=1"),
        do("get pdb web -o jsonpath='{.status.currentHealthy}'", until="2"),
        do("get pdb half -o jsonpath='{.status.conditions[0].status}'", until="False"),
        say("pdb-get", "get pdb"),
        say("pdb-describe", "describe pdb web"),
        say("pdb-describe-nobody", "describe pdb half"),
        say("pdb-status", "get pdb web -o jsonpath='{.status}'"),
        say("pdb-yaml", "get pdb web -o yaml"),
        do("create pdb held --selector=app=held --min-available=1"),
        do("get pdb held -o jsonpath='{.status.currentHealthy}'", until="1"),
        say("pdb-held-status", "get pdb held -o jsonpath='{.status.disruptionsAllowed} {.status.conditions}'"),
        say("evict-refused", _HELD, stdin=_BODY),
        say("evict-nobody", _NOBODY, stdin=_NO_BODY),
        do("create pdb again --selector=app=held --min-available=1"),
        say("evict-two-budgets", _HELD, stdin=_BODY),
        do("delete pdb again held"),
        say("evict-dry-run", _HELD.replace("eviction", "eviction?dryRun=All"), stdin=_BODY),
        say("evict-allowed", _HELD, stdin=_BODY),
        do("get pod held", until="NotFound"),
        say("pdb-immutable-ok", 'patch pdb web -p \'{"spec":{"minAvailable":2}}\''),
        do("get pdb web -o jsonpath='{.status.disruptionsAllowed}:{.status.desiredHealthy}'", until="0:2"),
        say("pdb-get-tight", "get pdb web -o wide"),
        say(
            "pdb-bad-both",
            "create -f -",
            stdin=_budget("{minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {a: b}}}"),
        ),
        say("pdb-bad-negative", "create -f -", stdin=_budget("{minAvailable: -1, selector: {matchLabels: {a: b}}}")),
        say("pdb-bad-percent", "create -f -", stdin=_budget("{maxUnavailable: 120%, selector: {matchLabels: {a: b}}}")),
        say("pdb-bad-word", "create -f -", stdin=_budget("{maxUnavailable: some, selector: {matchLabels: {a: b}}}")),
        say(
            "pdb-bad-selector",
            "create -f -",
            stdin=_budget("{maxUnavailable: 1, selector: {matchExpressions: [{key: a, operator: Near}]}}"),
        ),
        say(
            "pdb-bad-policy",
            "create -f -",
            stdin=_budget("{maxUnavailable: 1, unhealthyPodEvictionPolicy: Maybe, selector: {matchLabels: {a: b}}}"),
        ),
        say("pdb-empty-selector", "create -f -", stdin=_budget("{maxUnavailable: 1, selector: {}}", "all")),
        say("pdb-explain", "explain pdb.spec"),
    ),
)
SCENES = (BUDGETS,)
