"""Connections that are cut and an API server that is gone for seconds, as the console tells them.

The sandbox's own faults break what `up` really holds: watches over HTTPS. Pages are asked until they say it; that they
are right again within the seconds that are promised is measured by bench.recovery, on a machine that does nothing else.
"""

import asyncio
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from product import product

from sealane.kube import config
from sealane.kube.client import Client

pytestmark = pytest.mark.xdist_group("journey")

CLUSTER, WITHIN = "atlas-us", 30.0


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A product of its own: what is broken here is nobody else's."""
    with product(tmp_path_factory.mktemp("data")) as found:
        yield found


def ask(up) -> Any:
    """The page about the clusters, as JSON."""
    headers = {"Authorization": f"Bearer {up.token}"}
    with urllib.request.urlopen(urllib.request.Request(f"{up.console}/clusters.json", headers=headers)) as answer:
        return json.load(answer)


def told(page: Any) -> Any:
    """How far the page says that its part about the cluster may be trusted."""
    return next(each for each in page["freshness"] if each["cluster"] == CLUSTER)


def seen(page: Any) -> Any:
    return next(each for each in page["clusters"] if each["cluster"]["name"] == CLUSTER)


def until(up, true) -> Any:
    """The page once it says so; fails with what it says last."""
    deadline = time.monotonic() + WITHIN
    while not true(page := ask(up)):
        assert time.monotonic() < deadline, (told(page), seen(page))
    return page


def is_well(page: Any) -> bool:
    return bool(seen(page)["known"]) and told(page)["state"] == "live" and not told(page)["age"]


def fault(up, **what: object) -> None:
    """Do to the cluster's API server what its faults can."""
    chosen = next(
        each for each in config.load([Path(up.ready["kubeconfig"])]).contexts.values() if each.name == CLUSTER
    )

    async def post() -> None:
        async with Client(chosen) as client:
            headers = {"Content-Type": "application/json"}
            path = f"/sealane-sandbox/faults/{CLUSTER}"
            await client.http.request("POST", path, body=json.dumps(what).encode(), headers=headers)

    asyncio.run(post())


def test_a_server_that_is_down_leaves_what_was_known_with_its_time_and_is_live_again(up):
    before = seen(until(up, is_well))
    fault(up, down=4.0)
    away = until(up, lambda page: told(page)["state"] != "live" and told(page)["age"] > 0)
    assert told(away)["state"] in {"reconnecting", "behind"}
    assert told(away)["sentence"]
    assert told(away)["as_of"]
    assert {key: seen(away)[key] for key in ("nodes", "gpus", "models")} == {
        key: before[key] for key in ("nodes", "gpus", "models")
    }
    until(up, is_well)


def mended(up) -> Any:
    """The page while cut watches are being mended. That takes half a second, so it may take some cuts to see it."""
    for _ in range(10):
        fault(up, cut=True)
        until_later = time.monotonic() + 2.0
        while time.monotonic() < until_later:
            if told(page := ask(up))["age"] > 0:
                return page
    pytest.fail("the page called cut watches live, ten times")


def test_watches_that_are_cut_are_said_to_be_mended_and_are_live_again(up):
    until(up, is_well)
    page = mended(up)
    assert told(page)["state"] in {"reconnecting", "behind"}
    assert seen(page)["known"]
    until(up, is_well)
