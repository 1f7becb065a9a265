"""Warnings beside an answer: deprecated kinds, things that are there twice, and only when something changed."""

from __future__ import annotations

from typing import Any

from sealane.sandbox.api import kinds, notices

Obj = dict[str, Any]
SERVED = "/apis/apps/v1/namespaces/default/deployments"


def deployment(**container: Any) -> Obj:
    spec = {
        "initContainers": [{"name": "first", "image": "a", "ports": [{"containerPort": 80}]}],
        "containers": [{"name": "main", "image": "a", **container}],
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}


TWICE = (
    "spec.template.spec.containers[0].ports[0]: "
    "duplicate port definition with spec.template.spec.initContainers[0].ports[0]"
)


async def test_a_port_that_is_there_twice_is_said_to_who_writes_it(api: Any) -> None:
    answer = await api.call("POST", SERVED, deployment(ports=[{"containerPort": 80}]))
    assert answer.status == 201
    assert answer.warnings == [f'299 - "{TWICE}"']


async def test_it_is_said_again_when_the_spec_changes_and_not_for_a_label(api: Any) -> None:
    await api.call("POST", SERVED, deployment(ports=[{"containerPort": 80}]))
    merge = "application/merge-patch+json"
    labelled = await api.call("PATCH", f"{SERVED}/web", {"metadata": {"labels": {"a": "b"}}}, content_type=merge)
    assert labelled.warnings == []
    scaled = await api.call("PATCH", f"{SERVED}/web/scale", {"spec": {"replicas": 2}}, content_type=merge)
    assert scaled.json["spec"]["replicas"] == 2
    assert scaled.warnings == [f'299 - "{TWICE}"']


async def test_endpoints_are_deprecated(api: Any) -> None:
    answer = await api.call("GET", "/api/v1/namespaces/default/endpoints")
    (said,) = answer.warnings
    assert "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice" in said


def test_a_variable_that_hides_another_is_named() -> None:
    pod = {
        "metadata": {},
        "spec": {"containers": [{"name": "a", "env": [{"name": "A"}, {"name": "B"}, {"name": "A"}]}]},
    }
    (said,) = notices.of_write(kinds.PODS, pod, None)
    assert said.startswith('spec.containers[0].env[2]: hides previous definition of "A"')


def test_nothing_is_said_of_other_kinds() -> None:
    assert notices.of_write(kinds.CONFIGMAPS, {"metadata": {}, "data": {"a": "b"}}, None) == []
