"""Ports: taken early, and a port in use names its holder."""

import os

import pytest

from sealane.runtime import ports


def test_port_zero_picks_a_free_one():
    with ports.listen("127.0.0.1", 0, flag="--port") as sock:
        assert ports.port_of(sock) > 1024


def test_a_port_in_use_names_the_process_and_the_way_out():
    with ports.listen("127.0.0.1", 0, flag="--port") as sock:
        port = ports.port_of(sock)
        with pytest.raises(ports.PortInUse) as caught:
            ports.listen("127.0.0.1", port, flag="--gateway-port")
    assert f"Port {port} is already in use" in caught.value.sentence
    assert f"(process {os.getpid()})" in caught.value.sentence
    assert caught.value.next_steps[0].command == "sealane up --gateway-port 0"


@pytest.mark.parametrize("host", ["256.1.1.1", "no-such-host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_told(host, monkeypatch):
    import socket

    if host.endswith("invalid"):

        def unknown(*_args: object, **_kwargs: object) -> None:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ports.AddressUnusable) as caught:
        ports.listen(host, 0, flag="--port")
    assert host in caught.value.sentence


def test_nobody_holds_a_port_that_nobody_listens_on():
    with ports.listen("127.0.0.1", 0, flag="--port") as sock:
        port = ports.port_of(sock)
    assert ports.holder_of(port) == ""
