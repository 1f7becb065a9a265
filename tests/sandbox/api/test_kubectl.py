"""The real kubectl against the whole sandbox: what a person types works and reads as on a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {app: NAME}}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        ports: [{containerPort: 80, name: http}]
        resources: {limits: {cpu: "1", memory: 1Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{port: 80, targetPort: http}]}
"""


def manifest(name: str) -> str:
    return MANIFEST.replace("NAME", name)


@pytest.fixture
def web(sandbox: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A deployment and service of its own name, rolled out, taken away afterwards."""
    name = request.node.name.replace("_", "-").lower()[5:45].strip("-")
    sandbox.kubectl("apply", "-f", "-", stdin=manifest(name))
    sandbox.kubectl("rollout", "status", f"deployment/{name}", "--timeout=20s")
    yield name
    sandbox.kubectl("delete", f"deployment/{name}", f"service/{name}", "--ignore-not-found", "--wait=false")


def test_version_and_config_name_the_three_clusters(sandbox: Any) -> None:
    assert "Server Version: v1.34" in sandbox.kubectl("version")
    contexts = sandbox.kubectl("config", "get-contexts", "-o", "name").split()
    assert sorted(contexts) == ["atlas-us", "bench", "harbor-eu"]
    assert sandbox.ready["clusters"] == ["harbor-eu", "atlas-us", "bench"]
    for context in contexts:
        assert "Ready" in sandbox.kubectl("--context", context, "get", "nodes")


def test_api_resources_lists_built_in_and_kai_kinds(sandbox: Any) -> None:
    said = sandbox.kubectl("api-resources")
    for line in ("deployments", "persistentvolumeclaims", "queues", "podgroups", "events"):
        assert line in said
    names = sandbox.kubectl("api-resources", "--api-group=scheduling.run.ai", "-o", "name").split()
    assert {"queues.scheduling.run.ai", "podgroups.scheduling.run.ai", "bindrequests.scheduling.run.ai"} <= set(names)
    assert "queues" not in sandbox.kubectl("--context", "bench", "api-resources")


def test_get_as_table_wide_yaml_and_json(sandbox: Any, web: str) -> None:
    header, row = sandbox.kubectl("get", "deployment", web).splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == [web, "1/1", "1", "1"]
    assert "nginx:1.27" in sandbox.kubectl("get", "deployment", web, "-o", "wide")
    assert "kind: Deployment" in sandbox.kubectl("get", "deployment", web, "-o", "yaml")
    both = json.loads(sandbox.kubectl("get", "deployment,service", "-l", f"app={web}", "-o", "json"))
    assert [item["kind"] for item in both["items"]] == ["Deployment"]
    pods = sandbox.kubectl("get", "pods", "-l", f"app={web}", "--no-headers")
    assert pods.split()[1:3] == ["1/1", "Running"]
    assert sandbox.kubectl("get", "pods", "-l", f"app={web}", "-o", "jsonpath={.items[0].status.podIP}").startswith(
        "10."
    )
    assert "NAMESPACE" in sandbox.kubectl("get", "all", "-A").splitlines()[0]


def test_describe_shows_the_rollout_and_its_events(sandbox: Any, web: str) -> None:
    said = sandbox.kubectl("describe", "deployment", web)
    assert "1 desired | 1 updated | 1 total | 1 available | 0 unavailable" in said
    assert "ScalingReplicaSet" in said
    assert "Successfully assigned" in sandbox.kubectl("describe", "pods", "-l", f"app={web}")
    assert "TargetPort:" in sandbox.kubectl("describe", "service", web)
    assert "nvidia.com/gpu" in sandbox.kubectl("describe", "node", "gpu-1")


def test_apply_diff_and_apply_again(sandbox: Any, web: str) -> None:
    assert "unchanged" in sandbox.kubectl("apply", "-f", "-", stdin=manifest(web))
    assert sandbox.kubectl("diff", "-f", "-", stdin=manifest(web)) == ""
    changed = manifest(web).replace("replicas: 1", "replicas: 2").replace("nginx:1.27", "nginx:1.28")
    said = sandbox.kubectl("diff", "-f", "-", stdin=changed, fails=True)
    assert "-  replicas: 1\n+  replicas: 2" in said
    assert "+      - image: nginx:1.28" in said
    assert "configured" in sandbox.kubectl("apply", "-f", "-", stdin=changed)
    assert sandbox.kubectl("get", "deployment", web, "-o", "jsonpath={.spec.replicas}") == "2"


def test_server_side_apply_and_its_conflict(sandbox: Any, web: str) -> None:
    sandbox.kubectl("scale", f"deployment/{web}", "--replicas=3")
    body = manifest(web)
    said = sandbox.kubectl("apply", "--server-side", "-f", "-", stdin=body, fails=True)
    assert 'Apply failed with 1 conflict: conflict with "kubectl"' in said
    assert ".spec.replicas" in said
    assert "serverside-applied" in sandbox.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=body)


def test_scale_rollout_history_undo_and_restart(sandbox: Any, web: str) -> None:
    target = f"deployment/{web}"
    assert "scaled" in sandbox.kubectl("scale", target, "--replicas=2")
    assert "successfully rolled out" in sandbox.kubectl("rollout", "status", target, "--timeout=20s")
    sandbox.kubectl("set", "image", target, "web=nginx:1.28")
    sandbox.kubectl("rollout", "status", target, "--timeout=20s")
    assert len(sandbox.kubectl("rollout", "history", target).split("\n")) >= 4
    assert "rolled back" in sandbox.kubectl("rollout", "undo", target)
    assert "restarted" in sandbox.kubectl("rollout", "restart", target)
    sandbox.kubectl("rollout", "status", target, "--timeout=20s")


def test_logs_are_read_and_followed(sandbox: Any, web: str) -> None:
    assert sandbox.kubectl("logs", f"deployment/{web}").strip()
    pod = sandbox.kubectl("get", "pods", "-l", f"app={web}", "-o", "name").split()[0]
    following = sandbox.start_kubectl("logs", "-f", pod)
    assert following.stdout is not None
    assert following.stdout.readline().strip()
    assert following.poll() is None
    sandbox.kubectl("delete", pod, "--grace-period=0", "--force")
    following.wait(timeout=15)
    following.stdout.close()


def test_a_watch_prints_changes_as_they_come(sandbox: Any) -> None:
    sandbox.kubectl("create", "configmap", "watched")
    watching = sandbox.start_kubectl("get", "configmap", "watched", "--watch", "--output-watch-events")
    assert watching.stdout is not None
    assert watching.stdout.readline().split() == ["EVENT", "NAME", "DATA", "AGE"]
    assert watching.stdout.readline().split()[:3] == ["ADDED", "watched", "0"]
    sandbox.kubectl("patch", "configmap", "watched", "-p", '{"data":{"a":"b"}}')
    assert watching.stdout.readline().split()[:3] == ["MODIFIED", "watched", "1"]
    sandbox.kubectl("delete", "configmap", "watched")
    assert watching.stdout.readline().split()[:2] == ["DELETED", "watched"]
    watching.terminate()
    watching.wait(timeout=5)
    watching.stdout.close()


def test_explain_reads_our_schemas(sandbox: Any) -> None:
    said = sandbox.kubectl("explain", "deployment.spec.replicas")
    assert "FIELD: replicas <integer>" in said
    assert "Number of pods wanted" in said
    assert "-required-" in sandbox.kubectl("explain", "pod.spec.containers")
    assert "overQuotaWeight" in sandbox.kubectl("explain", "queue.spec.resources.gpu")


def test_who_may_do_what(sandbox: Any) -> None:
    assert sandbox.kubectl("auth", "can-i", "create", "deployments").strip() == "yes"
    assert "admin" in sandbox.kubectl("auth", "whoami")
    assert sandbox.kubectl("auth", "can-i", "delete", "nodes", user="dana", fails=True).startswith("no")
    assert "pods" in sandbox.kubectl("auth", "can-i", "--list", "-n", "team-code", user="dana")
    refused = sandbox.kubectl("get", "secrets", "-n", "kube-system", user="dana", fails=True)
    assert 'User "dana" cannot list resource "secrets" in API group "" in the namespace "kube-system"' in refused


def test_the_create_commands_speak_protobuf_and_are_understood(sandbox: Any) -> None:
    sandbox.kubectl("create", "namespace", "made")
    for command in (
        ["deployment", "d", "--image=nginx", "--replicas=0"],
        ["configmap", "c", "--from-literal=a=b"],
        ["secret", "generic", "s", "--from-literal=a=b"],
        ["service", "clusterip", "svc", "--tcp=80:8080"],
        ["serviceaccount", "sa"],
        ["role", "r", "--verb=get", "--resource=pods"],
        ["rolebinding", "rb", "--role=r", "--serviceaccount=made:sa"],
        ["quota", "q", "--hard=pods=5,requests.cpu=2"],
        ["job", "j", "--image=busybox", "--", "true"],
        ["cronjob", "cj", "--image=busybox", "--schedule=*/5 * * * *"],
        ["ingress", "i", "--rule=a.example/=svc:80"],
        ["pdb", "p", "--selector=app=x", "--min-available=1"],
    ):
        assert "created" in sandbox.kubectl("create", *command, "-n", "made")
    assert sandbox.kubectl("get", "deployment", "d", "-n", "made", "-o", "jsonpath={.spec.replicas}") == "0"
    assert sandbox.kubectl("get", "secret", "s", "-n", "made", "-o", "jsonpath={.data.a}") == "Yg=="
    assert (
        sandbox.kubectl("get", "service", "svc", "-n", "made", "-o", "jsonpath={.spec.ports[0].targetPort}") == "8080"
    )
    assert sandbox.kubectl("create", "token", "sa", "-n", "made").startswith("sandbox.")
    assert "deleted" in sandbox.kubectl("delete", "namespace", "made", "--timeout=20s")


def test_label_annotate_patch_and_events(sandbox: Any, web: str) -> None:
    sandbox.kubectl("label", "deployment", web, "team=a")
    sandbox.kubectl("annotate", "deployment", web, "note=hello")
    sandbox.kubectl("patch", "deployment", web, "-p", '{"spec":{"minReadySeconds":1}}')
    assert web in sandbox.kubectl("get", "deployments", "-l", "team=a")
    assert "ScalingReplicaSet" in sandbox.kubectl("events", "--for", f"deployment/{web}")
    assert "LAST SEEN" in sandbox.kubectl("get", "events")


def test_a_mistake_is_refused_in_the_servers_words(sandbox: Any) -> None:
    broken = manifest("broken").replace("matchLabels: {app: broken}", "matchLabels: {app: other}")
    said = sandbox.kubectl("apply", "-f", "-", stdin=broken, fails=True)
    assert 'The Deployment "broken" is invalid: spec.template.metadata.labels: Invalid value' in said
    assert "`selector` does not match template `labels`" in said
    typo = manifest("typo").replace("replicas", "replicaz")
    said = sandbox.kubectl("apply", "-f", "-", stdin=typo, fails=True)
    assert 'unknown field "spec.replicaz"' in said
    sandbox.kubectl("delete", "service", "broken", "typo", "--ignore-not-found")


def test_server_dry_run_creates_nothing(sandbox: Any) -> None:
    said = sandbox.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest("dry"))
    assert "created (server dry run)" in said
    assert "not found" in sandbox.kubectl("get", "deployment", "dry", fails=True)


def test_delete_waits_until_it_is_gone(sandbox: Any, web: str) -> None:
    assert "deleted" in sandbox.kubectl("delete", "deployment", web, "--cascade=foreground", "--timeout=20s")
    assert "not found" in sandbox.kubectl("get", "deployment", web, fails=True)
    sandbox.kubectl("wait", "pods", "-l", f"app={web}", "--for=delete", "--timeout=20s")


def test_exec_meets_a_shell(sandbox: Any, web: str) -> None:
    assert "etc" in sandbox.kubectl("exec", f"deployment/{web}", "--", "ls", "/").split()
