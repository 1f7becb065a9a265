"""Certificates made on the spot: one authority a cluster, and one that plays the internet's.

Everything in the rig speaks TLS as it would in a real cluster, because clients behave differently without: wrong
authorities, wrong names and client certificates are part of what is tested. Keys live for the run alone.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = datetime.timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates into `folder`; its own is `folder/ca.crt`. One that is there already is taken up again."""

    def __init__(self, folder: Path, *, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self._name = _named(name)
        key = folder / "ca.key"
        if key.exists():
            kept = serialization.load_pem_private_key(key.read_bytes(), password=None)
            assert isinstance(kept, ec.EllipticCurvePrivateKey)
            self._key = kept
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        key.write_bytes(_pem(self._key))
        _write(self.certificate, self._sign(self._name, self._key.public_key(), (_CA,)))

    def serving(self, name: str, *, hosts: Iterable[str]) -> Pair:
        """A server's certificate for host names and addresses."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._issue(name, _named(name), (names, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])))

    def client(self, name: str, *, user: str, group: str = "") -> Pair:
        """A client's certificate: Kubernetes reads the user from its common name, the group from its organisation."""
        return self._issue(name, _named(user, group), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),))

    def _issue(self, name: str, subject: x509.Name, extensions: tuple[x509.ExtensionType, ...]) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        pair = Pair(certificate=self.folder / f"{name}.crt", key=self.folder / f"{name}.key")
        _write(pair.certificate, self._sign(subject, key.public_key(), (_LEAF, *extensions)))
        pair.key.write_bytes(_pem(key))
        return pair

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, extensions: tuple[x509.ExtensionType, ...]
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + _LIFE)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(
                extension, critical=isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
            )
            if extension is _CA:
                builder = builder.add_extension(_CA_USAGE, critical=True)
        return builder.sign(self._key, hashes.SHA256())


def service_account_key(folder: Path) -> Pair:
    """The RSA pair that signs service-account tokens (`certificate` holds the public key)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pair = Pair(certificate=folder / "sa.pub", key=folder / "sa.key")
    pair.key.write_bytes(_pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    pair.certificate.write_bytes(public)
    return pair


_CA = x509.BasicConstraints(ca=True, path_length=None)
_LEAF = x509.BasicConstraints(ca=False, path_length=None)
_CA_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _named(common: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
