"""Fetched projects on the health pages: in place of their sample, with counts and without names."""

from __future__ import annotations

import html
from pathlib import Path
from typing import cast

import pytest

from sealane.console.real.health import RealHealth
from sealane.fleet import Fleet
from sealane.health import desk, fetched, sample
from tests.console import fakes
from tests.console.conftest import make_visitor
from tests.health.test_fetched import FACTS, NOW, mirror, store


class Fetched(fakes.FakeHealth):
    """The fake, over a data directory."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__()
        self._real = RealHealth(cast(Fleet, fakes._NoFleet()), data_dir=data_dir)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = store(tmp_path)
    mirror(tmp_path, made)
    fetched.keep(made, desk.report("acme/thing", as_of=None, window=365, now=NOW, data_dir=tmp_path))
    return tmp_path


def test_a_fetched_project_has_a_page_with_counts_and_without_names(data: Path) -> None:
    with make_visitor(fakes.build(health=Fetched(data))) as visitor:
        answer = visitor.get("/health/acme/thing")
    text = fakes.shown(answer)
    assert answer.status_code == 200
    assert "Unique issue authors" in text
    assert f'<a href="{FACTS.url}"' in html.unescape(answer.text)
    assert "Velocity" not in text
    for name in ("zed", "Ann"):
        assert name not in text.split()


def test_the_list_of_all_projects_holds_it_and_stays_whole(data: Path) -> None:
    with make_visitor(fakes.build(health=Fetched(data))) as visitor:
        text = fakes.shown(visitor.get("/health?show=watched"))
    assert "Acme/Thing" in text
    assert f"{len(sample.projects()) + 1} projects with figures here" in text


def test_a_fetched_project_stands_in_place_of_its_sample(tmp_path: Path) -> None:
    name = next(iter(sample.projects()))
    made = store(tmp_path, facts=fetched.rawstore.RepoFacts(repository=name, id=9, url="https://forge.example/x"))
    fetched.keep(made, desk.report(name, as_of=None, window=365, now=NOW, data_dir=tmp_path))
    found = RealHealth(cast(Fleet, fakes._NoFleet()), data_dir=tmp_path)
    assert len(found.watched()) == len(sample.projects())
    assert found.project(name).url == "https://forge.example/x"
    assert found.project(name).years[0].now is None  # no history was fetched
