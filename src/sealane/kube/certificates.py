"""What a certificate says of itself, for sentences that name dates and for noticing a half-replaced pair.

TLS libraries say "certificate expired" and not when, and whose. The answer is in the PEM that we hold, so it is read
here. Nothing is trusted by being read: whether a certificate is good is for TLS and the server to say.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import ssl
import tempfile
from pathlib import Path


def expiry(pem: bytes) -> datetime.datetime | None:
    """When the first certificate in `pem` ends, aware, in UTC; None when there is none that can be read."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        return None


def expiry_der(der: bytes) -> datetime.datetime | None:
    """As `expiry`, for the form that travels in a handshake."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(der).not_valid_after_utc
    except ValueError:
        return None


def subject(pem: bytes) -> str:
    """Whom the first certificate names, by RFC 4514 (`CN=dana,O=team-a`); "" when there is none that can be read."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem).subject.rfc4514_string()
    except ValueError:
        return ""


def ended(ends: datetime.datetime, *, now: datetime.datetime) -> str:
    """`expired on 2026-11-20 14:03 UTC`; "" while it has not."""
    return "" if ends > now else f"expired on {ends:%Y-%m-%d %H:%M} UTC"


def load(settings: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Give `settings` a client certificate. Python loads keys from files alone, so they pass through a private one that
    is gone before the call returns. `ssl.SSLError` or `ValueError` when the two do not fit or are not PEM."""
    handle, name = tempfile.mkstemp(prefix="sealane-", suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate + b"\n" + key)
        # Without a password OpenSSL would ask for one on the terminal; no key has an empty one.
        settings.load_cert_chain(name, password="")
    finally:
        Path(name).unlink(missing_ok=True)


def fit(certificate: bytes, key: bytes) -> bool:
    """Whether both can be used together. Blocks on a file."""
    with contextlib.suppress(ssl.SSLError, ValueError):
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key)
        return True
    return False
