"""Which addresses and names of git are one person.

Order matters, strongest evidence first: the repository's own .mailmap (git applies it), a forge's noreply address (it
names the login), the same address, and the same full name of two or more words inside one repository. A bare first name
merges nobody. Addresses are kept as salted hashes only; what a person is called never leaves this module.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import msgspec

_NOREPLY = re.compile(r"^(?:\d+\+)?([A-Za-z0-9][A-Za-z0-9-]*(?:\[bot\])?)@users\.noreply\.github\.com$")
_SALT = b"sealane health identities 1"
Signature = tuple[str, str]
"""A name and an address, as a commit has them."""


class Person(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`id` is `login:NAME` where a noreply address says so, else a hash. `merged_by_name` marks low confidence."""

    id: str
    login: str = ""
    domain: str = ""
    merged_by_name: bool = False


def login_of(address: str) -> str:
    """The login in a forge's noreply address, in lower case; "" for other addresses."""
    found = _NOREPLY.match(address.strip())
    return found.group(1).lower() if found else ""


def hashed(address: str) -> str:
    """Sixteen hex digits that stand for an address."""
    return hashlib.sha256(_SALT + address.strip().lower().encode("utf-8", "surrogateescape")).hexdigest()[:16]


def people(signatures: Iterable[Signature]) -> Mapping[Signature, Person]:
    """Each distinct signature's person. Signatures that belong together get the same `Person`."""
    distinct = sorted(set(signatures))
    groups = _Groups()
    for signature in distinct:
        groups.join(("signature", *signature), ("address", _address_key(signature[1])))
    by_address = {signature: groups.root(("signature", *signature)) for signature in distinct}
    for signature in distinct:
        name = " ".join(signature[0].casefold().split())
        if len(name.split()) >= 2:
            groups.join(("signature", *signature), ("name", name))
    members: dict[tuple[str, ...], list[Signature]] = {}
    for signature in distinct:
        members.setdefault(groups.root(("signature", *signature)), []).append(signature)
    found: dict[Signature, Person] = {}
    for group in members.values():
        person = _person(group, merged_by_name=len({by_address[signature] for signature in group}) > 1)
        found.update(dict.fromkeys(group, person))
    return found


def _person(group: list[Signature], *, merged_by_name: bool) -> Person:
    logins = sorted(login for _, address in group if (login := login_of(address)))
    domains = sorted(domain for _, address in group if (domain := _domain(address)))
    login = logins[0] if logins else ""
    return Person(
        id=f"login:{login}" if login else min(hashed(address or name) for name, address in group),
        login=login,
        domain=domains[0] if domains else "",
        merged_by_name=merged_by_name,
    )


def _address_key(address: str) -> str:
    login = login_of(address)
    return f"login:{login}" if login else address.strip().lower()


_PROVIDERS = """126.com 163.com aol.com duck.com fastmail.com foxmail.com gmail.com gmx.de gmx.net googlemail.com
hey.com hotmail.com icloud.com live.com mac.com mail.com mail.ru me.com msn.com outlook.com posteo.de proton.me
protonmail.com qq.com users.noreply.github.com noreply.github.com yahoo.com yandex.ru ymail.com zoho.com web.de"""
_MAILBOXES = frozenset(re.split(r"\s", _PROVIDERS))


def _domain(address: str) -> str:
    """The organisation part of an address; "" for mail providers and what is no domain."""
    domain = address.rpartition("@")[2].strip().lower()
    known = "." in domain and domain not in _MAILBOXES and not domain.endswith((".local", ".localdomain", ".internal"))
    return domain if known else ""


class _Groups:
    """Union-find over hashable keys."""

    def __init__(self) -> None:
        self._parents: dict[tuple[str, ...], tuple[str, ...]] = {}

    def root(self, key: tuple[str, ...]) -> tuple[str, ...]:
        self._parents.setdefault(key, key)
        while self._parents[key] != key:
            self._parents[key] = self._parents[self._parents[key]]
            key = self._parents[key]
        return key

    def join(self, one: tuple[str, ...], other: tuple[str, ...]) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._parents[second] = first
