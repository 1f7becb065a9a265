"""The pure parts of the loopback kubelet: environments, volumes, states, logs, probes, wishes of readers."""

from __future__ import annotations

import datetime
import io
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.kubelet import probes, sandbox
from rig.kubelet.container import Conditions, Container, phase, pod_status
from rig.kubelet.environment import ConfigMissing, command_line, environment, expand, field_of
from rig.kubelet.logs import Log, Wish
from rig.kubelet.probes import Care, Probe, Target
from rig.kubelet.sandbox import AddressPool
from rig.kubelet.server import wish_of
from rig.kubelet.volumes import Volumes
from rig.kubelet.worker import is_runnable

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "team-a", "uid": "u1", "labels": {"app": "x"}, "annotations": {"a/b": "c"}},
    "spec": {"nodeName": "gpu-a", "containers": [{"name": "c", "image": "i"}]},
}
STORED = {("configmaps", "settings"): {"MODE": "fast"}, ("secrets", "login"): {"KEY": "s3cret"}}


def look(kind: str, name: str) -> Mapping[str, str] | None:
    return STORED.get((kind, name))


def env_of(**container: object) -> dict[str, str]:
    return environment(container, pod=POD, image={"PATH": "/bin"}, address="10.200.1.1", lookup=look)


# ---- command lines and environments


def test_ollamas_image_serves_unless_told_otherwise() -> None:
    assert command_line({}, {}) == ["ollama", "serve"]
    assert command_line({"args": ["list"]}, {}) == ["ollama", "list"]
    assert command_line({"command": ["/bin/ollama"], "args": ["serve"]}, {}) == ["ollama", "serve"]
    assert command_line({"command": ["sh", "-c", "echo $(A) $$(A)"]}, {"A": "1"}) == ["sh", "-c", "echo 1 $(A)"]


def test_variables_come_from_values_fields_config_maps_and_secrets() -> None:
    env = env_of(
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "X_"}],
        env=[
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)2"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "login", "key": "KEY"}}},
        ],
    )
    assert env == {"PATH": "/bin", "X_MODE": "fast", "A": "1", "B": "12", "NODE": "gpu-a", "KEY": "s3cret"}


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ({"secretKeyRef": {"name": "none", "key": "K"}}, 'secret "none" not found'),
        ({"configMapKeyRef": {"name": "settings", "key": "K"}}, 'configmap "settings" has no key "K"'),
    ],
)
def test_a_missing_reference_says_what_is_missing_unless_it_is_optional(
    reference: dict[str, dict[str, object]], sentence: str
) -> None:
    with pytest.raises(ConfigMissing, match=sentence):
        env_of(env=[{"name": "V", "valueFrom": reference}])
    optional = {kind: {**wish, "optional": True} for kind, wish in reference.items()}
    assert "V" not in env_of(env=[{"name": "V", "valueFrom": optional}])


def test_a_missing_source_of_many_variables_is_an_error_unless_it_is_optional() -> None:
    with pytest.raises(ConfigMissing):
        env_of(envFrom=[{"secretRef": {"name": "none"}}])
    assert env_of(envFrom=[{"secretRef": {"name": "none", "optional": True}}]) == {"PATH": "/bin"}


def test_the_downward_api_gives_addresses_labels_and_annotations() -> None:
    assert field_of(POD, "status.podIP", address="10.0.0.1") == "10.0.0.1"
    assert field_of(POD, "metadata.labels['app']", address="") == "x"
    assert field_of(POD, "metadata.annotations['a/b']", address="") == "c"
    assert field_of(POD, "metadata.nothing.here", address="") == ""


@given(st.text(alphabet="ab$() ", max_size=20))
def test_text_without_known_names_changes_in_its_doubled_dollars_alone(text: str) -> None:
    assert expand(text, {}).count("$") <= text.count("$")
    assert expand(text.replace("$", ""), {}) == text.replace("$", "")


# ---- volumes


def volumes(folder: Path) -> Volumes:
    return Volumes(folder=folder, lookup=look, claims=lambda name: folder / "claims" / name, token=lambda: "jwt")


def test_claims_empty_folders_config_maps_secrets_and_tokens_become_mounts(tmp_path: Path) -> None:
    names = ("weights", "scratch", "settings", "login", "token")
    sources: list[dict[str, object]] = [
        {"persistentVolumeClaim": {"claimName": "kept"}},
        {"emptyDir": {}},
        {"configMap": {"name": "settings"}},
        {"secret": {"secretName": "login", "items": [{"key": "KEY", "path": "id"}]}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ]
    spec = {"volumes": [{"name": n, **s} for n, s in zip(names, sources, strict=True)]}
    wishes = [{"name": name, "mountPath": f"/{name}", "readOnly": name == "login"} for name in names]
    mounts = {m.target: m for m in volumes(tmp_path).mounts({"spec": spec}, {"volumeMounts": wishes})}
    assert mounts["/weights"].source == tmp_path / "claims" / "kept"
    assert list(mounts["/scratch"].source.iterdir()) == []
    assert (mounts["/settings"].source / "MODE").read_text() == "fast"
    assert (mounts["/login"].source / "id").read_text() == "s3cret"
    assert mounts["/login"].read_only
    assert (mounts["/token"].source / "token").read_text() == "jwt"


def test_a_missing_secret_stops_the_mount_and_an_optional_one_is_empty(tmp_path: Path) -> None:
    for optional in (False, True):
        pod = {"spec": {"volumes": [{"name": "v", "secret": {"secretName": "none", "optional": optional}}]}}
        wish = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        if optional:
            assert list(volumes(tmp_path).mounts(pod, wish)[0].source.iterdir()) == []
        else:
            with pytest.raises(ConfigMissing, match='secret "none" not found'):
                volumes(tmp_path).mounts(pod, wish)


# ---- states


def ended(code: int) -> Container:
    container = Container({"name": "c", "image": "i"})
    container.run()
    container.end(code)
    return container


@pytest.mark.parametrize(
    ("policy", "code", "message"),
    [("FallbackToLogsOnError", 1, "no such model\n"), ("FallbackToLogsOnError", 0, None), ("File", 1, None)],
)
def test_the_last_words_of_a_failure_are_kept_where_the_manifest_asks(
    tmp_path: Path, policy: str, code: int, message: str | None
) -> None:
    container = Container({"name": "c", "image": "i", "terminationMessagePolicy": policy})
    container.logs.append(Log(tmp_path / "log"))
    container.logs[-1].path.write_bytes(b"2026-11-24T12:00:00Z no such model\n")
    container.run()
    container.end(code)
    assert container.state["terminated"].get("message") == message


def running() -> Container:
    container = Container({"name": "c", "image": "i"})
    container.run()
    return container


@pytest.mark.parametrize(
    ("inits", "mains", "policy", "expected"),
    [
        ([], [Container({"name": "c", "image": "i"})], "Always", "Pending"),
        ([running()], [Container({"name": "c", "image": "i"})], "Always", "Pending"),
        ([ended(0)], [running()], "Always", "Running"),
        ([], [ended(1)], "Always", "Running"),
        ([], [ended(0)], "OnFailure", "Succeeded"),
        ([], [ended(1)], "OnFailure", "Running"),
        ([], [ended(1)], "Never", "Failed"),
        ([], [ended(0), running()], "Never", "Running"),
        ([ended(2)], [Container({"name": "c", "image": "i"})], "Never", "Failed"),
    ],
)
def test_the_phase_follows_from_states_and_restart_policy(
    inits: list[Container], mains: list[Container], policy: str, expected: str
) -> None:
    assert phase(inits, mains, policy=policy) == expected


def test_a_signal_is_told_as_128_and_its_number() -> None:
    assert ended(-9).exit_code == 137
    assert ended(3).status("u")["state"]["terminated"]["reason"] == "Error"


def test_the_last_state_is_how_the_run_before_this_one_ended() -> None:
    container = ended(1)
    assert container.status("u")["lastState"] == {}
    container.wait("CrashLoopBackOff", "back-off")
    container.restarts += 1
    container.run()
    status = container.status("u")
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert "running" in status["state"]
    container.end(0)
    assert container.status("u")["lastState"]["terminated"]["exitCode"] == 1


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    conditions = Conditions()
    (first,) = conditions.update({"Ready": False})
    conditions._known["Ready"] = ("False", "then")
    assert conditions.update({"Ready": False})[0]["lastTransitionTime"] == "then"
    assert conditions.update({"Ready": True})[0]["lastTransitionTime"] >= first["lastTransitionTime"]


def test_a_pod_that_initialises_has_an_address_and_is_not_ready() -> None:
    status = pod_status(
        POD,
        inits=[running()],
        mains=[Container({"name": "c", "image": "i"})],
        conditions=Conditions(),
        node_address="10.200.0.10",
        address="10.200.1.1",
        began="t",
    )
    held = {c["type"]: c["status"] for c in status["conditions"]}
    assert (status["phase"], status["podIP"]) == ("Pending", "10.200.1.1")
    assert (held["Initialized"], held["Ready"], held["PodReadyToStartContainers"]) == ("False", "False", "True")
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("ollama/ollama:0.23.0", True),
        ("docker.io/ollama/ollama:0.23.0@sha256:00", True),
        ("ollama/ollama", True),
        ("example/ollama/ollama:1", False),
        ("busybox", False),
    ],
)
def test_only_ollamas_image_is_run_for_real(image: str, expected: bool) -> None:
    assert is_runnable({"image": image}) is expected


def test_pod_addresses_are_all_different_and_stay_in_their_cluster() -> None:
    pool = AddressPool(1)
    addresses = [pool.take()[1] for _ in range(600)]
    assert len(set(addresses)) == 600
    assert {address.rsplit(".", 2)[0] for address in addresses} == {"10.201"}
    assert (addresses[0], pool.gateway) == ("10.201.1.1", "10.201.0.1")


# ---- logs


def log_of(tmp_path: Path, *lines: str) -> Log:
    log = Log(tmp_path / "c.log")
    log.path.write_text("".join(f"2026-01-01T00:00:0{i}.000000000Z {line}\n" for i, line in enumerate(lines)))
    return log


def test_a_log_is_read_whole_by_its_end_and_since_a_time(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one", "two", "three")
    since = datetime.datetime(2026, 1, 1, 0, 0, 2, tzinfo=datetime.UTC)
    assert b"".join(log.read(Wish())) == b"one\ntwo\nthree\n"
    assert b"".join(log.read(Wish(tail=1))) == b"three\n"
    assert b"".join(log.read(Wish(tail=0))) == b""
    assert b"".join(log.read(Wish(since=since))) == b"three\n"
    assert b"".join(log.read(Wish(tail=1, timestamps=True))).startswith(b"2026-01-01T00:00:02")


def test_following_brings_what_comes_later_and_ends_with_the_container(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one")
    lines = log.read(Wish(follow=True))
    assert next(lines) == b"one\n"
    with log.path.open("a") as more:
        more.write("2026-01-01T00:00:09.000000000Z two\n")
    assert next(lines) == b"two\n"
    log.done.set()
    assert list(lines) == []


def test_following_ends_when_the_reader_is_stopped(tmp_path: Path) -> None:
    log = log_of(tmp_path, "one")
    assert list(log.read(Wish(follow=True), stopped=lambda: True)) == [b"one\n"]


def test_collecting_stamps_each_line_and_completes_the_last(tmp_path: Path) -> None:
    process = subprocess.Popen(["printf", "a\\nb"], stdout=subprocess.PIPE)
    log = Log(tmp_path / "c.log")
    log.collect(process).join(timeout=10)
    process.wait()
    assert log.done.is_set()
    assert b"".join(log.read(Wish())) == b"a\nb\n"


def test_a_readers_wish_is_taken_from_the_query_of_the_api_server() -> None:
    wish = wish_of({"follow": "true", "tailLines": "5", "timestamps": "true", "sinceTime": "2026-01-01T00:00:00Z"})
    assert (wish.follow, wish.tail, wish.timestamps) == (True, 5, True)
    assert wish.since == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert wish_of({}) == Wish()


# ---- probes


class Asked:
    """A container whose probes are answered from a list; the run is over when the list is used up."""

    def __init__(self, *answers: bool) -> None:
        self.answers, self.over = list(answers), threading.Event()
        self.state = Container({"name": "c", "image": "i"})
        self.told: list[str] = []

    def execute(self, argv: object, limit: float) -> bool:
        answer = self.answers.pop(0)
        if not self.answers:
            self.over.set()
        return answer

    def target(self, **kinds: object) -> Target:
        return Target(container={"name": "c", **kinds}, address="127.0.0.1", execute=self.execute)

    def care(self) -> Care:
        return Care(
            state=self.state,
            changed=lambda: self.told.append("changed"),
            restart=self.told.append,
            unready=lambda: self.told.append("unready"),
        )


def changes(*answers: bool, **spec: object) -> list[bool]:
    asked, heard = Asked(*answers, True), []
    probe = Probe(spec={"exec": {"command": ["x"]}, "periodSeconds": 0, **spec}, target=asked.target())
    probes.watch(probe, over=asked.over, on_change=heard.append)
    return heard


def test_a_probe_changes_its_mind_after_as_many_answers_as_it_says() -> None:
    assert changes(True, False, False, True, True) == [True]
    assert changes(True, False, False, False, True, True) == [True, False, True]
    assert changes(True, False, True, failureThreshold=1) == [True, False, True]
    assert changes(True, True, True, True, successThreshold=3) == [True]


def test_while_starting_noes_count_by_the_time_that_the_manifest_grants() -> None:
    assert changes(False, False, False, False, False, periodSeconds=0.01, failureThreshold=100) == []
    assert changes(False, False, False, failureThreshold=3) == [False]


def test_without_probes_a_container_is_ready_at_once() -> None:
    asked = Asked()
    probes.start_probes(asked.target(), asked.care(), over=asked.over)
    assert (asked.state.started, asked.state.ready, asked.told) == (True, True, ["changed"])


def test_a_readiness_probe_holds_ready_back_until_it_succeeds() -> None:
    asked = Asked(False, True, True)
    spec = {"exec": {"command": ["x"]}, "periodSeconds": 0.01}
    care = asked.care()
    probes.start_probes(asked.target(readinessProbe=spec), care, over=asked.over)
    assert asked.over.wait(10)
    assert asked.state.started


def test_a_port_that_nobody_listens_on_fails_an_http_and_a_tcp_probe() -> None:
    target = Asked().target(ports=[{"name": "http", "containerPort": 9}])
    for kind in ({"httpGet": {"path": "/", "port": "http"}}, {"tcpSocket": {"port": 9}}):
        assert not Probe(spec=kind, target=target).succeeds()


# ---- ending


def test_ending_a_process_that_ignores_the_term_signal_kills_it_after_its_grace() -> None:
    process = subprocess.Popen(
        ["sh", "-c", "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.05; done' & wait"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert isinstance(process.stdout, io.BufferedReader)
    process.stdout.readline()
    sandbox.end(process, grace=0.2)
    assert process.returncode is not None
    os.killpg(process.pid, signal.SIGKILL)  # what it left: only a process tree of its own would have gone with it
    process.stdout.close()
