"""Writing settings: ours are merged in, the user's own stay, and what cannot be read is left alone."""

import json

import pytest
import yaml

from sealane import editors
from sealane.editors import write
from sealane.editors.types import Connection, ServedModel

CODER = ServedModel(name="qwen2.5-coder:7b", capabilities=("chat", "fim", "tools"), context=16384)
CONNECTION = Connection(root="http://127.0.0.1:8701", key="sk-sealane-k", chat=CODER, autocomplete=CODER)


def put(name, home, connection=CONNECTION):
    return write.write(editors.render(name, connection), home=home)


@pytest.mark.parametrize("name", ["continue", "opencode", "claude-code", "aider"])
def test_a_new_file_is_written_for_its_user_alone(name, tmp_path):
    written = put(name, tmp_path)
    path = tmp_path / editors.render(name, CONNECTION).path.removeprefix("~/")
    assert written == write.Written(path=str(path), changed=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "qwen2.5-coder:7b" in path.read_text()


@pytest.mark.parametrize("name", ["continue", "opencode", "claude-code", "aider"])
def test_writing_twice_changes_nothing(name, tmp_path):
    put(name, tmp_path)
    assert put(name, tmp_path).changed is False


def test_continue_keeps_the_users_models_and_replaces_ours(tmp_path):
    path = tmp_path / ".continue/config.yaml"
    path.parent.mkdir()
    path.write_text(
        "name: Mine\nversion: 2.0.0\nschema: v1\nrules: [be brief]\nmodels:\n- name: Other\n  provider: x\n  model: y\n"
    )
    put("continue", tmp_path)
    written = put("continue", tmp_path)
    document = yaml.safe_load(path.read_text())
    names = [model["name"] for model in document["models"]]
    assert names[0] == "Other"
    assert len([name for name in names if name.endswith("(Sealane)")]) == 2
    assert (document["name"], document["rules"]) == ("Mine", ["be brief"])
    assert written.changed is False
    assert "name: Mine" in (tmp_path / ".continue/config.yaml.before-sealane").read_text()


def test_opencode_keeps_other_providers(tmp_path):
    path = tmp_path / ".config/opencode/opencode.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"theme": "dark", "provider": {"other": {"npm": "x"}}}))
    put("opencode", tmp_path)
    document = json.loads(path.read_text())
    assert set(document["provider"]) == {"other", "sealane"}
    assert document["theme"] == "dark"


def test_claude_code_keeps_other_variables_and_settings(tmp_path):
    path = tmp_path / ".claude/settings.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"env": {"FOO": "1"}, "permissions": {"allow": []}}))
    put("claude-code", tmp_path)
    document = json.loads(path.read_text())
    assert document["env"]["FOO"] == "1"
    assert document["permissions"] == {"allow": []}


@pytest.mark.parametrize("content", ["models: [", "- a\n- b\n", "\ufeff: : :"])
def test_a_file_that_cannot_be_read_is_left_as_it_is(content, tmp_path):
    path = tmp_path / ".continue/config.yaml"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(write.SettingsUnwritable, match="left as it is"):
        put("continue", tmp_path)
    assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_binary_rubbish_is_left_as_it_is(tmp_path):
    path = tmp_path / ".aider.conf.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(write.SettingsUnwritable):
        put("aider", tmp_path)
    assert path.read_bytes() == b"\xff\xfe\x00"


def test_an_editor_that_keeps_its_own_store_is_not_written(tmp_path):
    with pytest.raises(write.SettingsUnwritable, match="only it writes"):
        put("cline", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_not_written_through_a_link(tmp_path):
    kept = tmp_path / "dotfiles/config.yaml"
    kept.parent.mkdir()
    kept.write_text("name: Mine\n")
    path = tmp_path / ".continue/config.yaml"
    path.parent.mkdir()
    path.symlink_to(kept)
    with pytest.raises(write.SettingsUnwritable, match="it is a link to"):
        put("continue", tmp_path)
    assert kept.read_text() == "name: Mine\n"
    assert path.is_symlink()


def test_the_backup_is_not_written_through_a_link_and_is_its_users_alone(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("whole")
    path = tmp_path / ".continue/config.yaml"
    path.parent.mkdir()
    path.write_text("name: Mine\n")
    backup = path.with_name("config.yaml.before-sealane")
    backup.symlink_to(victim)
    assert put("continue", tmp_path).backup == str(backup)
    assert victim.read_text() == "whole"
    assert not backup.is_symlink()
    assert backup.read_text() == "name: Mine\n"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert sorted(item.name for item in path.parent.iterdir()) == ["config.yaml", "config.yaml.before-sealane"]
