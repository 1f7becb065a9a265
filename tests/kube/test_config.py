"""Kubeconfig as kubectl reads it; what is wrong is named with file and line, and takes nothing else away."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from kube_certificates import Authority

from sealane.kube import config
from sealane.kube.config import Context
from sealane.kube.errors import ConfigError

Write = Callable[..., Path]
CA = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()
BASE = f"""\
apiVersion: v1
kind: Config
current-context: harbor-eu
clusters:
- name: harbor
  cluster:
    server: https://harbor.example:6443/
    certificate-authority-data: {CA}
    tls-server-name: kubernetes
- name: lab
  cluster:
    server: https://10.0.0.1:6443
    insecure-skip-tls-verify: true
    proxy-url: http://proxy.example:3128
users:
- name: dana
  user:
    token: s3cret
- name: lab
  user:
    client-certificate: certs/lab.crt
    client-key: certs/lab.key
contexts:
- name: harbor-eu
  context: {{cluster: harbor, user: dana, namespace: team-a}}
- name: lab
  context: {{cluster: lab, user: lab}}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(text: str, name: str = "config") -> Path:
        path = tmp_path / name
        path.write_text(dedent(text))
        return path

    return put


def test_contexts_clusters_and_users_are_joined(write: Write) -> None:
    found = config.load([write(BASE)])
    context = found.context()
    assert found.current == "harbor-eu"
    assert (context.name, context.cluster, context.user) == ("harbor-eu", "harbor", "dana")
    assert context.server == "https://harbor.example:6443"
    assert (context.namespace, context.tls_server_name) == ("team-a", "kubernetes")
    assert context.ca_data == b"-----BEGIN CERTIFICATE-----"
    assert context.credentials.token == "s3cret"
    assert context.warnings == ()


def test_relative_paths_are_relative_to_the_file(write: Write, tmp_path: Path) -> None:
    lab = config.load([write(BASE)]).context("lab")
    assert lab.credentials.cert_file == str(tmp_path / "certs/lab.crt")
    assert lab.credentials.key_file == str(tmp_path / "certs/lab.key")
    assert lab.namespace == "default"
    assert lab.proxy_url == "http://proxy.example:3128"


def test_an_unverified_server_is_warned_about(write: Write) -> None:
    lab = config.load([write(BASE)]).context("lab")
    assert lab.insecure
    assert len(lab.warnings) == 1
    assert "anyone between here and https://10.0.0.1:6443 can read" in lab.warnings[0]


def test_an_unencrypted_server_far_away_is_warned_about(write: Write) -> None:
    far = BASE.replace("https://harbor.example:6443/", "http://harbor.example")
    near = BASE.replace("https://harbor.example:6443/", "http://127.0.0.1:8001")
    assert "not encrypted" in config.load([write(far)]).context().warnings[0]
    assert config.load([write(near)]).context().warnings == ()


def test_several_files_are_merged_and_the_first_wins(write: Write) -> None:
    first = write(BASE)
    second = write(
        """
        current-context: other
        clusters:
        - {name: harbor, cluster: {server: "https://evil"}}
        - {name: other, cluster: {server: "https://other"}}
        users: []
        contexts:
        - {name: other, context: {cluster: other, user: dana}}
        """,
        "second",
    )
    found = config.load([first, second])
    assert found.files == (first, second)
    assert found.current == "harbor-eu"
    assert found.contexts["harbor-eu"].server == "https://harbor.example:6443"
    assert found.contexts["other"].credentials.token == "s3cret"


def test_files_that_do_not_exist_are_skipped_while_one_does(write: Write, tmp_path: Path) -> None:
    assert len(config.load([tmp_path / "none", write(BASE)]).files) == 1


def test_no_file_at_all_is_said_with_the_places(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no kubeconfig at .*/a or .*/b"):
        config.load([tmp_path / "a", tmp_path / "b"])


def test_the_environment_lists_files_as_path_does(tmp_path: Path) -> None:
    assert config.default_paths({"KUBECONFIG": "/a:/b:"}) == (Path("/a"), Path("/b"))
    assert config.default_paths({}) == (Path.home() / ".kube" / "config",)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("contexts:\n- name: a\n  context: {cluster: [}\n", 3, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("- just\n- a list\n", 1, "no kubeconfig"),
        ("contexts: 5\n", 1, "should be a list"),
        ("clusters:\n- cluster: {server: x}\n", 2, "has no name"),
        ("contexts: []\nusers:\n- 7\n", 3, "should be a map"),
    ],
)
def test_a_broken_file_is_named_with_its_line(write: Write, text: str, line: int, words: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError, match=words) as caught:
        config.load([path])
    assert caught.value.line == line
    assert caught.value.file == path
    assert f"{path}, line {line}: " in caught.value.sentence


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("user: dana,", "user: diana,", 25, 'names the user "diana", which is not defined; there is dana'),
        ("cluster: harbor,", "cluster: habor,", 25, 'names the cluster "habor", which is not defined'),
        (f"data: {CA}", "data: '%%%'", 8, "certificate-authority-data is not valid base64"),
        ("https://harbor.example:6443/", "harbor.example", 7, "no usable server address"),
        ("insecure-skip-tls-verify: true", "insecure-skip-tls-verify: maybe", 13, "should be true or false"),
        ("http://proxy.example:3128", "socks5://proxy:1080", 14, "socks5://proxy:1080 is not supported"),
    ],
)
def test_a_broken_context_carries_its_problem_and_leaves_the_others(
    write: Write, old: str, new: str, line: int, words: str
) -> None:
    assert old in BASE
    found = config.load([write(BASE.replace(old, new))])
    problems = [context.problem for context in found.contexts.values() if context.problem]
    assert len(found.contexts) == 2
    assert len(problems) == 1
    assert words in problems[0].sentence
    assert problems[0].line == line


def test_an_unknown_context_is_answered_with_the_nearest(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"no context harbour-eu .* did you mean harbor-eu"):
        config.load([write(BASE)]).context("harbour-eu")


def test_no_current_context_is_said(write: Write) -> None:
    with pytest.raises(ConfigError, match="names no current-context"):
        config.load([write("contexts: []\n")]).context()


EXEC = """\
clusters: [{name: c, cluster: {server: "https://c"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./bin/login
      args: [token, --profile, "7"]
      env: [{name: PROFILE, value: dev}]
      installHint: Get it from your platform team.
      interactiveMode: Never
      provideClusterInfo: true
"""


def test_a_plugin_is_read_and_not_run(write: Write, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    tool = tmp_path / "bin" / "login"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\ntouch {ran}\n")
    tool.chmod(0o755)
    plugin = config.load([write(EXEC)]).contexts["c"].credentials.exec
    assert plugin is not None
    assert plugin.command == str(tool)
    assert plugin.args == ("token", "--profile", "7")
    assert plugin.env == (("PROFILE", "dev"),)
    assert plugin.install_hint == "Get it from your platform team."
    assert (plugin.interactive_mode, plugin.provide_cluster_info) == ("Never", True)
    assert not ran.exists()


def test_a_plugin_without_a_path_is_searched_on_path(write: Write) -> None:
    plugin = config.load([write(EXEC.replace("./bin/login", "aws"))]).contexts["c"].credentials.exec
    assert plugin is not None
    assert plugin.command == "aws"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("k8s.io/v1\n", "k8s.io/v1alpha1\n", "client.authentication.k8s.io/v1alpha1"),
        ("command: ./bin/login", "comand: x", "has no command"),
        ("Mode: Never", "Mode: Sometimes", "should be Never, IfAvailable or Always"),
    ],
)
def test_a_plugin_that_cannot_work_is_a_problem_of_its_context(write: Write, old: str, new: str, words: str) -> None:
    assert old in EXEC
    problem = config.load([write(EXEC.replace(old, new))]).contexts["c"].problem
    assert problem is not None
    assert words in problem.sentence


def test_commands_for_people_name_the_file_unless_it_is_the_default(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(BASE)
    assert config.load([path]).context().target().kubectl("get pods") == (
        f"kubectl --kubeconfig {path} --context harbor-eu get pods"
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert config.load().context().target().kubectl("get pods") == "kubectl --context harbor-eu get pods"


def test_secrets_are_not_in_a_repr(write: Write) -> None:
    assert "s3cret" not in repr(config.load([write(BASE)]))


def test_impersonation_is_read(write: Write) -> None:
    text = BASE.replace("token: s3cret", "token: s3cret\n    as: bob\n    as-groups: [team-a, team-b]")
    credentials = config.load([write(text)]).context().credentials
    assert credentials.impersonate_user == "bob"
    assert credentials.impersonate_groups == ("team-a", "team-b")


def test_uid_and_extra_of_an_impersonation_are_read(write: Write) -> None:
    more = "as: bob\n    as-uid: u-1\n    as-user-extra: {scopes: [view, edit], team/x: [a]}"
    credentials = with_user(write, f"token: s3cret\n    {more}").credentials
    assert credentials.impersonate_uid == "u-1"
    assert credentials.impersonate_extra == (("scopes", "view"), ("scopes", "edit"), ("team/x", "a"))


@pytest.mark.parametrize("more", ["as-groups: [a]", "as-uid: u", "as-user-extra: {a: [b]}"])
def test_groups_without_a_user_to_act_for_are_refused(write: Write, more: str) -> None:
    found = config.load([write(BASE.replace("token: s3cret", f"token: s3cret\n    {more}"))]).context()
    assert found.problem is not None
    assert f"sets {more.partition(':')[0]} without as" in found.problem.sentence
    assert found.problem.line == 19


OIDC = """auth-provider:
      name: oidc
      config:
        idp-issuer-url: https://id.example/dex
        client-id: kubernetes
        client-secret: hush
        id-token: a.b.c
        refresh-token: r1
        idp-certificate-authority: certs/idp.crt"""


def test_an_oidc_sign_in_is_read_and_said_to_be_renewed_in_memory_alone(write: Write, tmp_path: Path) -> None:
    context = config.load([write(BASE.replace("token: s3cret", OIDC))]).context()
    found = context.credentials.oidc
    assert found is not None
    assert (found.issuer, found.client_id, found.client_secret) == ("https://id.example/dex", "kubernetes", "hush")
    assert (found.id_token, found.refresh_token, found.user) == ("a.b.c", "r1", "dana")
    assert found.ca_file == str(tmp_path / "certs/idp.crt")
    assert "renewed in memory alone; the kubeconfig is not written" in context.warnings[0]
    assert "hush" not in repr(context)


def test_a_secret_is_not_taken_to_an_issuer_in_the_clear(write: Write) -> None:
    text = BASE.replace("token: s3cret", OIDC.replace("https://id", "http://id"))
    problem = config.load([write(text)]).context().problem
    assert problem is not None
    assert "idp-issuer-url should begin with https://" in problem.sentence


def test_another_auth_provider_is_warned_about(write: Write) -> None:
    context = config.load([write(BASE.replace("token: s3cret", "auth-provider: {name: gcp}"))]).context()
    assert "auth-provider gcp is known neither to Sealane nor to kubectl since 1.26" in context.warnings[0]


def test_a_plugin_beside_an_auth_provider_is_refused(write: Write) -> None:
    both = "exec: {apiVersion: client.authentication.k8s.io/v1, command: x}\n    auth-provider: {name: oidc}"
    problem = config.load([write(BASE.replace("token: s3cret", both))]).context().problem
    assert problem is not None
    assert "both exec and auth-provider" in problem.sentence


def test_the_password_of_a_refused_proxy_is_not_told(write: Write) -> None:
    text = BASE.replace("http://proxy.example:3128", "socks5://dana:hush@proxy:1080")
    problem = config.load([write(text)]).context("lab").problem
    assert problem is not None
    assert "socks5://proxy:1080 is not supported" in problem.sentence
    assert "hush" not in str(problem.to_json())


def jwt(**claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def with_user(write: Write, text: str) -> Context:
    return config.load([write(BASE.replace("token: s3cret", text))]).context()


def test_another_namespace_or_another_line_is_the_same_person(write: Write) -> None:
    one = config.load([write(BASE)]).context()
    moved = "# moved\n" + BASE.replace("namespace: team-a", "namespace: team-b")
    assert config.same_person(one, config.load([write(moved)]).context())


@pytest.mark.parametrize("field", ["token: {}", "auth-provider: {{name: oidc, config: {{id-token: {}}}}}"])
def test_a_renewed_token_of_the_same_subject_is_the_same_person(write: Write, field: str) -> None:
    first = with_user(write, field.format(jwt(iss="i", sub="dana", exp=1)))
    later = with_user(write, field.format(jwt(iss="i", sub="dana", exp=2)))
    other = with_user(write, field.format(jwt(iss="i", sub="bob", exp=2)))
    fewer = with_user(write, field.format(jwt(iss="i", sub="dana", groups=["x"])))
    assert config.same_person(first, later)
    assert not config.same_person(first, other)
    assert not config.same_person(first, fewer)


def test_opaque_tokens_are_two_persons_and_so_is_another_server_or_plugin(write: Write) -> None:
    one = config.load([write(BASE)]).context()
    assert not config.same_person(one, with_user(write, "token: other"))
    assert not config.same_person(one, config.load([write(BASE.replace("harbor.example", "elsewhere"))]).context())
    plugin = "exec: {{apiVersion: client.authentication.k8s.io/v1, command: aws, args: [{}]}}"
    assert not config.same_person(with_user(write, plugin.format("a")), with_user(write, plugin.format("b")))


def test_a_renewed_certificate_with_the_same_subject_is_the_same_person(write: Write) -> None:
    authority = Authority()

    def entry(name: str) -> Context:
        pair = [base64.b64encode(part).decode() for part in authority.issue(name)]
        return with_user(write, f"client-certificate-data: {pair[0]}\n    client-key-data: {pair[1]}")

    assert config.same_person(entry("dana"), entry("dana"))
    assert not config.same_person(entry("dana"), entry("bob"))


def test_a_user_may_have_no_body(write: Write) -> None:
    text = BASE.replace("  user:\n    token: s3cret\n", "  user: null\n")
    assert config.load([write(text)]).context().problem is None


def test_the_account_of_a_pod_is_found(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("ca")
    (tmp_path / "namespace").write_text("team-a\n")
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
    context = config.in_cluster(environ, account=tmp_path)
    assert context is not None
    assert context.server == "https://10.96.0.1:6443"
    assert context.namespace == "team-a"
    assert context.credentials.token_file == str(tmp_path / "token")
    assert context.ca_file == str(tmp_path / "ca.crt")


def test_an_account_over_ipv6_is_an_address(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    context = config.in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1"}, account=tmp_path)
    assert context is not None
    assert context.server == "https://[fd00::1]:443"


def test_outside_a_cluster_there_is_no_account(tmp_path: Path) -> None:
    assert config.in_cluster({}, account=tmp_path) is None
    assert config.in_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, account=tmp_path) is None


def test_no_argument_of_a_plugin_and_no_password_of_a_proxy_is_in_a_repr(write: Write) -> None:
    given = "args: [--pw=hush], env: [{name: A, value: hush}]"
    plugin = f"exec: {{apiVersion: client.authentication.k8s.io/v1, command: x, {given}}}"
    text = BASE.replace("token: s3cret", plugin).replace("http://proxy", "http://me:hush@proxy")
    loaded = config.load([write(text)])
    assert loaded.context().credentials.exec is not None
    assert "hush" in loaded.context("lab").proxy_url
    assert "hush" not in repr((loaded, loaded.context().credentials.exec))


def test_a_kubeconfig_without_end_is_refused(write: Write, tmp_path: Path) -> None:
    link = tmp_path / "endless"
    link.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="larger than 16,777,216 bytes"):
        config.load([link])


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_a_kubeconfig_that_nests_without_end_is_no_crash(write: Write, opening: str) -> None:
    with pytest.raises(ConfigError):
        config.load([write(opening * 100_000)])
