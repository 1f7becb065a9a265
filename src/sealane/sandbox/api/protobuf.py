"""Bodies in Kubernetes' protobuf encoding are refused by name, until a table of field numbers says how to read them."""

from __future__ import annotations

from typing import Any, Final

from sealane.sandbox.api import errors

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"


def decode(data: bytes) -> Any:
    """Raises StatusError (415)."""
    del data
    raise errors.unsupported_media(
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml"
    )
