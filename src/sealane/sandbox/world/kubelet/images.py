"""Container images: which exist, how large they are, and which node has them already.

There is no registry here: an image exists unless its name or tag says that it should not (`…/does-not-exist`, an
Ollama tag of an impossible form), which is enough to meet a missing image in the sandbox.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

OLLAMA = "ollama/ollama"
_SIZES = {OLLAMA: 1_874_000_000, "busybox": 2_220_000, "nginx": 59_900_000, "pause": 320_000, "python": 46_000_000}
_RATE = 270e6  # bytes a second: the Ollama image takes about 7 s
_MISSING = re.compile(r"does-not-exist|no-such|not-found|missing|nonexist|typo", re.IGNORECASE)
_OLLAMA_TAG = re.compile(r"latest|rocm|\d+\.\d+\.\d+(-rc\d+)?(-rocm)?")


class Images:
    """What the nodes of one cluster have pulled."""

    def __init__(self) -> None:
        self._present: set[tuple[str, str]] = set()
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    def has(self, node: str, image: str) -> bool:
        """Whether the node holds the image."""
        return (node, full_name(image)) in self._present

    def add(self, node: str, image: str) -> None:
        """From now on the node holds the image."""
        self._present.add((node, full_name(image)))

    def forget(self, match: str) -> None:
        """No node holds images whose name contains `match` any more, as after a clean-up of the nodes' disks."""
        self._present = {held for held in self._present if match not in held[1]}

    def lock(self, node: str, image: str) -> asyncio.Lock:
        """Held while the image is pulled to the node, so that it is pulled once."""
        return self._locks.setdefault((node, full_name(image)), asyncio.Lock())


def repository(image: str) -> str:
    """`docker.io/ollama/ollama:0.23.0` → `ollama/ollama`; host and tag are left out."""
    name = image.split("@", 1)[0]
    head, _, tail = name.rpartition("/")
    tail = tail.split(":", 1)[0]
    parts = [*head.split("/"), tail] if head else [tail]
    if len(parts) > 1 and ("." in parts[0] or ":" in parts[0] or parts[0] == "localhost"):
        parts = parts[1:]
    return "/".join(parts[1:] if parts[0] == "library" and len(parts) > 1 else parts)


def tag(image: str) -> str:
    """The tag, `latest` when there is none."""
    tail = image.split("@", 1)[0].rsplit("/", 1)[-1]
    return tail.split(":", 1)[1] if ":" in tail else "latest"


def full_name(image: str) -> str:
    """With registry and tag, as container runtimes print it."""
    name = image.split("@", 1)[0]
    first = name.split("/", 1)[0]
    if "/" not in name:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def exists(image: str) -> bool:
    """Whether a pull of this image succeeds here."""
    if _MISSING.search(image):
        return False
    if repository(image) == OLLAMA:
        return _OLLAMA_TAG.fullmatch(tag(image)) is not None
    return True


def not_found(image: str) -> str:
    """containerd's words about an image that its registry does not have."""
    full = full_name(image)
    return f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": {full}: not found'


def size(image: str) -> int:
    """Bytes of the image: known ones, else 20–220 MB by its name."""
    name = repository(image)
    if name in _SIZES:
        return _SIZES[name]
    return 20_000_000 + hashlib.sha256(name.encode()).digest()[0] * 800_000


def seconds(image: str) -> float:
    """How long a pull takes (simulated)."""
    return 0.4 + size(image) / _RATE


def digest(image: str) -> str:
    """A stable digest of the image's name."""
    return f"sha256:{hashlib.sha256(full_name(image).encode()).hexdigest()}"
