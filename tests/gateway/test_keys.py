"""Keys are shown once, kept as digests, and a revoked one stops working at once, everywhere."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from sealane import state
from sealane.gateway import keys as keys_module
from sealane.gateway.keys import KeyStore
from sealane.lib.clock import ManualClock
from sealane.lib.errors import UsageError
from sealane.state.database import Database


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database, clock=ManualClock())


def test_a_new_key_is_verified_by_its_secret_and_by_nothing_else(store: KeyStore) -> None:
    key, secret = store.create("laptop")
    assert secret.startswith("sk-sealane-")
    assert len(secret) >= len("sk-sealane-") + 32
    assert store.verify(secret) == key
    assert store.verify(secret[:-1]) is None
    assert store.verify(secret + "x") is None
    assert store.verify("") is None


@given(st.text(max_size=60))
def test_no_other_text_is_a_key(text: str) -> None:
    assert keys_module._digest(text) != keys_module._digest(text + "x")


def test_the_secret_is_nowhere_in_the_data_folder(tmp_path: Path) -> None:
    db = state.open(tmp_path)
    _, secret = KeyStore(db).create("laptop")
    db.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"laptop" in kept
    assert secret.encode() not in kept
    assert secret.removeprefix("sk-sealane-").encode() not in kept


def test_a_key_is_recognised_by_its_hint(store: KeyStore) -> None:
    key, secret = store.create("laptop")
    assert key.hint == secret[-4:]
    assert secret not in repr(key)


def test_a_revoked_key_is_refused_but_its_owner_can_be_told(store: KeyStore) -> None:
    key, secret = store.create("laptop")
    revoked = store.revoke(key.id)
    assert revoked.revoked_at is not None
    assert store.verify(secret) is None
    assert store.look(secret) == revoked


def test_revoking_twice_keeps_the_first_time(database: Database) -> None:
    clock = ManualClock()
    store = KeyStore(database, clock=clock)
    key, _ = store.create("laptop")
    first = store.revoke(key.id)
    clock.advance(100)
    assert store.revoke(key.id) == first


def test_revoking_what_does_not_exist_is_one_sentence(store: KeyStore) -> None:
    with pytest.raises(UsageError, match="no key `key-nope`"):
        store.revoke("key-nope")


def test_another_process_sees_a_new_key_and_a_revocation_after_its_refresh(database: Database) -> None:
    here, there = KeyStore(database), KeyStore(database)
    key, secret = here.create("laptop")
    assert there.verify(secret) is None
    there.refresh()
    assert there.verify(secret) is not None
    here.revoke(key.id)
    there.refresh()
    assert there.verify(secret) is None


def test_keys_are_listed_newest_first_with_revoked_ones(database: Database) -> None:
    clock = ManualClock()
    store = KeyStore(database, clock=clock)
    old, _ = store.create("old")
    clock.advance(10)
    store.create("new")
    store.revoke(old.id)
    assert [(key.name, key.revoked_at is not None) for key in store.list()] == [("new", False), ("old", True)]


def test_keys_outlive_a_restart(database: Database) -> None:
    key, secret = KeyStore(database, clock=ManualClock()).create("laptop")
    assert KeyStore(database).verify(secret) == key


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_a_key_needs_a_reasonable_name(store: KeyStore, name: str) -> None:
    with pytest.raises(UsageError, match="1 to 120"):
        store.create(name)


def test_a_secret_chosen_elsewhere_is_adopted_once(store: KeyStore) -> None:
    secret = "sk-sealane-" + "a1" * 20
    key = store.adopt("laptop", secret)
    assert store.adopt("laptop", secret) == key
    assert store.verify(secret) == key
    assert len(store.list()) == 1


@pytest.mark.parametrize("secret", ["", "sk-sealane-short", "sk-other-" + "a" * 40])
def test_a_weak_or_foreign_secret_is_not_adopted(store: KeyStore, secret: str) -> None:
    with pytest.raises(UsageError):
        store.adopt("laptop", secret)
    assert store.list() == []


def test_a_key_made_while_the_keys_are_read_anew_is_not_forgotten(
    store: KeyStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, may_go_on, made = threading.Event(), threading.Event(), threading.Event()
    read, secrets = database.read, []

    @contextlib.contextmanager
    def slowly() -> Iterator[sqlalchemy.Connection]:
        with read() as connection:
            yield connection
        looked.set()
        may_go_on.wait(5)

    def make() -> None:
        secrets.append(store.create("laptop")[1])
        made.set()

    monkeypatch.setattr(database, "read", slowly)
    threads = [threading.Thread(target=store.refresh), threading.Thread(target=make)]
    threads[0].start()
    looked.wait(5)
    threads[1].start()
    made.wait(0.1)
    may_go_on.set()
    for thread in threads:
        thread.join(5)
    assert store.verify(secrets[0]) is not None
