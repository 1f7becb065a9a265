"""Stepping in: what is run, what is believed, and what is said to those who are outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rig import namespace
from rig.errors import NotInside, ToolMissing


def test_outside_is_said_with_the_command_that_leads_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALANE_RIG_NAMESPACE", raising=False)
    with pytest.raises(NotInside) as caught:
        namespace.require()
    assert caught.value.next_steps[0].command == "python -m rig run -- COMMAND"


def test_a_copied_environment_is_not_enough_to_be_inside() -> None:
    here = os.readlink("/proc/self/ns/net")
    assert namespace.is_inside({"SEALANE_RIG_NAMESPACE": here})
    assert not namespace.is_inside({"SEALANE_RIG_NAMESPACE": "net:[1]"})
    assert not namespace.is_inside({})


def test_the_way_in_makes_user_network_and_mount_namespaces() -> None:
    command = namespace.command(["true"])
    assert command[0] == "unshare"
    assert {"--user", "--net", "--mount", "--map-root-user"} < set(command)
    assert command[-2:] == ["--", "true"]


def test_the_hosts_file_leads_the_public_registry_to_ours_and_keeps_the_rest() -> None:
    text = namespace.hosts_file("127.0.0.1 localhost\n")
    assert text.splitlines() == ["10.200.0.1 registry.ollama.ai", "127.0.0.1 localhost"]


def test_missing_tools_are_named_with_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace.shutil, "which", lambda tool, path=None: None if tool == "ip" else f"/bin/{tool}")
    with pytest.raises(ToolMissing, match="iproute2") as caught:
        namespace.enter(["up"])
    assert caught.value.next_steps[0].command == "apt-get install iproute2"


def test_the_internets_authority_is_the_same_for_everybody_in_the_folder(tmp_path: Path) -> None:
    first = namespace.internet(tmp_path).certificate.read_bytes()
    assert namespace.internet(tmp_path).certificate.read_bytes() == first


def test_members_are_others_of_this_user_namespace() -> None:
    assert os.getpid() not in namespace.members()
