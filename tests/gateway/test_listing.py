"""Lists are made of what replicas say, and one that does not answer is left out."""

from __future__ import annotations

import json
from typing import Any


async def test_tags_keeps_what_the_engine_knows_of_the_hosted_model_alone(lane: Any) -> None:
    _, _, body = await lane.get("/api/tags")
    (row,) = json.loads(body)["models"]
    assert row["name"] == "tiny:latest"
    assert row["digest"] == "bc7e"


async def test_tags_still_names_a_model_whose_replica_is_gone(lane: Any) -> None:
    await lane.engines[0].stop()
    _, _, body = await lane.get("/api/tags")
    assert json.loads(body)["models"] == [{"name": "tiny:latest", "model": "tiny:latest"}]


async def test_ps_says_where_each_model_is_loaded(make_lane: Any) -> None:
    async with make_lane(engines=3) as lane:
        lane.engines[1].loaded = False
        await lane.engines[2].stop()
        _, _, body = await lane.get("/api/ps")
        assert [row["sealane_replica"] for row in json.loads(body)["models"]] == ["harbor-eu/team-a/tiny-0"]


async def test_version_is_the_engines_and_a_low_one_when_there_is_none(lane: Any) -> None:
    _, _, body = await lane.get("/api/version")
    assert json.loads(body)["version"] == "0.23.0"
    lane.source.replace({})
    _, _, body = await lane.get("/api/version")
    assert json.loads(body)["version"] == "0.0.0"


async def test_models_have_the_context_that_was_deployed(lane: Any) -> None:
    _, _, body = await lane.get("/v1/models")
    wanted = {"id": "tiny:latest", "object": "model", "created": 0, "owned_by": "sealane", "context_length": 8192}
    assert json.loads(body) == {"object": "list", "data": [wanted]}
    _, _, body = await lane.get("/v1/models/tiny")
    assert json.loads(body) == wanted


async def test_an_unknown_model_is_a_404(lane: Any) -> None:
    status, _, body = await lane.get("/v1/models/tinyy")
    assert status == 404
    assert json.loads(body)["error"]["code"] == "unknown-model"


async def test_what_is_loaded_is_polled_and_preferred(make_lane: Any) -> None:
    async with make_lane(engines=2, poll=10.0) as lane:
        lane.engines[0].loaded = False
        slots = list(lane.gateway.balancer.slots())
        await lane.until(lambda: "tiny:latest" in slots[1].loaded and not slots[0].loaded, tick=10.0)
        for _ in range(4):
            await lane.post("/v1/chat/completions", {"model": "tiny"})
        assert [len(engine.seen) for engine in lane.engines] == [0, 4]


async def test_what_one_replica_makes_up_does_not_hide_the_others(make_lane: Any) -> None:
    for nonsense in (b"[" * 100_000, b'{"models":[{"model":[1]}]}', b'{"models":[{"name":{"a":1}}]}'):
        async with make_lane(engines=2) as lane:
            slots = list(lane.gateway.balancer.slots())
            slots[1].upstream = Liar(nonsense)
            status, _, body = await lane.get("/api/tags")
            assert status == 200
            assert [row["name"] for row in json.loads(body)["models"]] == ["tiny:latest"]


class Liar:
    """An engine that answers what it likes."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.status = 200
        self.content_type = "application/json"

    async def open(self, *_: Any) -> Liar:
        return self

    async def read(self) -> bytes:
        return self._body

    async def close(self) -> None:
        return None
