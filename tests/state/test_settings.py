"""Settings come back as they went in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealane import state
from sealane.lib.clock import ManualClock
from sealane.state import schema
from sealane.state.settings import SettingsStore

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SettingsStore]:
    db = state.open(tmp_path)
    yield SettingsStore(db, clock=ManualClock())
    db.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
def test_any_json_value_comes_back_equal(store: SettingsStore, value: object) -> None:
    store.set("it", value)
    assert store.get("it") == value


def test_what_was_never_set_is_the_default(store: SettingsStore) -> None:
    assert store.get("none") is None
    assert store.get("none", 7) == 7


def test_a_second_set_replaces_the_first(store: SettingsStore) -> None:
    store.set("clusters", ["a"])
    store.set("clusters", ["b", "c"])
    assert store.get("clusters") == ["b", "c"]


def test_a_forgotten_setting_is_gone_and_forgetting_twice_is_no_error(store: SettingsStore) -> None:
    store.set("a", 1)
    store.forget("a")
    store.forget("a")
    assert store.get("a") is None


def test_the_time_of_the_change_is_kept_in_whole_seconds(tmp_path: Path) -> None:
    clock = ManualClock()
    db = state.open(tmp_path)
    SettingsStore(db, clock=clock).set("a", 1)
    with db.read() as connection:
        assert connection.execute(sqlalchemy.select(schema.SETTINGS.c.updated_at)).scalar() == clock.now().timestamp()
    db.close()
