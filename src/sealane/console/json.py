"""JSON answers, encoded by msgspec: Structs, datetimes and SealaneErrors as they are."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from sealane.lib.errors import SealaneError


def _other(value: Any) -> Any:
    if isinstance(value, SealaneError):
        return value.to_json()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


_ENCODER = msgspec.json.Encoder(enc_hook=_other)


class JSONResponse(Response):
    """`application/json` of anything msgspec can encode."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return _ENCODER.encode(content)
