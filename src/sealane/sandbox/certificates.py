"""Each simulated cluster's own certificate authority, made once and kept in the sandbox's folder.

Making keys costs more than all the rest of a start, so they are read back as long as they are valid; the library is
imported only when something has to be made.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
from pathlib import Path
from typing import Final

_DAYS: Final = 825
_RENEW_BEFORE: Final = datetime.timedelta(days=30)
CA, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"


def ensure(folder: Path, name: str) -> None:
    """Make CA, server key and certificate in `folder` unless valid ones are there. `name` is the cluster's."""
    if _still_good(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    _make(folder, name)


def server_context(folder: Path) -> ssl.SSLContext:
    """TLS for the listener: shows the server certificate, takes client certificates of the same CA if given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    context.load_verify_locations(folder / CA)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


def _still_good(folder: Path) -> bool:
    if not all((folder / name).exists() for name in (CA, CERTIFICATE, KEY, "expires")):
        return False
    ends = datetime.datetime.fromisoformat((folder / "expires").read_text(encoding="ascii"))
    return ends - _RENEW_BEFORE > datetime.datetime.now(datetime.UTC)


def _make(folder: Path, name: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(days=_DAYS)

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def begin(subject: str, key: ec.EllipticCurvePrivateKey, issuer: str) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(ends)
        )

    authority = f"Sealane sandbox {name}"
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = (
        begin(authority, ca_key, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.DNSName(name), x509.DNSName("kubernetes.default.svc")]
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        begin("kube-apiserver", key, authority)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(folder / "ca.key", ca_key.private_bytes(*private))
    _write(folder / KEY, key.private_bytes(*private))
    _write(folder / CA, ca.public_bytes(pem))
    _write(folder / CERTIFICATE, certificate.public_bytes(pem))
    _write(folder / "expires", ends.isoformat().encode())


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
