"""Certificates: what is signed is trusted by those who trust the authority, for its names alone."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from rig.certificates import Authority, Pair, service_account_key


def shake_hands(authority: Authority, pair: Pair, name: str) -> None:
    """A TLS handshake in memory; raises SSLError when the client does not accept."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pair.certificate, pair.key)
    client_side = ssl.create_default_context(cafile=str(authority.certificate))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def test_a_server_is_trusted_under_its_names_and_addresses(tmp_path: Path) -> None:
    authority = Authority(tmp_path, name="ca")
    pair = authority.serving("server", hosts=("api.test", "10.200.0.1"))
    shake_hands(authority, pair, "api.test")
    shake_hands(authority, pair, "10.200.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(authority, pair, "other.test")


def test_another_authority_does_not_vouch_for_it(tmp_path: Path) -> None:
    pair = Authority(tmp_path / "a", name="ca").serving("server", hosts=("api.test",))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(Authority(tmp_path / "b", name="other"), pair, "api.test")


def test_a_client_certificate_carries_user_and_group(tmp_path: Path) -> None:
    pair = Authority(tmp_path, name="ca").client("dana", user="dana", group="team-a")
    subject = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "dana"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "team-a"


def test_an_authority_taken_up_again_signs_what_the_old_one_vouches_for(tmp_path: Path) -> None:
    first = Authority(tmp_path, name="ca")
    again = Authority(tmp_path, name="ca")
    shake_hands(first, again.serving("late", hosts=("late.test",)), "late.test")


def test_the_service_account_pair_is_rsa_in_two_files(tmp_path: Path) -> None:
    pair = service_account_key(tmp_path)
    assert b"PUBLIC KEY" in pair.certificate.read_bytes()
    assert b"PRIVATE KEY" in pair.key.read_bytes()
