"""The registry over real loopback sockets: the protocol that Ollama speaks, and each way to misbehave."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.behaviour import Behaviour
from rig.certificates import Authority
from rig.gguf_models import Shape
from rig.models import MANIFEST, Model
from rig.registry import Registry

NAME = "library/small:latest"
PAUSES: list[float] = []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    authority = Authority(folder / "pki", name="test")
    registry = Registry(folder=folder / "blobs", authority=authority, names=("registry.test",), pause=PAUSES.append)
    registry.start(tls_port=0)
    registry.add(Model(name=NAME, shape=Shape()))
    registry.add(Model(name="acme/other:latest", shape=Shape(seed=9)))
    yield registry
    registry.stop()


@pytest.fixture
def registry(served: Registry) -> Iterator[Registry]:
    PAUSES.clear()
    served.requests.clear()
    yield served
    served.behave(NAME, Behaviour())


class Answer:
    def __init__(self, registry: Registry, method: str, path: str, **headers: str) -> None:
        host, port = registry.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            self.status, self.headers, self.cut = answer.status, answer.headers, False
            try:
                self.body = answer.read()
            except http.client.IncompleteRead as error:
                self.body, self.cut = error.partial, True
        finally:
            connection.close()


def weights(registry: Registry, name: str = NAME) -> tuple[str, bytes]:
    packed = registry.model(name)
    assert packed is not None
    digest = json.loads(packed.manifest)["layers"][0]["digest"]
    return digest, packed.blobs[digest].read_bytes()


def storage_path(registry: Registry, digest: str) -> str:
    answer = Answer(registry, "GET", f"/v2/library/small/blobs/{digest}")
    assert answer.status == 307
    url = urllib.parse.urlsplit(answer.headers["Location"])
    return f"{url.path}?{url.query}"


def test_a_manifest_comes_with_its_media_type_and_digest(registry: Registry) -> None:
    answer = Answer(registry, "GET", "/v2/library/small/manifests/latest")
    assert (answer.status, answer.headers["Content-Type"]) == (200, MANIFEST)
    assert answer.headers["Docker-Content-Digest"] == f"sha256:{hashlib.sha256(answer.body).hexdigest()}"


def test_an_unknown_model_or_tag_is_404_with_the_protocols_error_shape(registry: Registry) -> None:
    for path in ("/v2/library/none/manifests/latest", "/v2/library/small/manifests/none", "/v2/a/b/c/d/e"):
        answer = Answer(registry, "GET", path)
        assert answer.status == 404
        assert json.loads(answer.body)["errors"][0]["code"]


def test_head_gives_the_size_of_a_blob_without_the_blob(registry: Registry) -> None:
    digest, content = weights(registry)
    answer = Answer(registry, "HEAD", f"/v2/library/small/blobs/{digest}")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, str(len(content)), b"")


def test_get_of_a_blob_leads_to_another_host_where_it_is_whole(registry: Registry) -> None:
    digest, content = weights(registry)
    answer = Answer(registry, "GET", f"/v2/library/small/blobs/{digest}")
    assert urllib.parse.urlsplit(answer.headers["Location"]).hostname == "localhost"
    whole = Answer(registry, "GET", storage_path(registry, digest))
    assert (whole.status, whole.body) == (200, content)


@pytest.mark.parametrize(
    ("wanted", "part"), [("bytes=0-9", slice(0, 10)), ("bytes=100-", slice(100, None)), ("bytes=-5", slice(-5, None))]
)
def test_a_range_gives_that_part_and_says_so(registry: Registry, wanted: str, part: slice) -> None:
    digest, content = weights(registry)
    answer = Answer(registry, "GET", storage_path(registry, digest), Range=wanted)
    assert (answer.status, answer.body) == (206, content[part])
    assert answer.headers["Content-Range"].endswith(f"/{len(content)}")


def test_a_range_beyond_the_end_is_416_and_a_wrong_signature_403(registry: Registry) -> None:
    digest, content = weights(registry)
    path = storage_path(registry, digest)
    assert Answer(registry, "GET", path, Range=f"bytes={len(content)}-").status == 416
    assert Answer(registry, "GET", path[:-1]).status == 403


def test_a_blob_of_another_model_is_not_there(registry: Registry) -> None:
    digest, _ = weights(registry, "acme/other:latest")
    assert Answer(registry, "HEAD", f"/v2/library/small/blobs/{digest}").status == 404
    assert Answer(registry, "HEAD", f"/v2/acme/other/blobs/{digest}").status == 200


def test_a_slow_model_comes_in_pieces_with_pauses_that_add_up_to_its_rate(registry: Registry) -> None:
    digest, content = weights(registry)
    registry.behave(NAME, Behaviour(rate=100_000))
    answer = Answer(registry, "GET", storage_path(registry, digest))
    assert answer.body == content
    assert sum(PAUSES) == pytest.approx(len(content) / 100_000, rel=0.05)


def test_a_cut_breaks_the_connection_after_so_many_bytes_and_only_so_often(registry: Registry) -> None:
    digest, content = weights(registry)
    path = storage_path(registry, digest)
    registry.behave(NAME, Behaviour(cut_after=1000, faults=1))
    broken = Answer(registry, "GET", path)
    assert (broken.cut, broken.body) == (True, content[:1000])
    rest = Answer(registry, "GET", path, Range="bytes=1000-")
    assert rest.body == content[1000:]


def test_corrupt_bytes_have_the_right_size_and_the_wrong_digest(registry: Registry) -> None:
    digest, content = weights(registry)
    registry.behave(NAME, Behaviour(corrupt=True))
    answer = Answer(registry, "GET", storage_path(registry, digest))
    assert len(answer.body) == len(content)
    assert f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_model_answers_with_the_status_that_it_was_told(registry: Registry, status: int) -> None:
    registry.behave(NAME, Behaviour(status=status))
    assert Answer(registry, "GET", "/v2/library/small/manifests/latest").status == status


def test_a_blob_status_is_used_up_like_any_fault(registry: Registry) -> None:
    digest, _ = weights(registry)
    registry.behave(NAME, Behaviour(blob_status=500, faults=1))
    path = f"/v2/library/small/blobs/{digest}"
    assert [Answer(registry, "HEAD", path).status for _ in range(2)] == [500, 200]


def test_a_password_opens_a_private_model_and_nothing_else_does(registry: Registry) -> None:
    registry.behave(NAME, Behaviour(login="ann:secret"))
    path = "/v2/library/small/manifests/latest"
    refused = Answer(registry, "GET", path)
    assert (refused.status, refused.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    right = base64.b64encode(b"ann:secret").decode()
    wrong = base64.b64encode(b"ann:guess").decode()
    assert Answer(registry, "GET", path, Authorization=f"Basic {wrong}").status == 401
    assert Answer(registry, "GET", path, Authorization=f"Basic {right}").status == 200


def test_a_trusted_key_gets_a_token_that_opens_the_model_and_the_storage_needs_none(registry: Registry) -> None:
    registry.behave(NAME, Behaviour(login="token-1"))
    path = "/v2/library/small/manifests/latest"
    challenge = Answer(registry, "GET", path).headers["WWW-Authenticate"]
    assert f'realm="http://{registry.address}/token"' in challenge
    ask = "/token?service=rig&scope=repository:library/small:pull"
    assert Answer(registry, "GET", ask, Authorization="KEY:signature").status == 401
    registry.trust("KEY")
    token = json.loads(Answer(registry, "GET", ask, Authorization="KEY:signature").body)["token"]
    opened = {"Authorization": f"Bearer {token}"}
    assert Answer(registry, "GET", path, **opened).status == 200
    digest, content = weights(registry)
    location = Answer(registry, "GET", f"/v2/library/small/blobs/{digest}", **opened).headers["Location"]
    url = urllib.parse.urlsplit(location)
    assert Answer(registry, "GET", f"{url.path}?{url.query}").body == content


def test_requests_are_counted_by_method_and_path(registry: Registry) -> None:
    Answer(registry, "GET", "/v2/")
    Answer(registry, "GET", "/v2/")
    assert registry.requests["GET /v2/"] == 2


def test_over_tls_it_is_the_public_name_to_those_who_trust_its_authority(registry: Registry, tmp_path: Path) -> None:
    authority = registry.authority
    assert authority is not None
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    connection = http.client.HTTPSConnection("127.0.0.1", registry.tls_port, context=trusting, timeout=10)
    try:
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 200
    finally:
        connection.close()
