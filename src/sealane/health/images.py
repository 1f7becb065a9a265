"""From a container image to the source repository whose health it rests on, with how sure that is and why.

Evidence in order: what the image says of itself (OCI labels), the table of known images, and, for a registry whose
owners are a forge's owners, the name. A name alone is never sure: a fork under another owner carries the same one, so
it is marked low. What no evidence covers stays unknown; a wrong answer that looks sure is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Confidence = Literal["high", "medium", "low", "none"]

SOURCE_LABEL = "org.opencontainers.image.source"
_DOCKER = "docker.io"
_ALIASES = {
    "index.docker.io": _DOCKER,
    "registry-1.docker.io": _DOCKER,
    "registry.hub.docker.com": _DOCKER,
    "mirror.gcr.io": _DOCKER,
    "k8s.gcr.io": "registry.k8s.io",
}
_PATH = re.compile(r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$")
_HOST = re.compile(r"^[A-Za-z0-9.-]+(?::[0-9]+)?$|^localhost$")
_FORGE = re.compile(
    r"^(?:https?://|git@)?(?:www\.)?(github\.com|gitlab\.com)[/:]([A-Za-z0-9._-]+/[A-Za-z0-9._-]+?)(?:\.git)?(?:[/#?].*)?$"
)
_NAMED_BY_OWNER = ("ghcr.io", _DOCKER, "quay.io")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An image reference taken apart; `path` is without the registry, `library/` and legacy names resolved."""

    registry: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """As the table writes it: without the registry for Docker's own."""
        return self.path if self.registry == _DOCKER else f"{self.registry}/{self.path}"


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """The contract's answer: `repository` is `owner/name` or None."""

    image: str
    repository: str | None
    confidence: Confidence
    evidence: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table: the repository, and another acceptable answer; closed when there is no source."""

    repository: str
    also: str = ""
    closed: str = ""


def parse(image: str) -> Reference | str:
    """The reference, or one sentence on what is wrong with it."""
    text = image.strip()
    if not text or "<none>" in text:
        return "A dangling image: it has no name."
    text, _, digest = text.removeprefix("docker-pullable://").removeprefix("docker://").partition("@")
    first, slash, rest = text.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, rest) if has_host else (_DOCKER, text)
    path, colon, tag = path.rpartition(":") if ":" in path.rsplit("/", 1)[-1] else (path, "", "")
    if has_host and not _HOST.match(registry):
        return f"{registry!r} is no registry."
    if path != path.lower():
        return f"An invalid reference: {path!r} holds upper-case letters, and image names are lower case."
    if not _PATH.match(path) or (colon and not tag):
        return f"{image[:200]!r} is no image reference."
    registry = _ALIASES.get(registry.lower(), registry.lower())
    if registry == "gcr.io" and path.startswith("google-containers/"):
        registry, path = "registry.k8s.io", path.removeprefix("google-containers/")
    if registry == "public.ecr.aws" and path.startswith("docker/library/"):
        registry, path = _DOCKER, path.removeprefix("docker/library/")
    if registry == _DOCKER:
        path = path.removeprefix("library/")
    return Reference(registry=registry, path=path, tag=tag, digest=digest)


def resolve(
    image: str, *, labels: Mapping[str, str] | None = None, manual: Mapping[str, str] | None = None
) -> Resolved:
    """The repository of an image. `labels` are the image's own, `manual` what the user said, by image name."""
    found = parse(image)
    if isinstance(found, str):
        return _unknown(image, found)
    if manual and found.name in manual:
        return _sure(image, manual[found.name], "said by hand")
    labelled = _FORGE.match((labels or {}).get(SOURCE_LABEL, ""))
    if labelled:
        return _sure(image, labelled.group(2), f"the image's label {SOURCE_LABEL}")
    known, how = _in_table(found.name)
    if known is not None:
        return _from_table(image, known, how)
    proxied = _through_proxy(found)
    if proxied is not None:
        known, _ = _in_table(proxied)
        if known is not None and not known.closed:
            return Resolved(
                image=image,
                repository=known.repository,
                confidence="low",
                evidence=f"{found.registry} seems to pass {proxied} on; whether it is unchanged cannot be seen",
            )
    return _by_name(image, found)


def _from_table(image: str, known: Known, how: str) -> Resolved:
    if known.closed:
        return _unknown(image, f"{known.closed}.")
    confidence: Confidence = "high" if how == "exact" else "medium"
    evidence = "table of known images" if how == "exact" else f"table of known images, everything below {how}"
    return Resolved(image=image, repository=known.repository, confidence=confidence, evidence=evidence)


def _by_name(image: str, found: Reference) -> Resolved:
    """What the name alone suggests, always marked low; nothing for registries whose owners are nobody known."""
    parts = found.path.split("/")
    if found.registry in _NAMED_BY_OWNER and len(parts) >= 2:
        owner, name = parts[0], parts[1]
        others = [line.repository for line in _by_last_part().get(parts[-1], ()) if _owner(line.repository) != owner]
        if others:
            return _unknown(
                image, f"Its name is that of {others[0]}, but it lies under another owner, {owner}: a fork or a copy."
            )
        return Resolved(
            image=image,
            repository=f"{owner}/{name}",
            confidence="low",
            evidence=f"only its name: the owner {owner} on {found.registry} may be one of that name on a forge",
        )
    if found.registry == _DOCKER and len(parts) == 1:
        return _unknown(image, f"It is written like an official image, and there is none named {parts[0]}.")
    similar = _by_last_part().get(parts[-1], ())
    if similar:
        return _unknown(
            image, f"Its name is that of {similar[0].repository}, but {found.registry} may hold any copy of it."
        )
    return _unknown(image, f"{found.name} is in no table, and its name says nothing of a source.")


def _through_proxy(found: Reference) -> str | None:
    """`registry/prefix/docker.io/owner/name` is how pull-through caches write names."""
    parts = found.path.split("/")
    for place, part in enumerate(parts[:-1]):
        if "." in part and place < len(parts) - 1:
            inner = parse("/".join(parts[place:]))
            return inner.name if isinstance(inner, Reference) else None
    return None


def _in_table(name: str) -> tuple[Known | None, str]:
    exact, below = _table()
    if name in exact:
        return exact[name], "exact"
    for prefix in sorted(below, key=len, reverse=True):
        if name.startswith(prefix):
            return below[prefix], f"{prefix}*"
    return None, ""


@cache
def _table() -> tuple[Mapping[str, Known], Mapping[str, Known]]:
    """Exact names, and prefixes."""
    exact: dict[str, Known] = {}
    below: dict[str, Known] = {}
    for line in resources.files("sealane.health").joinpath("data", "images.txt").read_text("utf-8").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, answer = text.partition(" ")
        if answer.startswith("!"):
            known = Known(repository="", closed=answer[1:].strip().capitalize())
        else:
            repository, _, also = answer.partition(" ")
            known = Known(repository=repository, also=also.strip())
        name = name.removeprefix(f"{_DOCKER}/")
        if name.endswith("*"):
            below[name[:-1]] = known
        else:
            exact[name] = known
    return exact, below


@cache
def _by_last_part() -> Mapping[str, tuple[Known, ...]]:
    found: dict[str, list[Known]] = {}
    for name, known in _table()[0].items():
        if known.repository:
            found.setdefault(name.rsplit("/", 1)[-1], []).append(known)
    return {name: tuple(lines) for name, lines in found.items()}


def _owner(repository: str) -> str:
    return repository.partition("/")[0].lower()


def _sure(image: str, repository: str, evidence: str) -> Resolved:
    return Resolved(image=image, repository=repository, confidence="high", evidence=evidence)


def _unknown(image: str, why: str) -> Resolved:
    return Resolved(image=image, repository=None, confidence="none", evidence=why)
