"""Protobuf bodies of typed clients become the same objects as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.sandbox.api import protobuf
from sealane.sandbox.api.errors import StatusError


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def text(number: int, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + text(1, text(1, api_version) + text(2, kind)) + text(2, raw) + text(3, "") + text(4, "")


def test_a_deployment_keeps_an_optional_zero_and_drops_gos_empty_fields() -> None:
    meta = text(1, "web") + text(2, "") + integer(7, 0) + text(8, b"") + text(11, text(1, "app") + text(2, "x"))
    port = text(1, "") + integer(2, 0) + integer(3, 80) + text(4, "TCP")
    container = text(1, "c") + text(2, "nginx") + text(6, port)
    template = text(2, text(2, container))
    spec = integer(1, 0) + text(3, template) + integer(5, 0)
    made = protobuf.decode(body("apps/v1", "Deployment", text(1, meta) + text(2, spec) + text(3, b"")))
    assert made == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "x"}},
        "spec": {
            "replicas": 0,
            "template": {
                "spec": {
                    "containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]
                }
            },
        },
    }


def test_inlined_messages_stand_in_their_owner() -> None:
    volume = text(1, "w") + text(2, text(2, b""))
    pod = text(2, text(1, volume))
    made = protobuf.decode(body("v1", "Pod", pod))
    assert made["spec"]["volumes"] == [{"name": "w", "emptyDir": {}}]


def test_bytes_quantities_int_or_string_and_times_are_read() -> None:
    secret = protobuf.decode(body("v1", "Secret", text(2, text(1, "k") + text(2, b"\x00\xff"))))
    assert secret["data"] == {"k": "AP8="}
    quota = protobuf.decode(body("v1", "ResourceQuota", text(2, text(1, text(1, "pods") + text(2, text(1, "5"))))))
    assert quota["spec"]["hard"] == {"pods": "5"}
    named = text(1, "") + text(2, "TCP") + integer(3, 80) + text(4, integer(1, 1) + integer(2, 0) + text(3, "http"))
    numbered = integer(3, 81) + text(4, integer(1, 0) + integer(2, 8080) + text(3, ""))
    service = protobuf.decode(body("v1", "Service", text(2, text(1, named) + text(1, numbered))))
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http", 8080]
    event = protobuf.decode(body("v1", "Event", text(6, integer(1, 1_780_315_200))))
    assert event["firstTimestamp"] == "2026-06-01T12:00:00Z"


def test_a_repeated_empty_text_stays() -> None:
    rule = text(1, "get") + text(2, "") + text(3, "pods")
    made = protobuf.decode(body("rbac.authorization.k8s.io/v1", "Role", text(2, rule)))
    assert made["rules"] == [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]


def test_negative_numbers_are_twos_complement() -> None:
    made = protobuf.decode(body("autoscaling/v1", "Scale", text(2, integer(1, -3))))
    assert made["spec"] == {"replicas": -3}


def test_options_of_a_delete_are_read_in_any_group() -> None:
    raw = integer(1, 0) + text(4, "Foreground")
    made = protobuf.decode(body("apps/v1", "DeleteOptions", raw))
    assert (made["gracePeriodSeconds"], made["propagationPolicy"]) == (0, "Foreground")


def test_an_unknown_kind_is_an_unsupported_encoding() -> None:
    with pytest.raises(StatusError) as caught:
        protobuf.decode(body("example.com/v1", "Widget", b""))
    assert caught.value.code == 415


@given(st.binary(max_size=60))
def test_rubbish_is_refused_but_never_breaks(data: bytes) -> None:
    for raw in (data, b"k8s\x00" + data, body("v1", "Pod", data)):
        try:
            made: Any = protobuf.decode(raw)
        except StatusError as error:
            made = error.status()
        assert isinstance(made, dict)


async def test_a_protobuf_body_is_stored_like_any_other(api: Any) -> None:
    raw = body("v1", "ConfigMap", text(1, text(1, "c")) + text(2, text(1, "a") + text(2, "b")))
    path = "/api/v1/namespaces/team/configmaps"
    answer = await api.call("POST", path, raw, content_type="application/vnd.kubernetes.protobuf")
    assert (answer.status, answer.json["data"]) == (201, {"a": "b"})
