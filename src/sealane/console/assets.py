"""Static files: read once at the start, compressed once, served from memory with names that carry their hash.

Built files (dist/) are preferred; where the front end was not built the plain stylesheet is served and the pages work
without islands. Everything together is small (well under 300 KB), which is why memory is the right place.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

_ROOT = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


class _Asset(msgspec.Struct, frozen=True):
    body: bytes
    packed: bytes
    media_type: str


class Assets:
    """The files below /static. `url("main.js")` is "" when the islands were not built."""

    def __init__(self, root: Path = _ROOT) -> None:
        self._by_name: dict[str, _Asset] = {}
        self._urls: dict[str, str] = {}
        for name, path in _sources(root).items():
            body = path.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:8]
            served = f"{path.stem.split('-')[0]}-{digest}{path.suffix}"
            packed = gzip.compress(body, compresslevel=9, mtime=0)
            self._by_name[served] = _Asset(body, packed, _TYPES[path.suffix])
            self._urls[name] = f"/static/{served}"

    def url(self, name: str) -> str:
        """The address of one file by its plain name; "" when there is no such file."""
        return self._urls.get(name, "")

    def weight(self) -> int:
        """Compressed bytes of everything a first visit may load."""
        return sum(len(asset.packed) for asset in self._by_name.values())

    async def serve(self, request: Request) -> Response:
        """GET /static/NAME. Needs no session: nothing in here is anybody's own."""
        asset = self._by_name.get(request.path_params["name"])
        if asset is None:
            return Response(status_code=404)
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(asset.packed, media_type=asset.media_type, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)


def _sources(root: Path) -> dict[str, Path]:
    found = {name: root / name for name in ("sealane.css", "icons.svg", "favicon.svg")}
    manifest = root / "dist" / "manifest.json"
    if manifest.is_file():
        built: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
        found.update({name: root / "dist" / file for name, file in built.items()})
    return {name: path for name, path in found.items() if path.is_file()}
