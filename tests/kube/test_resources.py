"""Paths on the API server, and which resource a manifest is of."""

from __future__ import annotations

import pytest

from sealane.kube import resources
from sealane.kube.resources import DEPLOYMENTS, KNOWN, NODES, PODS, QUEUES
from sealane.lib.errors import UsageError


def test_a_core_list_of_all_namespaces() -> None:
    assert PODS.path() == "/api/v1/pods"


def test_one_object_of_a_group_in_a_namespace() -> None:
    assert DEPLOYMENTS.path("web", namespace="team-a") == "/apis/apps/v1/namespaces/team-a/deployments/web"


def test_a_subresource_comes_last() -> None:
    assert PODS.path("web", namespace="a", subresource="log") == "/api/v1/namespaces/a/pods/web/log"


def test_cluster_wide_kinds_ignore_a_namespace() -> None:
    assert NODES.path("n1", namespace="a") == "/api/v1/nodes/n1"
    assert QUEUES.path("q") == "/apis/scheduling.run.ai/v2/queues/q"


def test_names_are_quoted() -> None:
    assert PODS.path("a/../b c", namespace="n") == "/api/v1/namespaces/n/pods/a%2F..%2Fb%20c"


def test_one_object_without_its_namespace_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="Pod web needs a namespace"):
        PODS.path("web")


def test_version_and_name_for_kubectl() -> None:
    assert DEPLOYMENTS.api_version == "apps/v1"
    assert PODS.api_version == "v1"
    assert DEPLOYMENTS.qualified == "deployments.apps"


@pytest.mark.parametrize("resource", KNOWN, ids=lambda resource: resource.qualified)
def test_every_known_kind_is_found_by_its_manifest(resource: resources.Resource) -> None:
    assert resources.of({"apiVersion": resource.api_version, "kind": resource.kind}) == resource


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UsageError, match=r"kind Widget of example\.com/v1"):
        resources.of({"apiVersion": "example.com/v1", "kind": "Widget"})


def test_something_that_is_no_object_is_refused() -> None:
    with pytest.raises(UsageError, match="no apiVersion and kind"):
        resources.of({"kind": "Pod"})
