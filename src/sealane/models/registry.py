"""Ask a model registry what a name stands for, without downloading the model.

Ollama's registry speaks the Docker registry v2 protocol: a manifest lists the layers, a small config says family, size
and quantization, and the first megabytes of the model layer hold the GGUF header. The same path serves private
registries (`host[:port]/namespace/model:tag`), with bearer or basic credentials, over plain HTTP when the user says so.
Every answer is bounded in size and time. Errors are typed, so that a wrong tag, a missing right and a dead host differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from sealane.lib import text
from sealane.lib.errors import Evidence, NextStep, SealaneError
from sealane.models import gguf, headers, redirects, registry_auth
from sealane.models.errors import RegistryBroken, RegistryRefused, RegistryUnreachable, UnknownModel, UnknownTag
from sealane.models.reference import Reference, parse
from sealane.models.registry_auth import Credentials
from sealane.models.types import ModelCard

__all__ = ["Credentials", "card_of"]

TIMEOUT: Final = 10.0
"""Seconds for the whole answer about one name."""

_STEPS: Final = (1 << 20, 4 << 20, 16 << 20, 32 << 20)  # bytes of the model layer, until the header is whole
_MOST_JSON: Final = 4 << 20
_MOST_TEMPLATE: Final = 64 << 10
_MANIFEST_TYPES: Final = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
)
_MODEL, _PROJECTOR, _TEMPLATE = (f"application/vnd.ollama.image.{kind}" for kind in ("model", "projector", "template"))


class Layer(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of a manifest; `size` in bytes."""

    media_type: str
    digest: str
    size: int


class Manifest(msgspec.Struct, frozen=True):
    """What a tag stands for."""

    layers: tuple[Layer, ...]
    config: Layer | None = None


async def card_of(
    reference: Reference | str,
    *,
    insecure: bool = False,
    credentials: Credentials | None = None,
    timeout: float = TIMEOUT,
) -> ModelCard:
    """The card of a name, read from its registry. `insecure` speaks plain HTTP, as `ollama pull --insecure` does.

    Raises UnknownTag, UnknownModel, RegistryRefused, RegistryUnreachable, RegistryBroken or BadGguf.
    """
    wanted = parse(reference) if isinstance(reference, str) else reference
    limit = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 5.0))
    async with aiohttp.ClientSession(timeout=limit, trust_env=True) as session:
        registry = _Registry(session, wanted, insecure=insecure, credentials=credentials)
        try:
            return await registry.card()
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise _unreachable(wanted, problem, timeout=timeout) from problem


class _Registry:
    """One name at one host, for the time of one question."""

    def __init__(
        self, session: aiohttp.ClientSession, wanted: Reference, *, insecure: bool, credentials: Credentials | None
    ) -> None:
        self._session = session
        self._wanted = wanted
        self._credentials = credentials
        self._base = f"{'http' if insecure else 'https'}://{wanted.host}/v2/{wanted.repository}"
        self._authorization = credentials.basic if credentials else ""

    async def card(self) -> ModelCard:
        manifest = await self._manifest()
        model = next((layer for layer in manifest.layers if layer.media_type == _MODEL), None)
        if model is None:
            raise self._broken("its manifest has no model layer")
        config = await self._config(manifest)
        facts = await self._header(model)
        template = await self._template(manifest)
        return _card(self._wanted, manifest, facts, config=config, template=template)

    async def _manifest(self) -> Manifest:
        status, body = await self._get(f"/manifests/{self._wanted.tag}", accept=_MANIFEST_TYPES, most=_MOST_JSON)
        if status == 404:
            raise await self._missing(body)
        if status != 200:
            raise self._refused(status, body)
        try:
            manifest = msgspec.json.decode(body, type=Manifest)
        except (msgspec.DecodeError, RecursionError) as problem:
            raise self._broken(f"its manifest cannot be read ({problem})") from problem
        for layer in (*manifest.layers, *((manifest.config,) if manifest.config else ())):
            if not registry_auth.is_digest(layer.digest) or layer.size < 0:
                raise self._broken("its manifest has a layer with a wrong digest or size")
        return manifest

    async def _config(self, manifest: Manifest) -> Mapping[str, Any]:
        if manifest.config is None or manifest.config.size > _MOST_JSON:
            return {}
        status, body = await self._get(f"/blobs/{manifest.config.digest}", most=_MOST_JSON)
        try:
            found = json.loads(body) if status == 200 else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    async def _template(self, manifest: Manifest) -> str:
        layer = next((layer for layer in manifest.layers if layer.media_type == _TEMPLATE), None)
        if layer is None or layer.size > _MOST_TEMPLATE:
            return ""
        status, body = await self._get(f"/blobs/{layer.digest}", most=_MOST_TEMPLATE)
        return body.decode("utf-8", errors="replace") if status == 200 else ""

    async def _header(self, layer: Layer) -> headers.Facts:
        """Range-read the layer until the header is whole, or as far as the last step."""
        for step in _STEPS:
            wanted = min(step, layer.size)
            status, body = await self._get(f"/blobs/{layer.digest}", most=wanted, part=True)
            if status not in {200, 206}:
                raise self._refused(status, body)
            found = gguf.read(body, partial=True)
            known = headers.facts_of(found.values, vocabulary=found.lengths.get("tokenizer.ggml.tokens", 0))
            enough = known.header is not None and known.header.vocabulary
            if found.complete or enough or wanted >= layer.size or step == _STEPS[-1]:
                return known
        raise AssertionError("unreachable: the last step returns")

    async def _get(self, path: str, *, most: int, accept: str = "*/*", part: bool = False) -> tuple[int, bytes]:
        """Status and at most `most` bytes; answers one challenge for a token."""
        given = {"Accept": accept} | ({"Range": f"bytes=0-{max(most - 1, 0)}"} if part else {})
        for attempt in (1, 2):
            if self._authorization:
                given["Authorization"] = self._authorization
            async with redirects.get(self._session, self._base + path, headers=given) as answer:
                challenge = answer.headers.get("WWW-Authenticate", "")
                if answer.status == 401 and attempt == 1 and challenge:
                    token = await registry_auth.token(self._session, challenge, self._base, self._credentials)
                    if token:
                        self._authorization = f"Bearer {token}"
                        continue
                return answer.status, await _some(answer, most=most, strict=not part)
        raise AssertionError("unreachable: the second attempt returns")

    async def _missing(self, body: bytes) -> SealaneError:
        """Which part of the name is wrong: the tag, when the registry lists others, or the whole name."""
        name = f"{self._wanted.host}/{self._wanted.repository}"
        status, listed = await self._get("/tags/list", most=_MOST_JSON)
        tags = _tags(listed) if status == 200 else []
        if not tags and b"NAME_UNKNOWN" in body:
            return UnknownModel(f"{self._wanted.host} has no model {self._wanted.repository}.")
        near = text.nearest(self._wanted.tag, tags) or tags[:3]
        hint = f" It has {text.listing(near)}." if near else ""
        return UnknownTag(
            f"{name} has no tag “{self._wanted.tag}”.{hint}",
            evidence=tuple(Evidence(label="tag", value=tag) for tag in near),
            next_steps=tuple(NextStep(title=f"Use tag {tag}") for tag in near[:1]),
        )

    def _refused(self, status: int, body: bytes) -> SealaneError:
        if status in {401, 403}:
            return RegistryRefused(
                f"{self._wanted.host} does not let us read {self._wanted.repository} (HTTP {status}).",
                evidence=(Evidence(label="answer", value=body[:200].decode("utf-8", errors="replace")),),
                next_steps=(NextStep(title="Give credentials for the registry, or a name that may be read"),),
            )
        return self._broken(f"it answers HTTP {status}")

    def _broken(self, why: str) -> RegistryBroken:
        return RegistryBroken(f"{self._wanted.text} cannot be read from {self._wanted.host}: {why}.")


async def _some(answer: aiohttp.ClientResponse, *, most: int, strict: bool) -> bytes:
    """At most `most` bytes of the body; `strict` refuses a longer one instead of leaving the rest."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > most or (len(body) == most and not strict):
            break
    if strict and len(body) > most:
        raise RegistryBroken(f"{answer.host} answers with more than {text.binary_bytes(most)} where little was asked.")
    return bytes(body[:most])


def _tags(body: bytes) -> list[str]:
    try:
        found = json.loads(body)
    except ValueError:
        return []
    tags = found.get("tags") if isinstance(found, dict) else None
    return [str(tag) for tag in tags][:200] if isinstance(tags, list) else []


def _card(
    wanted: Reference, manifest: Manifest, facts: headers.Facts, *, config: Mapping[str, Any], template: str
) -> ModelCard:
    weights = sum(layer.size for layer in manifest.layers if layer.media_type in {_MODEL, _PROJECTOR})
    projector = any(layer.media_type == _PROJECTOR for layer in manifest.layers)
    return ModelCard(
        tag=wanted.text,
        title=facts.name or wanted.model,
        family=str(config.get("model_family") or wanted.model),
        parameters=facts.parameters or billions(str(config.get("model_type") or "")),
        quantization=str(config.get("file_type") or facts.quantization),
        weights_bytes=weights,
        context_max=facts.header.context_max if facts.header else 0,
        licence=facts.licence or "not stated",
        capabilities=capabilities(facts, template=template, projector=projector),
        summary=f"From {wanted.host}.",
        source="registry",
        header=facts.header,
        provenance=f"size: manifest of {wanted.host}; header: first bytes of the model layer",
    )


def capabilities(facts: headers.Facts, *, template: str, projector: bool) -> Any:
    """What the model can do, by the rules that Ollama itself goes by (0.23 `server/images.go`)."""
    if facts.embedding:
        return ("embedding",)
    marks = {"fim": ".Suffix", "tools": ".Tools", "thinking": ".Think"}
    told = [name for name, mark in marks.items() if mark in template]
    return ("chat", *told, *(("vision",) if projector or facts.vision else ()))


def billions(size: str) -> float:
    """`7.6B`, `137M`, `128K` as Ollama writes a parameter count, in billions; 0 when it is none."""
    scale = {"T": 1e3, "B": 1.0, "M": 1e-3, "K": 1e-6}.get(size[-1:].upper())
    try:
        return float(size[:-1]) * scale if scale else 0.0
    except ValueError:
        return 0.0


def _unreachable(wanted: Reference, problem: BaseException, *, timeout: float) -> RegistryUnreachable:
    if isinstance(problem, redirects.RedirectRefused):
        why = str(problem)
    elif isinstance(problem, aiohttp.ClientConnectorDNSError):
        why = "its name cannot be resolved"
    elif isinstance(problem, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        why = "its certificate is not accepted, or it does not speak TLS"
    elif isinstance(problem, TimeoutError):
        why = f"it did not answer within {timeout:g} s"
    elif isinstance(problem, aiohttp.ClientConnectorError):
        why = "it refuses the connection"
    else:
        why = f"the connection broke ({type(problem).__name__})"
    plain = NextStep(title="If the registry speaks plain HTTP, say so", command="--insecure")
    return RegistryUnreachable(
        f"The registry {wanted.host} cannot be asked about {wanted.text}: {why}.",
        next_steps=(NextStep(title="Check the host and the network from this computer"), plain),
    )
