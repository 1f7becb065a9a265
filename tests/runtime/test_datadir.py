"""The data directory: made for its user alone, proven writable, and held by one `up` at a time."""

import errno
from pathlib import Path

import pytest

from sealane.runtime import datadir


def test_the_directory_is_made_for_its_user_alone(tmp_path):
    made = datadir.prepare(tmp_path / "a" / "b")
    assert made.is_dir()
    assert made.stat().st_mode & 0o777 == 0o700
    assert list(made.iterdir()) == []


def test_the_default_follows_the_variables(monkeypatch, tmp_path):
    monkeypatch.delenv("SEALANE_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert datadir.default_path() == tmp_path / "sealane"
    monkeypatch.setenv("SEALANE_DATA_DIR", str(tmp_path / "own"))
    assert datadir.default_path() == tmp_path / "own"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EROFS, "may not be written"),
        (errno.EACCES, "may not be written"),
        (errno.ENOSPC, "disk is full"),
        (errno.EIO, "error"),
    ],
)
def test_a_directory_that_cannot_be_written_is_one_sentence_with_a_way_out(code, words, monkeypatch, tmp_path):
    def refuse(self, *_args, **_kwargs):
        raise OSError(code, "Input/output error" if code == errno.EIO else "refused", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(datadir.DataDirUnusable) as caught:
        datadir.prepare(tmp_path / "x")
    assert words in caught.value.sentence
    assert str(tmp_path / "x") in caught.value.sentence
    assert "--data-dir" in caught.value.next_steps[0].command


def test_a_file_where_the_directory_should_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(datadir.DataDirUnusable):
        datadir.prepare(tmp_path / "file")


def test_a_second_up_is_refused_and_told_who_holds_it(tmp_path):
    import os

    with datadir.Lock(tmp_path), pytest.raises(datadir.DataDirBusy) as caught:
        datadir.Lock(tmp_path).__enter__()
    assert str(os.getpid()) in caught.value.sentence
    assert "--data-dir" in caught.value.next_steps[-1].command


def test_the_lock_is_free_again_after_its_holder(tmp_path):
    with datadir.Lock(tmp_path):
        pass
    with datadir.Lock(tmp_path):
        assert (tmp_path / datadir.LOCK_NAME).read_text()
