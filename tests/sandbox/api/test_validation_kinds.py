# ruff: noqa: E501 - a case reads in one line
"""What is refused of budgets, limits, quotas, timed work, autoscalers, roles and networks: the server's sentences."""

from __future__ import annotations

from typing import Any

import pytest

Obj = dict[str, Any]
POD: Obj = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
PATHS = {
    "budget": "/apis/policy/v1/namespaces/team/poddisruptionbudgets",
    "limits": "/api/v1/namespaces/team/limitranges",
    "quota": "/api/v1/namespaces/team/resourcequotas",
    "cron": "/apis/batch/v1/namespaces/team/cronjobs",
    "job": "/apis/batch/v1/namespaces/team/jobs",
    "hpa": "/apis/autoscaling/v2/namespaces/team/horizontalpodautoscalers",
    "ingress": "/apis/networking.k8s.io/v1/namespaces/team/ingresses",
    "policy": "/apis/networking.k8s.io/v1/namespaces/team/networkpolicies",
    "set": "/apis/apps/v1/namespaces/team/statefulsets",
    "daemon": "/apis/apps/v1/namespaces/team/daemonsets",
}


def cron(**spec: Any) -> Obj:
    return {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": POD}}} | spec


def cpu(**target: Any) -> Obj:
    return {"scaleTargetRef": TARGET, "maxReplicas": 3, "metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"} | target}}
    ]}  # fmt: skip


def route(**path: Any) -> Obj:
    return {
        "rules": [
            {"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND} | path]}}
        ]
    }


def ports(*given: Obj) -> Obj:
    return {"podSelector": {}, "ingress": [{"ports": list(given)}]}


def peers(*given: Obj) -> Obj:
    return {"podSelector": {}, "ingress": [{"from": list(given)}]}


CASES: list[tuple[str, Obj, str]] = [
    ("budget", {"minAvailable": -1}, "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"),
    ("budget", {"maxUnavailable": "120%"}, 'spec.maxUnavailable: Invalid value: "120%": must not be greater than 100%'),
    ("budget", {"minAvailable": 1, "maxUnavailable": 1}, "minAvailable and maxUnavailable cannot be both set"),
    ("limits", {"limits": [{"type": "Bottle"}]}, "must be a standard limit type or fully qualified"),
    ("limits", {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}, "min value 2 is greater than max value 1"),
    ("limits", {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]}, "may not be specified when `type` is 'Pod'"),
    ("quota", {"hard": {"bottles": "1"}}, "must be a standard resource for quota"),
    ("quota", {"hard": {"pods": "1500m"}}, 'spec.hard[pods]: Invalid value: "1500m": must be an integer'),
    ("quota", {"hard": {"requests.cpu": "1"}, "scopes": ["BestEffort"]}, "unsupported scope applied to resource"),
    ("quota", {"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}, "conflicting scopes"),
    ("cron", cron(schedule="0 3 1"), "expected exactly 5 fields, found 3: [0 3 1]"),
    ("cron", cron(timeZone="Mars/Olympus"), "unknown time zone Mars/Olympus"),
    ("cron", cron(schedule="TZ=UTC 0 3 * * *"), "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
    ("cron", cron(concurrencyPolicy="Odd"), 'supported values: "Allow", "Forbid", "Replace"'),
    ("cron", cron(failedJobsHistoryLimit=-1), "spec.failedJobsHistoryLimit: Invalid value: -1"),
    ("job", {"template": POD, "backoffLimit": -1}, "spec.backoffLimit: Invalid value: -1"),
    ("job", {"template": POD, "completionMode": "Odd"}, 'supported values: "NonIndexed", "Indexed"'),
    ("hpa", {"scaleTargetRef": TARGET, "maxReplicas": 1, "minReplicas": 2}, "must be greater than or equal to `minReplicas`"),
    ("hpa", {"maxReplicas": 1}, "spec.scaleTargetRef.kind: Required value"),
    ("hpa", cpu(), "must set either a target raw value or a target utilization"),
    ("hpa", cpu(averageUtilization=0), "averageUtilization: Invalid value: 0: must be greater than 0"),
    ("hpa", cpu(averageUtilization=5, averageValue="1"), "may not set both a target raw value and a target utilization"),
    ("hpa", cpu(type="Wide", averageUtilization=5), "must be either Utilization, Value, or AverageValue"),
    ("hpa", cpu(averageUtilization=5) | {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 4000}}}, "must be less than or equal to 3600"),
    ("ingress", {}, "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"),
    ("ingress", route(path="x"), 'path: Invalid value: "x": must be an absolute path'),
    ("ingress", route(pathType=""), "pathType: Required value: pathType must be specified"),
    ("ingress", route(backend={"service": {"name": "web"}}), "port name or number is required"),
    ("policy", {"podSelector": {}, "policyTypes": ["Odd"]}, 'supported values: "Ingress", "Egress"'),
    ("policy", ports({"port": 70000}), "spec.ingress[0].ports[0].port: Invalid value: 70000"),
    ("policy", ports({"port": 80, "endPort": 70}), "must be greater than or equal to `port`"),
    ("policy", peers({}), "spec.ingress[0].from[0]: Required value: must specify a peer"),
    ("policy", peers({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8"]}}), "must be a strict subset of `cidr`"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "said"), CASES)
async def test_a_mistake_is_refused_in_the_servers_words(api: Any, kind: str, spec: Obj, said: str) -> None:
    answer = await api.call("POST", PATHS[kind], {"metadata": {"name": "bad"}, "spec": spec})
    assert answer.status == 422, answer.json
    assert said in answer.json["message"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("budget", {"maxUnavailable": "50%", "selector": {"matchLabels": {"a": "b"}}}),
        ("limits", {"limits": [{"type": "Container", "max": {"cpu": "1", "nvidia.com/gpu": "1"}}]}),
        ("quota", {"hard": {"requests.nvidia.com/gpu": "1", "count/widgets.x.example": "2"}}),
        ("cron", cron(timeZone="Europe/Berlin", schedule="@daily")),
        ("job", {"template": POD, "completionMode": "Indexed", "completions": 2}),
        ("hpa", cpu(averageUtilization=50)),
        ("ingress", route()),
        ("policy", peers({"podSelector": {}, "namespaceSelector": {}})),
    ],
)
async def test_what_is_right_is_stored(api: Any, kind: str, spec: Obj) -> None:
    answer = await api.call("POST", PATHS[kind], {"metadata": {"name": "good"}, "spec": spec})
    assert answer.status == 201, answer.json


async def test_a_stateful_set_keeps_what_its_pods_are_named_after(api: Any) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "serviceName": "db"}
    made = (await api.call("POST", PATHS["set"], {"metadata": {"name": "db"}, "spec": spec})).json
    changed = made | {"spec": made["spec"] | {"serviceName": "other"}}
    refused = await api.call("PUT", f"{PATHS['set']}/db", changed)
    assert refused.status == 422
    assert "updates to statefulset spec for fields other than 'replicas'" in refused.json["message"]
    grown = made | {"spec": made["spec"] | {"replicas": 3}}
    assert (await api.call("PUT", f"{PATHS['set']}/db", grown)).status == 200
