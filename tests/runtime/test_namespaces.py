"""Namespaces used once are known the next time."""

import json
from types import SimpleNamespace

from sealane.runtime import namespaces


class Cluster:
    def __init__(self, *known: str) -> None:
        self._known = set(known)

    def hint(self, namespace: str) -> None:
        self._known.add(namespace)

    @property
    def hints(self) -> frozenset[str]:
        return frozenset(self._known)


def fleet(**clusters: Cluster):
    return SimpleNamespace(clusters=clusters)


def test_a_namespace_used_in_one_command_is_known_in_the_next(tmp_path):
    first = fleet(harbor=Cluster("default"))
    with namespaces.remembered(first, tmp_path):
        first.clusters["harbor"].hint("team-code")
    second = fleet(harbor=Cluster("default"), other=Cluster())
    with namespaces.remembered(second, tmp_path):
        assert second.clusters["harbor"].hints == {"default", "team-code"}
        assert second.clusters["other"].hints == frozenset()


def test_only_names_are_kept_and_for_their_user_alone(tmp_path):
    with namespaces.remembered(fleet(harbor=Cluster("a")), tmp_path):
        pass
    path = tmp_path / namespaces.FILE_NAME
    assert json.loads(path.read_text()) == {"harbor": ["a"]}
    assert path.stat().st_mode & 0o777 == 0o600


def test_other_clusters_memories_are_kept(tmp_path):
    with namespaces.remembered(fleet(a=Cluster("x")), tmp_path):
        pass
    with namespaces.remembered(fleet(b=Cluster("y")), tmp_path):
        pass
    assert json.loads((tmp_path / namespaces.FILE_NAME).read_text()) == {"a": ["x"], "b": ["y"]}


def test_rubbish_in_the_file_is_no_memory_and_no_error(tmp_path):
    (tmp_path / namespaces.FILE_NAME).write_text("[1")
    with namespaces.remembered(fleet(a=Cluster("x")), tmp_path):
        pass
    assert json.loads((tmp_path / namespaces.FILE_NAME).read_text()) == {"a": ["x"]}


def test_the_memory_is_bounded(tmp_path):
    many = Cluster(*(f"n{number:03}" for number in range(namespaces.MOST + 20)))
    with namespaces.remembered(fleet(a=many), tmp_path):
        pass
    assert len(json.loads((tmp_path / namespaces.FILE_NAME).read_text())["a"]) == namespaces.MOST


def test_a_directory_that_cannot_be_written_costs_only_the_memory(tmp_path):
    (tmp_path / "file").write_text("")
    with namespaces.remembered(fleet(a=Cluster("x")), tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == ""
