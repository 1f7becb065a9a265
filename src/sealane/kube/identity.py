"""What one request sends of us: a header and a client certificate. A value, so that "another one" can be told."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from sealane.kube.credentials import Credentials


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What one request sends. `certificate` and `key` are PEM; empty means none."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        return "Identity(…)"


def impersonation(given: Credentials) -> tuple[tuple[str, str], ...]:
    """The headers that ask to act for somebody else; none without a user. Keys of `extra` are quoted where a header's
    name could not hold them, as client-go does; the server reads them in lower case."""
    if not given.impersonate_user:
        return ()
    return (
        ("Impersonate-User", given.impersonate_user),
        *(("Impersonate-Group", group) for group in given.impersonate_groups),
        *((("Impersonate-Uid", given.impersonate_uid),) if given.impersonate_uid else ()),
        *((f"Impersonate-Extra-{_header_name(key)}", value) for key, value in given.impersonate_extra),
    )


def _header_name(key: str) -> str:
    """`%`, and what RFC 7230 does not allow in a token, as `%XX`."""
    return quote(key, safe="!#$&'*+-.^_`|~")
