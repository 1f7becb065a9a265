"""As whom a context speaks: the `user` entry of a kubeconfig as values, read as kubectl reads it.

Nothing is run, fetched or opened here; that is `kube.auth`. What cannot be meant (two sources of tokens, groups to act
for without a user) is a `ConfigError` with its line, because guessing would sign a person in as somebody else. Secrets
never appear in a `repr`.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from sealane.kube import certificates
from sealane.kube.located import Place


class ExecSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a credential plugin. `command` holds an absolute path when it was written as a path."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    install_hint: str = ""
    interactive_mode: str = "IfAvailable"  # Never | IfAvailable | Always
    provide_cluster_info: bool = False
    file: Path | None = None
    line: int = 0

    def __repr__(self) -> str:
        return f"ExecSpec({self.command})"  # arguments and environment may hold secrets


class OidcSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`auth-provider: oidc`: tokens, and where new ones are had. `ca_data` is PEM; `user` is the entry's name."""

    issuer: str
    client_id: str
    client_secret: str = ""
    id_token: str = ""
    refresh_token: str = ""
    ca_data: bytes = b""
    ca_file: str = ""
    user: str = ""
    file: Path | None = None
    line: int = 0

    def __repr__(self) -> str:
        return f"OidcSpec({self.issuer})"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """As whom. At most one way to a token; a client certificate may stand beside it. Data is PEM bytes."""

    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = ""
    cert_data: bytes = b""
    cert_file: str = ""
    key_data: bytes = b""
    key_file: str = ""
    exec: ExecSpec | None = None
    oidc: OidcSpec | None = None
    impersonate_user: str = ""
    impersonate_groups: tuple[str, ...] = ()
    impersonate_uid: str = ""
    impersonate_extra: tuple[tuple[str, str], ...] = ()
    """(key, value) pairs; a key with several values comes several times."""

    def __repr__(self) -> str:
        given = [name for name in self.__struct_fields__ if getattr(self, name)]
        return f"Credentials({', '.join(given) or 'none'})"


def read(user: Place, *, name: str = "") -> Credentials:
    """The credentials of a user entry called `name`. `ConfigError` with the line for what cannot be meant."""
    plugin, provider = user.field("exec"), user.field("auth-provider")
    if plugin and provider:
        raise provider.error(f"{user.what} has both exec and auth-provider; keep the one that you sign in with.")
    acting, groups = user.field("as"), user.field("as-groups")
    uid, extra = user.field("as-uid"), user.field("as-user-extra")
    for more in (groups, uid, extra):
        if more and not acting.text():
            raise more.error(f"{user.what} sets {more.what} without as: groups, uid and extra go with a user.")
    return Credentials(
        token=user.field("token").text(),
        token_file=user.field("tokenFile").path(),
        username=user.field("username").text(),
        password=user.field("password").text(),
        cert_data=user.field("client-certificate-data").base64(),
        cert_file=user.field("client-certificate").path(),
        key_data=user.field("client-key-data").base64(),
        key_file=user.field("client-key").path(),
        exec=_exec(plugin) if plugin else None,
        oidc=_oidc(provider, name) if provider.field("name").text() == "oidc" else None,
        impersonate_user=acting.text(),
        impersonate_groups=tuple(group.text() for group in groups.items()),
        impersonate_uid=uid.text(),
        impersonate_extra=tuple((key, value.text()) for key, values in extra.entries() for value in values.items()),
    )


def _exec(plugin: Place) -> ExecSpec:
    version = plugin.field("apiVersion")
    group, _, short = version.text().partition("/")
    if group != "client.authentication.k8s.io" or short not in {"v1", "v1beta1"}:
        place = version if version else plugin
        raise place.error(
            f'the exec plugin speaks "{version.text()}"; '
            "Sealane knows client.authentication.k8s.io/v1 and client.authentication.k8s.io/v1beta1."
        )
    command = plugin.field("command").text()
    if not command:
        raise plugin.error("the exec plugin has no command.")
    if os.sep in command:
        command = plugin.field("command").path()
    mode = plugin.field("interactiveMode")
    if mode.text("IfAvailable") not in {"Never", "IfAvailable", "Always"}:
        raise mode.error(f'interactiveMode should be Never, IfAvailable or Always, not "{mode.text()}".')
    return ExecSpec(
        api_version=version.text(),
        command=command,
        args=tuple(argument.text() for argument in plugin.field("args").items()),
        env=tuple((pair.field("name").text(), pair.field("value").text()) for pair in plugin.field("env").items()),
        install_hint=plugin.field("installHint").text().strip(),
        interactive_mode=mode.text("IfAvailable"),
        provide_cluster_info=plugin.field("provideClusterInfo").switch(),
        file=plugin.file,
        line=plugin.line,
    )


def _oidc(provider: Place, user: str) -> OidcSpec:
    given = provider.field("config")
    issuer, client = given.field("idp-issuer-url"), given.field("client-id")
    address = issuer.text().rstrip("/")
    if address:
        _require_private(issuer, address)
    return OidcSpec(
        issuer=issuer.text(),
        client_id=client.text(),
        client_secret=given.field("client-secret").text(),
        id_token=given.field("id-token").text(),
        refresh_token=given.field("refresh-token").text(),
        ca_data=given.field("idp-certificate-authority-data").base64(),
        ca_file=given.field("idp-certificate-authority").path(),
        user=user,
        file=provider.file,
        line=provider.line,
    )


def _require_private(place: Place, address: str) -> None:
    """A refresh token opens everything that its owner may do, so it never travels in the clear."""
    if not is_private(address):
        raise place.error(f'idp-issuer-url should begin with https://, not be "{address}".')


def is_private(address: str) -> bool:
    """Whether what is sent there is encrypted on the way, or stays on this computer."""
    try:
        parts = urlsplit(address)
        near = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in ({"https", "http"} if near else {"https"})


def claims(token: str) -> dict[str, object]:
    """What a JWT says of itself, unverified; nothing for other tokens. Only its server can say whether it is true."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(body, type=dict[str, object])
    except (binascii.Error, ValueError, RecursionError):
        return {}


def same_sign_in(one: Credentials, other: Credentials) -> bool:
    """Whether two entries are equal but for the line that they stand on: what was fetched by one is good for both."""
    return _placeless(one) == _placeless(other)


def _placeless(given: Credentials) -> Credentials:
    oidc = given.oidc and msgspec.structs.replace(given.oidc, line=0)
    plugin = given.exec and msgspec.structs.replace(given.exec, line=0)
    return msgspec.structs.replace(given, oidc=oidc, exec=plugin)


def same_person(one: Credentials, other: Credentials) -> bool:
    """Whether two entries surely mean the same person with the same rights: equal but for renewed tokens that name the
    same issuer, subject and groups, or a renewed certificate with the same subject. Opaque tokens say nothing, so two
    of them are two persons."""
    if _lasting(one) != _lasting(other):
        return False
    if _tokens(one) != _tokens(other) and not _alike([_holder(given) for given in (one, other)]):
        return False
    if (one.cert_data, one.key_data) == (other.cert_data, other.key_data):
        return True
    return _alike([certificates.subject(given.cert_data) for given in (one, other)])


def _lasting(given: Credentials) -> Credentials:
    """All but what is renewed, and where it stands."""
    bare = _placeless(given)
    oidc = bare.oidc and msgspec.structs.replace(bare.oidc, id_token="", refresh_token="")
    return msgspec.structs.replace(bare, token="", oidc=oidc, cert_data=b"", key_data=b"")


def _tokens(given: Credentials) -> tuple[str, str, str]:
    return (given.token, given.oidc.id_token, given.oidc.refresh_token) if given.oidc else (given.token, "", "")


def _holder(given: Credentials) -> tuple[object, ...]:
    said = claims(given.token or (given.oidc.id_token if given.oidc else ""))
    return (said.get("iss"), said["sub"], said.get("groups")) if "sub" in said else ()


def _alike(pair: Sequence[object]) -> bool:
    return bool(pair[0]) and pair[0] == pair[1]
