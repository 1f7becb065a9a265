"""What is built once per `up`: by which names its gateway may be asked without a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane.runtime import parts


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_gateway_of_this_computer_answers_to_its_own_names_alone(tmp_path: Path, host: str) -> None:
    built = parts.build(data_dir=tmp_path, host=host, console_port=1, gateway_port=2)
    built.database.close()
    assert {"127.0.0.1", "localhost", "[::1]"} <= built.gateway_settings.hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "box.example"])
def test_a_gateway_on_a_network_answers_to_the_names_that_others_give_it(tmp_path: Path, host: str) -> None:
    built = parts.build(data_dir=tmp_path, host=host, console_port=1, gateway_port=2)
    built.database.close()
    assert built.gateway_settings.hosts == frozenset()
