"""The address book of a running `up`."""

import os

from sealane.runtime import running

BOOK = running.Running(
    pid=os.getpid(),
    console="http://127.0.0.1:8700",
    gateway="http://127.0.0.1:8701/v1",
    kubeconfig="/k",
    clusters=("harbor-eu",),
    sandbox=True,
)


def test_what_is_written_is_read_back_and_private(tmp_path):
    running.write(tmp_path, BOOK)
    assert running.read(tmp_path) == BOOK
    assert (tmp_path / running.RUNNING_NAME).stat().st_mode & 0o777 == 0o600


def test_an_up_that_died_without_a_word_is_not_running(tmp_path):
    running.write(
        tmp_path, running.Running(**{**{f: getattr(BOOK, f) for f in BOOK.__struct_fields__}, "pid": 2**22 - 1})
    )
    assert running.read(tmp_path) is None


def test_no_file_or_rubbish_means_not_running(tmp_path):
    assert running.read(tmp_path) is None
    (tmp_path / running.RUNNING_NAME).write_text("{")
    assert running.read(tmp_path) is None


def test_clearing_twice_is_no_error(tmp_path):
    running.write(tmp_path, BOOK)
    running.clear(tmp_path)
    running.clear(tmp_path)
    assert running.read(tmp_path) is None


def test_the_local_key_is_kept_for_its_user_alone(tmp_path):
    assert running.read_credential(tmp_path) == ""
    running.write_credential(tmp_path, "sk-sealane-x")
    assert running.read_credential(tmp_path) == "sk-sealane-x"
    assert (tmp_path / running.CREDENTIAL_NAME).stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_no_draft(tmp_path, monkeypatch):
    import pytest

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running.Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        running.write_credential(tmp_path, "x")
    assert list(tmp_path.iterdir()) == []
