"""Writes over HTTP: what is stored, what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.sandbox.api import admission

DEPLOYMENTS = "/apis/apps/v1/namespaces/team/deployments"
CONFIGMAPS = "/api/v1/namespaces/team/configmaps"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "web", "image": "nginx:1.27"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template} | spec,
    }


def config(name: str = "c", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_creating_answers_201_with_defaults_filled_in(api: Any) -> None:
    answer = await api.call("POST", DEPLOYMENTS, deployment())
    assert answer.status == 201
    spec = answer.json["spec"]
    assert (spec["replicas"], spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"]) == (1, 600, 10)
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["containers"][0]["imagePullPolicy"]) == ("Always", "IfNotPresent")


async def test_a_client_cannot_create_a_status(api: Any) -> None:
    answer = await api.call("POST", DEPLOYMENTS, deployment() | {"status": {"replicas": 9}})
    assert answer.json["status"] == {}


async def test_quantities_are_stored_in_canonical_form(api: Any) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1000m", "memory": "1024Mi"}}
    made = (await api.call("POST", DEPLOYMENTS, body)).json
    resources = made["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "1", "memory": "1Gi"}}
    spec = body["spec"]["template"]["spec"]
    pod = (await api.call("POST", "/api/v1/namespaces/team/pods", {"metadata": {"name": "p"}, "spec": spec})).json
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


async def test_yaml_bodies_are_read(api: Any) -> None:
    body = (
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y, creationTimestamp: null}\ndata: {when: '2026-01-01'}\n"
    )
    answer = await api.call("POST", CONFIGMAPS, body, content_type="application/yaml")
    assert answer.status == 201
    assert answer.json["data"] == {"when": "2026-01-01"}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "said"),
    [
        (b"{", "application/json", 400, "unrecognized"),
        (b"[]", "application/json", 400, "an object is expected"),
        (b"x", "application/cbor", 415, "application/json, application/yaml"),
        (b": :\n- ", "application/yaml", 400, "error converting YAML to JSON"),
        (
            b'{"kind": "Secret", "apiVersion": "v1"}',
            "application/json",
            400,
            "converting (v1.Secret) to (core.ConfigMap)",
        ),
        (
            b'{"metadata": {"name": "a", "namespace": "default"}}',
            "application/json",
            400,
            "namespace of the provided object",
        ),
        (b'{"data": {}}', "application/json", 422, "name or generateName is required"),
        (b'{"metadata": {"name": "a"}, "data": {"a": 1}}', "application/json", 400, "cannot unmarshal number into Go"),
        (
            b'{"metadata": {"name": "a", "resourceVersion": "1"}}',
            "application/json",
            500,
            "resourceVersion should not be set",
        ),
    ],
)
async def test_bodies_that_cannot_be_stored(api: Any, body: bytes, content_type: str, status: int, said: str) -> None:
    answer = await api.call("POST", CONFIGMAPS, body, content_type=content_type)
    assert answer.status == status
    assert said in answer.json["message"]
    assert answer.json["kind"] == "Status"


async def test_a_body_that_is_too_large_is_refused(api: Any) -> None:
    answer = await api.call("POST", CONFIGMAPS, b"x" * (3 * 1024 * 1024 + 1))
    assert (answer.status, answer.json["reason"]) == (413, "RequestEntityTooLarge")


async def test_unknown_fields_warn_by_default_and_are_dropped(api: Any) -> None:
    body = deployment(replicaz=3)
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    answer = await api.call("POST", DEPLOYMENTS, body)
    assert answer.status == 201
    assert answer.warnings == [
        '299 - "unknown field \\"spec.template.spec.containers[0].imagee\\""',
        '299 - "unknown field \\"spec.replicaz\\""',
    ]
    assert "replicaz" not in answer.json["spec"]


async def test_unknown_fields_are_refused_when_asked_to_be_strict(api: Any) -> None:
    answer = await api.call("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", deployment(replicaz=3))
    assert answer.status == 400
    assert answer.json["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.replicaz"'
    )


async def test_unknown_fields_may_be_ignored(api: Any) -> None:
    answer = await api.call("POST", f"{DEPLOYMENTS}?fieldValidation=Ignore", deployment(replicaz=3))
    assert (answer.status, answer.warnings) == (201, [])


async def test_dry_run_answers_as_if_and_stores_nothing(api: Any) -> None:
    answer = await api.call("POST", f"{DEPLOYMENTS}?dryRun=All", deployment())
    assert answer.status == 201
    assert (await api.call("GET", f"{DEPLOYMENTS}/web")).status == 404


async def test_replacing_needs_the_current_version(api: Any) -> None:
    made = (await api.call("POST", CONFIGMAPS, config(a="1"))).json
    assert (await api.call("PUT", f"{CONFIGMAPS}/c", made | {"data": {"a": "2"}})).status == 200
    stale = await api.call("PUT", f"{CONFIGMAPS}/c", made | {"data": {"a": "3"}})
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")
    assert stale.json["message"].startswith('Operation cannot be fulfilled on configmaps "c"')


async def test_replacing_under_another_name_is_refused(api: Any) -> None:
    await api.call("POST", CONFIGMAPS, config())
    answer = await api.call("PUT", f"{CONFIGMAPS}/c", config("other"))
    assert answer.status == 400
    assert "does not match the name on the URL" in answer.json["message"]


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [
        (MERGE, {"spec": {"replicas": 5}}),
        (STRATEGIC, {"spec": {"replicas": 5}}),
        (JSON_PATCH, [{"op": "replace", "path": "/spec/replicas", "value": 5}]),
    ],
)
async def test_the_three_patches_change_a_field(api: Any, content_type: str, patch: Any) -> None:
    await api.call("POST", DEPLOYMENTS, deployment())
    answer = await api.call("PATCH", f"{DEPLOYMENTS}/web?fieldManager=me", patch, content_type=content_type)
    assert (answer.status, answer.json["spec"]["replicas"]) == (200, 5)
    assert "me" in {entry["manager"] for entry in answer.json["metadata"]["managedFields"]}


async def test_a_patch_of_another_media_type_is_refused(api: Any) -> None:
    await api.call("POST", DEPLOYMENTS, deployment())
    answer = await api.call("PATCH", f"{DEPLOYMENTS}/web", {}, content_type="application/json")
    assert (answer.status, answer.json["message"]) == (415, "415: Unsupported Media Type")


async def test_a_patch_of_nothing_is_not_found_but_an_apply_creates(api: Any) -> None:
    assert (await api.call("PATCH", f"{CONFIGMAPS}/c", {}, content_type=MERGE)).status == 404
    made = await api.call("PATCH", f"{CONFIGMAPS}/c?fieldManager=me", config(a="1"), content_type=APPLY)
    assert made.status == 201
    assert made.json["metadata"]["managedFields"][0]["operation"] == "Apply"


async def test_an_apply_needs_a_manager(api: Any) -> None:
    answer = await api.call("PATCH", f"{CONFIGMAPS}/c", config(), content_type=APPLY)
    assert answer.status == 422
    assert answer.json["message"] == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


async def test_an_apply_of_anothers_field_conflicts_until_forced(api: Any) -> None:
    await api.call("POST", f"{DEPLOYMENTS}?fieldManager=kubectl-create", deployment(replicas=2))
    path = f"{DEPLOYMENTS}/web?fieldManager=sealane"
    answer = await api.call("PATCH", path, deployment(replicas=3), content_type=APPLY)
    assert answer.status == 409
    assert answer.json["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1: .spec.replicas'
    )
    forced = await api.call("PATCH", f"{path}&force=true", deployment(replicas=3), content_type=APPLY)
    assert (forced.status, forced.json["spec"]["replicas"]) == (200, 3)


async def test_applying_the_same_again_makes_no_new_version(api: Any) -> None:
    path = f"{DEPLOYMENTS}/web?fieldManager=sealane"
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1000m"}}
    first = (await api.call("PATCH", path, body, content_type=APPLY)).json
    second = (await api.call("PATCH", path, body, content_type=APPLY)).json
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_an_apply_that_drops_a_field_brings_the_default_back(api: Any) -> None:
    path = f"{DEPLOYMENTS}/web?fieldManager=sealane"
    await api.call("PATCH", path, deployment(replicas=4), content_type=APPLY)
    assert (await api.call("PATCH", path, deployment(), content_type=APPLY)).json["spec"]["replicas"] == 1


async def test_deleting_answers_success_and_then_not_found(api: Any) -> None:
    made = (await api.call("POST", CONFIGMAPS, config())).json
    answer = await api.call("DELETE", f"{CONFIGMAPS}/c")
    assert (answer.status, answer.json["status"]) == (200, "Success")
    assert answer.json["details"] == {"name": "c", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert (await api.call("DELETE", f"{CONFIGMAPS}/c")).status == 404


async def test_a_delete_with_another_uid_is_refused(api: Any) -> None:
    await api.call("POST", CONFIGMAPS, config())
    answer = await api.call("DELETE", f"{CONFIGMAPS}/c", {"preconditions": {"uid": "other"}})
    assert answer.status == 409


async def test_foreground_deletion_answers_the_marked_object(api: Any) -> None:
    await api.call("POST", DEPLOYMENTS, deployment())
    answer = await api.call("DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": "Foreground"})
    assert answer.json["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert answer.json["metadata"]["deletionTimestamp"]


async def test_a_collection_is_deleted_by_selector(api: Any) -> None:
    for name in ("a", "b"):
        await api.call("POST", CONFIGMAPS, config(name))
    await api.call("DELETE", f"{CONFIGMAPS}?fieldSelector=metadata.name%3Da")
    left = (await api.call("GET", CONFIGMAPS)).json["items"]
    assert [item["metadata"]["name"] for item in left] == ["b"]


async def test_status_is_written_through_its_own_path(api: Any) -> None:
    made = (await api.call("POST", DEPLOYMENTS, deployment())).json
    body = made | {"spec": made["spec"] | {"replicas": 7}, "status": {"replicas": 1}}
    answer = (await api.call("PUT", f"{DEPLOYMENTS}/web/status", body)).json
    assert (answer["spec"]["replicas"], answer["status"]["replicas"]) == (1, 1)


async def test_scale_reads_and_sets_the_number_of_pods(api: Any) -> None:
    await api.call("POST", DEPLOYMENTS, deployment())
    scale = (await api.call("GET", f"{DEPLOYMENTS}/web/scale")).json
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "app=web")
    assert (await api.call("PUT", f"{DEPLOYMENTS}/web/scale", scale | {"spec": {"replicas": 3}})).status == 200
    patched = await api.call("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 4}}, content_type=MERGE)
    assert patched.json["spec"]["replicas"] == 4
    assert (await api.call("GET", f"{DEPLOYMENTS}/web")).json["spec"]["replicas"] == 4
    refused = await api.call("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, content_type=MERGE)
    assert refused.status == 422


async def test_a_secrets_text_becomes_base64(api: Any) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"key": "value"}}
    made = (await api.call("POST", "/api/v1/namespaces/team/secrets", body)).json
    assert (made["data"], made["type"]) == ({"key": "dmFsdWU="}, "Opaque")
    assert "stringData" not in made


async def test_services_get_addresses_of_their_own_that_stay(api: Any) -> None:
    path = "/api/v1/namespaces/team/services"
    made = [
        (await api.call("POST", path, {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})).json
        for name in ("a", "b")
    ]
    first, second = (item["spec"]["clusterIP"] for item in made)
    assert first != second
    assert first.startswith("10.96.")
    assert made[0]["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    spec = made[0]["spec"] | {"clusterIP": "10.96.0.99"}
    refused = await api.call("PUT", f"{path}/a", made[0] | {"spec": spec})
    assert "may not change once set" in refused.json["message"]


async def test_a_namespace_ends_when_its_finalizers_are_taken_off(api: Any) -> None:
    marked = (await api.call("DELETE", "/api/v1/namespaces/team")).json
    assert marked["status"]["phase"] == "Terminating"
    await api.call("PUT", "/api/v1/namespaces/team/finalize", marked | {"spec": {}})
    assert (await api.call("GET", "/api/v1/namespaces/team")).status == 404


async def test_a_method_that_makes_no_sense_is_not_allowed(api: Any) -> None:
    answer = await api.call("POST", f"{CONFIGMAPS}/c", config())
    assert (answer.status, answer.json["reason"]) == (405, "MethodNotAllowed")


async def test_a_crd_is_served_at_once_and_takes_its_objects_along(api: Any) -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                },
            }
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Widget", "plural": "widgets"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await api.call("POST", crds, {"metadata": {"name": "widgets.example.com"}, "spec": spec})
    status = (await api.call("GET", f"{crds}/widgets.example.com")).json["status"]
    assert {item["type"]: item["status"] for item in status["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }

    path = "/apis/example.com/v1/namespaces/team/widgets"

    def widget(name: str, **spec: Any) -> dict[str, Any]:
        return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}

    made = await api.call("POST", path, widget("w", size=2, other=1))
    assert (made.status, made.json["spec"]) == (201, {"size": 2})
    listed = (await api.call("GET", path)).json
    assert (listed["items"][0]["kind"], listed["metadata"]["continue"]) == ("Widget", "")
    blind = await api.call("PUT", f"{path}/w", widget("w", size=3))
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in blind.json["message"]
    strategic = await api.call("PATCH", f"{path}/w", {}, content_type=STRATEGIC)
    assert (strategic.status, STRATEGIC in strategic.json["message"]) == (415, False)
    for wrong, said in (
        (widget("x"), "spec.size: Required value"),
        (widget("x", size=0), "should be greater than or equal to 1"),
        (widget("x", size=1, kind="c"), 'Unsupported value: "c": supported values: "a", "b"'),
        (widget("x", size="big"), "must be of type integer"),
    ):
        answer = await api.call("POST", path, wrong)
        assert answer.status == 422
        assert said in answer.json["message"]
    nameless = await api.call("POST", path, {"metadata": {"name": "x"}, "spec": {"size": 1}})
    assert "Object 'Kind' is missing in" in nameless.json["message"]
    await api.call("DELETE", f"{crds}/widgets.example.com")
    assert (await api.call("GET", path)).status == 404


async def test_a_service_account_token_is_that_account(api: Any) -> None:
    await api.call("POST", "/api/v1/namespaces/team/serviceaccounts", {"metadata": {"name": "bot"}})
    made = await api.call("POST", "/api/v1/namespaces/team/serviceaccounts/bot/token", {})
    token = made.json["status"]["token"]
    review = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, user=token)
    assert review.json["status"]["userInfo"]["username"] == "system:serviceaccount:team:bot"


async def test_binding_and_evicting_a_pod(api: Any) -> None:
    path = "/api/v1/namespaces/team/pods"
    pod = {"metadata": {"name": "p", "labels": {"app": "p"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.call("POST", path, pod)
    binding = {"target": {"kind": "Node", "name": "n1"}}
    assert (await api.call("POST", f"{path}/p/binding", binding)).status == 201
    assert (await api.call("POST", f"{path}/p/binding", binding)).status == 409
    assert (await api.call("POST", f"{path}/p/eviction", {})).status == 201
    assert (await api.call("GET", f"{path}/p")).json["metadata"]["deletionTimestamp"]


async def test_the_namespaces_of_the_system_may_not_be_deleted(api: Any) -> None:
    answer = await api.call("DELETE", "/api/v1/namespaces/default")
    assert answer.status == 403
    assert answer.json["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'


async def test_a_propagation_that_does_not_exist_is_invalid(api: Any) -> None:
    await api.call("POST", CONFIGMAPS, config())
    assert (await api.call("DELETE", f"{CONFIGMAPS}/c?propagationPolicy=Sideways")).status == 422


async def test_what_admission_denies_is_forbidden(api: Any) -> None:
    class AdmissionDenied(Exception):
        code = 403

    class World:
        def admit(self, _cluster: str, verb: str, plural: str, _obj: Any) -> Any:
            raise AdmissionDenied(f"admission webhook denied the request: {verb} {plural}")

    api.app._writer._admit = admission.of(World(), "bench")
    answer = await api.call("POST", f"{CONFIGMAPS}?dryRun=All", config())
    assert answer.status == 403
    assert answer.json["message"] == "admission webhook denied the request: CREATE configmaps"


async def test_a_jobs_pods_get_its_labels_and_a_statefulset_its_strategy(api: Any) -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}
    job = (
        await api.call(
            "POST", "/apis/batch/v1/namespaces/team/jobs", {"metadata": {"name": "j"}, "spec": {"template": template}}
        )
    ).json
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == "j"
    assert job["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    assert (job["spec"]["completions"], job["spec"]["backoffLimit"]) == (1, 6)
    body = deployment("db") | {"kind": "StatefulSet"}
    made = (await api.call("POST", "/apis/apps/v1/namespaces/team/statefulsets", body)).json
    assert made["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"nvidia.com/gpu": "1"}}, "BestEffort"),
    ],
)
async def test_a_pods_quality_of_service(api: Any, resources: dict[str, Any], quality: str) -> None:
    spec = {"containers": [{"name": "c", "image": "nginx", "resources": resources}]}
    made = (await api.call("POST", "/api/v1/namespaces/team/pods", {"metadata": {"name": "p"}, "spec": spec})).json
    assert (made["status"]["qosClass"], made["status"]["phase"]) == (quality, "Pending")
    assert made["spec"]["containers"][0]["imagePullPolicy"] == "Always"


async def test_a_claim_without_a_class_gets_the_default_one(api: Any) -> None:
    note = {"storageclass.kubernetes.io/is-default-class": "true"}
    body = {"metadata": {"name": "fast", "annotations": note}, "provisioner": "x"}
    await api.call("POST", "/apis/storage.k8s.io/v1/storageclasses", body)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10240Mi"}}}
    path = "/api/v1/namespaces/team/persistentvolumeclaims"
    made = (await api.call("POST", path, {"metadata": {"name": "c"}, "spec": spec})).json
    assert (made["spec"]["storageClassName"], made["status"]["phase"]) == ("fast", "Pending")
    assert made["spec"]["resources"]["requests"]["storage"] == "10Gi"
