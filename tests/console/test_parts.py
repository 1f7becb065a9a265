"""The small parts: words in templates, static files, masked keys, differences, remembered changes."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import minijinja
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.console import connection, knobs
from sealane.console.assets import Assets
from sealane.console.changes import Changes
from sealane.console.services import Ref
from sealane.console.templating import Templates, highlight
from sealane.lib.clock import ManualClock
from sealane.models.types import ModelSpec, Share

REF = Ref("a", "b", "c")


@given(st.text())
def test_highlighting_never_lets_markup_through(source: str) -> None:
    marked = str(highlight(source))
    plain = marked
    for mark in ("y-k", "y-s", "y-n", "y-c"):
        plain = plain.replace(f'<span class="{mark}">', "")
    plain = plain.replace("</span>", "")
    assert "<" not in plain
    assert plain == str(minijinja.escape(source))


def test_yaml_is_marked_by_what_it_is() -> None:
    marked = str(highlight("a: 1\n- b: two\n# note\nc:\n  d: true"))
    assert '<span class="y-k">a</span>: <span class="y-n">1</span>' in marked
    assert '- <span class="y-k">b</span>: <span class="y-s">two</span>' in marked
    assert '<span class="y-c"># note</span>' in marked
    assert '<span class="y-n">true</span>' in marked


def test_a_template_that_asks_for_what_is_not_there_fails() -> None:
    with pytest.raises(minijinja.TemplateError):
        Templates(Assets()).render("home/heading.html", page={})


def test_without_built_files_the_plain_stylesheet_is_served(tmp_path: Path) -> None:
    (tmp_path / "sealane.css").write_text("body{}")
    assets = Assets(tmp_path)
    assert assets.url("main.js") == ""
    assert assets.url("sealane.css").startswith("/static/sealane-")


def test_built_files_win_and_their_names_follow_their_content(tmp_path: Path) -> None:
    (tmp_path / "sealane.css").write_text("body{}")
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / "sealane-X.css").write_text("body{color:red}")
    (dist / "manifest.json").write_text(json.dumps({"sealane.css": "sealane-X.css"}))
    built = Assets(tmp_path).url("sealane.css")
    (dist / "sealane-X.css").write_text("body{color:blue}")
    assert Assets(tmp_path).url("sealane.css") != built


@given(st.text(min_size=12))
def test_a_masked_key_cannot_be_used(key: str) -> None:
    assert key not in connection.masked(key)
    assert connection.masked(key).endswith(key[-4:])


def test_a_masked_key_can_be_recognised() -> None:
    assert connection.masked("sk-sealane-abcdef4f2a") == "sk-sealane-••••4f2a"
    assert connection.masked("") == ""


def test_a_difference_is_only_what_differs() -> None:
    lines = knobs.diff("a: 1\nb: 2\nc: 3\n", "a: 1\nb: 4\nc: 3\nd: 5\n")
    assert [(line.kind, line.text) for line in lines] == [("del", "b: 2"), ("add", "b: 4"), ("add", "d: 5")]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp"))))
def test_the_same_has_no_difference(text: str) -> None:
    assert knobs.diff(text, text) == ()


def test_a_change_is_told_in_words() -> None:
    before = ModelSpec(model="m", cluster="c", copies=1, context=4096, share=Share(fraction=0.25))
    after = ModelSpec(model="m", cluster="c", copies=2, context=8192, share=Share(fraction=0.5))
    said = "Changed copies from 1 to 2, context from 4,096 to 8,192 tokens and share from 0.25 to 0.5"
    assert knobs.sentence(before, after) == said
    assert knobs.sentence(before, before) == "Nothing changed"


def test_only_the_last_change_can_be_put_back_and_not_for_ever() -> None:
    clock = ManualClock()
    changes = Changes(clock)
    spec = ModelSpec(model="m", cluster="a")
    changes.add("one", REF, before=spec)
    assert changes.undoable(REF)
    assert changes.undoable(Ref("x", "y", "z")) is None
    clock.advance(datetime.timedelta(minutes=11).total_seconds())
    assert changes.undoable(REF) is None
    changes.add("two", REF)
    assert changes.undoable(REF) is None
    assert [change.sentence for change in changes.last()] == ["two", "one"]


def test_few_changes_are_kept() -> None:
    changes = Changes(ManualClock())
    for number in range(100):
        changes.add(str(number), REF)
    assert len(changes.last()) == 20


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_path_keeps_its_three_parts_whatever_they_hold(cluster: str, name: str) -> None:
    path = Ref(cluster, "ns", name).path
    assert path.count("/") == 2
    assert path.isascii()
