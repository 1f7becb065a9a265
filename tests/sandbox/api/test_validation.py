"""Mistakes in manifests are refused with the field, the value and the server's reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.sandbox.api.values import clone

BASE: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {}},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v"}]},
        },
    },
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/team/deployments"
IN = "spec.template.spec"


def container(**fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(obj: dict[str, Any]) -> None:
        obj["spec"]["template"]["spec"]["containers"][0].update(fields)

    return change


def spec(**fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(obj: dict[str, Any]) -> None:
        obj["spec"].update(fields)

    return change


def pod(**fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(obj: dict[str, Any]) -> None:
        obj["spec"]["template"]["spec"].update(fields)

    return change


def meta(**fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(obj: dict[str, Any]) -> None:
        obj["metadata"].update(fields)

    return change


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (meta(name="Bad_Name"), "metadata.name", 'Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must'),
        (meta(name="x" * 254), "metadata.name", "must be no more than 253 characters"),
        (meta(labels={"a b": "x"}), "metadata.labels", "name part must consist of alphanumeric characters"),
        (meta(labels={"a": "-x"}), "metadata.labels", "a valid label must be an empty string or consist of"),
        (meta(labels={"a": "x" * 64}), "metadata.labels", "must be no more than 63 characters"),
        (spec(replicas=-1), "spec.replicas", "must be greater than or equal to 0"),
        (spec(selector=None), "spec.selector", "Required value"),
        (spec(selector={}), "spec.selector", "empty selector is invalid for deployment"),
        (
            spec(selector={"matchLabels": {"app": "x"}}),
            "spec.template.metadata.labels",
            'Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ),
        (
            spec(strategy={"type": "Now"}),
            "spec.strategy",
            'Unsupported value: {"Type":"Now","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
        ),
        (
            spec(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "spec.strategy.rollingUpdate",
            "Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (pod(containers=[]), f"{IN}.containers", "Required value"),
        (
            pod(restartPolicy="Never"),
            f"{IN}.restartPolicy",
            'Unsupported value: "Never": supported values: "Always"',
        ),
        (pod(volumes=[{"name": "v"}, {"name": "v"}]), f"{IN}.volumes[1].name", 'Duplicate value: "v"'),
        (
            pod(volumes=[{"name": "v", "emptyDir": {}, "secret": {}}]),
            f"{IN}.volumes[0].secret",
            "may not specify more than 1 volume type",
        ),
        (container(name="C!"), f"{IN}.containers[0].name", "a lowercase RFC 1123 label must consist of"),
        (container(image=""), f"{IN}.containers[0].image", "Required value"),
        (
            container(imagePullPolicy="Sometimes"),
            f"{IN}.containers[0].imagePullPolicy",
            'Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
        ),
        (
            container(ports=[{"containerPort": 70000}]),
            f"{IN}.containers[0].ports[0].containerPort",
            "must be between 1 and 65535, inclusive",
        ),
        (
            container(volumeMounts=[{"name": "w", "mountPath": "/w"}]),
            f"{IN}.containers[0].volumeMounts[0].name",
            'Not found: "w"',
        ),
        (
            container(volumeMounts=[{"name": "v", "mountPath": "/v"}] * 2),
            f"{IN}.containers[0].volumeMounts[1].mountPath",
            "must be unique",
        ),
        (
            container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            f"{IN}.containers[0].resources.requests",
            'Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            container(resources={"limits": {"nvidia.com/gpu": "500m"}}),
            f"{IN}.containers[0].resources.limits[nvidia.com/gpu]",
            "must be an integer",
        ),
        (
            container(resources={"requests": {"nvidia.com/gpu": 1}}),
            f"{IN}.containers[0].resources.limits",
            "Limit must be set for non overcommitable resources",
        ),
        (
            container(resources={"limits": {"gpu": 1}}),
            f"{IN}.containers[0].resources.limits[gpu]",
            "must be a standard resource for containers",
        ),
    ],
)
async def test_a_mistake_in_a_deployment(
    api: Any, change: Callable[[dict[str, Any]], None], field: str, said: str
) -> None:
    obj = clone(BASE)
    change(obj)
    answer = await api.call("POST", DEPLOYMENTS, obj)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    causes = {cause["field"]: cause["message"] for cause in answer.json["details"]["causes"]}
    assert said in causes[field]
    assert answer.json["message"].startswith(f'Deployment.apps "{obj["metadata"]["name"]}" is invalid: ')


async def test_several_mistakes_are_told_at_once(api: Any) -> None:
    obj = clone(BASE)
    container(image="", ports=[{"containerPort": 0}])(obj)
    answer = await api.call("POST", DEPLOYMENTS, obj)
    assert len(answer.json["details"]["causes"]) == 2
    assert "is invalid: [" in answer.json["message"]


async def test_a_quantity_that_is_none_is_a_bad_request(api: Any) -> None:
    obj = clone(BASE)
    container(resources={"limits": {"memory": "8GB"}})(obj)
    answer = await api.call("POST", DEPLOYMENTS, obj)
    assert answer.status == 400
    assert "quantities must match the regular expression" in answer.json["message"]


async def test_the_selector_cannot_be_changed(api: Any) -> None:
    made = (await api.call("POST", DEPLOYMENTS, BASE)).json
    made["spec"]["selector"]["matchLabels"]["tier"] = "x"
    made["spec"]["template"]["metadata"]["labels"]["tier"] = "x"
    answer = await api.call("PUT", f"{DEPLOYMENTS}/web", made)
    assert "field is immutable" in answer.json["message"]


async def test_a_pods_containers_cannot_be_changed_but_its_image_can(api: Any) -> None:
    path = "/api/v1/namespaces/team/pods"
    made = (
        await api.call("POST", path, {"metadata": {"name": "p"}, "spec": clone(BASE)["spec"]["template"]["spec"]})
    ).json
    made["spec"]["containers"][0]["image"] = "i:2"
    made = (await api.call("PUT", f"{path}/p", made)).json
    made["spec"]["containers"][0]["args"] = ["x"]
    answer = await api.call("PUT", f"{path}/p", made)
    assert answer.status == 422
    assert "Forbidden: pod updates may not change fields other than" in answer.json["message"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("services", {"metadata": {"name": "1a"}, "spec": {"ports": [{"port": 80}]}}, "a DNS-1035 label must consist"),
        ("services", {"metadata": {"name": "a"}, "spec": {}}, "spec.ports: Required value"),
        ("services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 0}]}}, "must be between 1 and 65535"),
        (
            "services",
            {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}, {"port": 2}]}},
            "spec.ports[0].name: Required value",
        ),
        ("persistentvolumeclaims", {"metadata": {"name": "a"}, "spec": {}}, "at least 1 access mode is required"),
        (
            "persistentvolumeclaims",
            {"metadata": {"name": "a"}, "spec": {"accessModes": ["Now"], "resources": {"requests": {"storage": "0"}}}},
            'Invalid value: "0": must be greater than zero',
        ),
        ("configmaps", {"metadata": {"name": "a"}, "data": {"a b": "x"}}, "a valid config key must consist of"),
    ],
)
async def test_mistakes_in_other_kinds(api: Any, path: str, body: dict[str, Any], said: str) -> None:
    answer = await api.call("POST", f"/api/v1/namespaces/team/{path}", body)
    assert answer.status == 422
    assert said in answer.json["message"]


async def test_an_image_with_blanks_is_refused_in_a_pod(api: Any) -> None:
    spec = {"containers": [{"name": "c", "image": " i"}]}
    answer = await api.call("POST", "/api/v1/namespaces/team/pods", {"metadata": {"name": "p"}, "spec": spec})
    assert "must not have leading or trailing whitespace" in answer.json["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (container(ports="x"), "Container.spec.template.spec.containers.ports of type []v1.ContainerPort"),
        (spec(replicas="three"), "DeploymentSpec.spec.replicas of type int32"),
        (meta(labels={"a": 1}), "ObjectMeta.metadata.labels of type string"),
        (spec(paused="yes"), "DeploymentSpec.spec.paused of type bool"),
        (spec(template=[]), "DeploymentSpec.spec.template of type v1.PodTemplateSpec"),
    ],
)
async def test_a_value_of_the_wrong_type_is_named_as_go_names_it(
    api: Any, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    obj = clone(BASE)
    change(obj)
    answer = await api.call("POST", DEPLOYMENTS, obj)
    assert answer.status == 400
    assert answer.json["message"].startswith(
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot'
    )
    assert answer.json["message"].endswith(said)


async def test_a_patch_to_a_wrong_type_shows_the_object_that_it_would_make(api: Any) -> None:
    await api.call("POST", DEPLOYMENTS, BASE)
    patch = {"spec": {"replicas": "x"}}
    answer = await api.call("PATCH", f"{DEPLOYMENTS}/web", patch, content_type="application/merge-patch+json")
    assert answer.status == 422
    assert answer.json["message"].startswith(' "" is invalid: patch: Invalid value: "{')
    assert answer.json["message"].endswith(
        "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    )


async def test_a_secrets_data_must_be_base64(api: Any) -> None:
    body = {"metadata": {"name": "s"}, "data": {"k": "%%%"}}
    answer = await api.call("POST", "/api/v1/namespaces/team/secrets", body)
    assert (answer.status, answer.json["message"]) == (
        400,
        'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0',
    )


async def test_a_role_may_have_a_colon_in_its_name(api: Any) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert (await api.call("POST", path, {"metadata": {"name": "sealane:view"}, "rules": []})).status == 201


DEPLOYMENTS_PATH = "/apis/apps/v1/namespaces/default/deployments"


async def test_a_deployment_without_selector_hears_of_its_template_too(api: Any) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    answer = await api.call("POST", DEPLOYMENTS_PATH, {"metadata": {"name": "web"}, "spec": {"template": template}})
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == [
        "spec.selector",
        "spec.template.metadata.labels",
    ]


async def test_a_deployment_without_template_is_told_what_an_empty_one_lacks(api: Any) -> None:
    body = {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"a": "b"}}}}
    answer = await api.call("POST", DEPLOYMENTS_PATH, body)
    assert answer.json["message"] == (
        'Deployment.apps "web" is invalid: [spec.template.metadata.labels: Invalid value: null: `selector` does not '
        "match template `labels`, spec.template.spec.containers: Required value]"
    )


async def test_names_of_variables_and_probes_without_a_handler_are_refused(api: Any) -> None:
    container = {"name": "c", "image": "i", "env": [{"name": "a=b"}], "readinessProbe": {"periodSeconds": 5}}
    body = {"metadata": {"name": "one"}, "spec": {"containers": [container]}}
    answer = await api.call("POST", "/api/v1/namespaces/default/pods", body)
    causes = {cause["field"]: cause["message"] for cause in answer.json["details"]["causes"]}
    assert "printable ASCII characters other than '='" in causes["spec.containers[0].env[0].name"]
    assert causes["spec.containers[0].readinessProbe"] == "Required value: must specify a handler type"


async def test_a_pod_is_bound_once(api: Any) -> None:
    place = "/api/v1/namespaces/default/pods"
    pod = {"metadata": {"name": "one"}, "spec": {"nodeName": "a", "containers": [{"name": "c", "image": "i"}]}}
    await api.call("POST", place, pod)
    merge = "application/merge-patch+json"
    moved = await api.call("PATCH", f"{place}/one", {"spec": {"nodeName": "b"}}, content_type=merge)
    assert moved.status == 422
    assert "pod updates may not change fields other than" in moved.json["message"]
