"""Every editor's file or fields: the right address, key, exact tag, roles and the context that is loaded."""

import json

import pytest
import yaml

from sealane import editors
from sealane.editors.types import Connection, ServedModel, output_tokens

CODER = ServedModel(name="qwen2.5-coder:7b", capabilities=("chat", "fim", "tools"), context=16384)
EMBED = ServedModel(name="nomic-embed-text:latest", capabilities=("embedding",), context=2048)
PLAIN = ServedModel(name="gemma3:4b", capabilities=("chat", "vision"), context=4096)
FULL = Connection(root="http://127.0.0.1:8701", key="sk-sealane-k", chat=CODER, autocomplete=CODER, embed=EMBED)
BARE = Connection(root="http://127.0.0.1:8701", key="sk-sealane-k", chat=PLAIN)
ONLY_EMBED = Connection(root="http://127.0.0.1:8701", key="sk-sealane-k", chat=None, embed=EMBED)

ALL = sorted(editors.EDITORS)


@pytest.mark.parametrize("name", ALL)
def test_every_editor_names_the_address_and_the_exact_tag(name):
    config = editors.render(name, FULL)
    assert config.editor == name
    assert "127.0.0.1:8701" in config.content
    assert "qwen2.5-coder:7b" in config.content
    assert config.content.endswith("\n")


@pytest.mark.parametrize("name", ALL)
def test_every_editor_is_told_the_key(name):
    config = editors.render(name, FULL)
    assert "sk-sealane-k" in config.content + " ".join(config.notes)


@pytest.mark.parametrize("name", ALL)
def test_every_editor_copes_with_a_model_that_only_chats_and_one_that_only_embeds(name):
    assert "gemma3:4b" in editors.render(name, BARE).content
    assert editors.render(name, ONLY_EMBED).content
    assert all(call.role == "embed" for call in editors.find(name).calls(ONLY_EMBED))


@pytest.mark.parametrize("name", ["vscode", "zed", "opencode", "claude-code"])
def test_json_settings_are_valid_json(name):
    assert json.loads(editors.render(name, FULL).content)


@pytest.mark.parametrize("name", ["continue", "aider"])
def test_yaml_settings_are_valid_yaml(name):
    assert isinstance(yaml.safe_load(editors.render(name, FULL).content), dict)


def test_continue_gets_one_model_a_role_with_the_context_that_is_loaded():
    document = yaml.safe_load(editors.render("continue", FULL).content)
    assert (document["schema"], document["version"]) == ("v1", "1.0.0")
    by_role = {role: model for model in document["models"] for role in model["roles"]}
    assert by_role["chat"]["apiBase"] == "http://127.0.0.1:8701/v1"
    assert by_role["chat"]["provider"] == "openai"
    assert by_role["edit"] is by_role["apply"] is by_role["chat"]
    assert by_role["chat"]["defaultCompletionOptions"]["contextLength"] == 16384
    assert by_role["chat"]["capabilities"] == ["tool_use"]
    assert by_role["autocomplete"]["provider"] == "ollama"
    assert by_role["autocomplete"]["apiBase"] == "http://127.0.0.1:8701"
    assert by_role["autocomplete"]["defaultCompletionOptions"]["contextLength"] == 16384
    assert by_role["embed"]["model"] == "nomic-embed-text:latest"


def test_continue_says_that_it_is_at_its_end_of_life_and_what_is_left_out():
    notes = " ".join(editors.render("continue", BARE).notes)
    assert "end of life" in notes
    assert "autocomplete is left out" in notes
    assert "codebase search is left out" in notes
    assert "left out" not in " ".join(editors.render("continue", FULL).notes)


def test_vscode_gets_a_custom_endpoint_whose_tokens_add_up_to_the_loaded_context():
    (provider,) = json.loads(editors.render("vscode", FULL).content)
    (model,) = provider["models"]
    assert provider["vendor"] == "customendpoint"
    assert model["url"] == "http://127.0.0.1:8701/v1/chat/completions"
    assert model["maxInputTokens"] + model["maxOutputTokens"] == 16384
    assert model["toolCalling"] is True
    assert any("cannot call functions" in note for note in editors.render("vscode", BARE).notes)


def test_zed_never_has_the_key_in_its_settings_file():
    config = editors.render("zed", FULL)
    assert "sk-sealane-k" not in config.content
    settings = json.loads(config.content)
    (model,) = settings["language_models"]["openai_compatible"]["Sealane"]["available_models"]
    assert model["max_tokens"] == 16384
    assert settings["edit_predictions"]["open_ai_compatible_api"]["api_url"].endswith("/v1/completions")
    assert "edit_predictions" not in json.loads(editors.render("zed", BARE).content)


def test_opencode_limits_are_the_loaded_context():
    document = json.loads(editors.render("opencode", FULL).content)
    assert document["model"] == "sealane/qwen2.5-coder:7b"
    limit = document["provider"]["sealane"]["models"]["qwen2.5-coder:7b"]["limit"]
    assert limit == {"context": 16384, "output": output_tokens(16384)}


def test_claude_code_gets_the_root_address_and_a_bearer_token():
    env = json.loads(editors.render("claude-code", FULL).content)["env"]
    assert env["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8701"
    assert env["ANTHROPIC_AUTH_TOKEN"] == "sk-sealane-k"
    assert "ANTHROPIC_API_KEY" not in env
    assert any("16,384" in note for note in editors.render("claude-code", FULL).notes)


def test_cline_warns_of_a_context_that_is_too_small_for_it():
    assert any("raise its context" in note for note in editors.render("cline", BARE).notes)
    wide = Connection(
        root="http://h:1", key="k", chat=ServedModel(name="m:1", capabilities=("chat", "tools"), context=65536)
    )
    assert not any("raise its context" in note for note in editors.render("cline", wide).notes)


def test_aider_uses_the_prefix_of_its_openai_client():
    document = yaml.safe_load(editors.render("aider", FULL).content)
    assert document["model"] == "openai/qwen2.5-coder:7b"
    assert document["openai-api-base"].endswith("/v1")


def test_the_python_snippet_compiles_for_chat_and_for_embeddings():
    for connection in (FULL, ONLY_EMBED):
        snippet = compile(editors.render("python", connection).content, "snippet.py", "exec")
        assert "client" in snippet.co_names


def test_the_curl_snippet_is_one_command_that_a_shell_splits_back_into_its_parts():
    import shlex

    words = shlex.split(editors.render("curl", FULL).content.replace("\\\n", " "))
    assert words[0] == "curl"
    body = json.loads(words[words.index("-d") + 1])
    assert body["model"] == "qwen2.5-coder:7b"
    assert "Authorization: Bearer sk-sealane-k" in words


def test_an_unknown_editor_is_told_with_the_nearest():
    with pytest.raises(editors.UnknownEditor) as caught:
        editors.render("vs-code", FULL)
    assert "vscode" in caught.value.sentence
    assert caught.value.exit_code == 2


def test_an_editor_is_found_by_its_title_in_any_case():
    assert editors.find("Claude CODE").id == "claude-code"


@pytest.mark.parametrize(("context", "output"), [(512, 256), (4096, 1024), (16384, 4096), (131072, 4096)])
def test_an_answer_may_take_a_quarter_of_the_context_within_bounds(context, output):
    assert output_tokens(context) == output
