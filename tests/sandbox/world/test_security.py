"""Pod Security Standards: which pods break them, and how that is said."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.sandbox.world import security

Obj = dict[str, Any]
CLEAN: Obj = {
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "a",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
}


def test_a_clean_pod_breaks_no_level() -> None:
    assert security.violations(CLEAN, "restricted") == []


@pytest.mark.parametrize("level", ["", "privileged", "nonsense"])
def test_a_level_that_demands_nothing_finds_nothing(level: str) -> None:
    assert security.violations({"spec": {"hostNetwork": True, "containers": []}}, level) == []


def test_baseline_forbids_host_access_and_privilege() -> None:
    pod = {
        "spec": {
            "hostNetwork": True,
            "hostPID": True,
            "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
            "containers": [{"name": "a", "securityContext": {"privileged": True}}, {"name": "b"}],
        }
    }
    assert security.violations(pod, "baseline") == [
        "host namespaces (hostNetwork=true, hostPID=true)",
        'hostPath volumes (volume "root")',
        'privileged (container "a" must not set securityContext.privileged=true)',
    ]


def test_several_containers_are_named_together_and_init_containers_count() -> None:
    pod = {"spec": {"initContainers": [{"name": "pull"}], "containers": [{"name": "a"}]}}
    assert security.violations(pod, "restricted")[0] == (
        'allowPrivilegeEscalation != false (containers "pull", "a" must set '
        "securityContext.allowPrivilegeEscalation=false)"
    )


def test_a_container_may_answer_for_itself_where_the_pod_does_not() -> None:
    own = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "Localhost"},
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert security.violations({"spec": {"containers": [{"name": "a", "securityContext": own}]}}, "restricted") == []


def test_restricted_names_added_capabilities_and_volume_types() -> None:
    pod = {
        "spec": {
            "volumes": [{"name": "h", "hostPath": {"path": "/"}}, {"name": "e", "emptyDir": {}}],
            "containers": [{"name": "a", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}],
        }
    }
    found = security.violations(pod, "restricted")
    assert found[1] == (
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]; '
        'container "a" must not include "SYS_ADMIN" in securityContext.capabilities.add)'
    )
    assert found[2] == 'restricted volume types (volume "h" uses restricted volume type "hostPath")'


def test_baseline_knows_which_capabilities_may_be_added() -> None:
    def pod(*added: str) -> Obj:
        containers = [{"name": "a", "securityContext": {"capabilities": {"add": list(added)}}}]
        return {"spec": {"containers": containers}}

    assert security.violations(pod("CHOWN"), "baseline") == []
    assert security.violations(pod("NET_ADMIN"), "baseline") == [
        'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)'
    ]
