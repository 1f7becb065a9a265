"""Signing in to the real API server: what it says of us, and what it does when credentials are replaced under us."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from connect_proxy import ConnectProxy
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rig.cluster import Cluster
from sealane.fleet import Fleet
from sealane.kube import config, errors
from sealane.kube.client import Client
from sealane.kube.config import Context, Credentials, ExecSpec
from sealane.kube.resources import CONFIGMAPS, NAMESPACES, PODS
from sealane.kube.watch import Change, Condition, Gone, Synced, Upsert, reflect
from sealane.lib.clock import SYSTEM, Clock
from sealane.runtime import contexts
from sealane.runtime.kubeconfig import Following

pytestmark = pytest.mark.rig

V1 = "client.authentication.k8s.io/v1"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Hasty:
    """The real clock, on which a minute can be skipped."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> datetime.datetime:
        return SYSTEM.now() + datetime.timedelta(seconds=self.skipped)

    def monotonic(self) -> float:
        return SYSTEM.monotonic() + self.skipped

    async def sleep(self, seconds: float) -> None:
        await SYSTEM.sleep(seconds)


def context_of(cluster: Cluster, credentials: Credentials, **more: Any) -> Context:
    found = config.load([cluster.plane.kubeconfig()]).context(cluster.name)
    return msgspec.structs.replace(found, credentials=credentials, **more)


def client_of(cluster: Cluster, credentials: Credentials, *, clock: Clock = SYSTEM, **more: Any) -> Client:
    return Client(context_of(cluster, credentials, **more), clock=clock)


async def whoami(client: Client) -> dict[str, Any]:
    """The server's own word on who we are."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await client.http.request(
        "POST", WHOAMI, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    found: dict[str, Any] = json.loads(answer)["status"]["userInfo"]
    return found


def issue(cluster: Cluster, folder: Path, user: str, *, days: float = 1) -> Credentials:
    """A certificate of the cluster's authority for `user` in `folder`; negative `days` has expired."""
    pki = cluster.plane.folder / "pki"
    authority = x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes())
    signing = serialization.load_pem_private_key((pki / "ca.key").read_bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "team-a"),
            x509.NameAttribute(NameOID.COMMON_NAME, user),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    (folder / "c.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "c.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Credentials(cert_file=str(folder / "c.crt"), key_file=str(folder / "c.key"))


def plugin(folder: Path, said: str) -> Credentials:
    """A credential plugin that prints `said` and counts its runs in `folder/runs`."""
    path = folder / "login"
    path.write_text(f"#!/bin/sh\necho x >> {folder}/runs\ncat <<'END'\n{said}\nEND\n")
    path.chmod(0o755)
    return Credentials(exec=ExecSpec(api_version=V1, command=str(path)))


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def granted(**status: str) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


async def test_a_user_of_the_token_file_of_the_server_is_known_with_groups(cluster: Cluster) -> None:
    async with client_of(cluster, Credentials(token=cluster.plane.token("alice"))) as client:
        found = await whoami(client)
    assert (found["username"], found["uid"]) == ("alice", "u-alice")


async def test_a_refused_token_file_is_named_and_read_again_at_once(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("nobody")
    async with client_of(cluster, Credentials(token_file=str(file))) as client:
        with pytest.raises(errors.Unauthorized, match=rf"{file} still holds the token that is refused"):
            await whoami(client)
        file.write_text(cluster.plane.token("alice"))
        assert (await whoami(client))["username"] == "alice"


async def test_a_replaced_client_certificate_is_the_one_that_the_server_sees(cluster: Cluster, tmp_path: Path) -> None:
    clock = Hasty()
    async with client_of(cluster, issue(cluster, tmp_path, "dana"), clock=clock) as client:
        found = await whoami(client)
        assert (found["username"], found["groups"][0]) == ("dana", "team-a")
        issue(cluster, tmp_path, "dana-renewed")
        clock.skipped += 61
        assert (await whoami(client))["username"] == "dana-renewed"


async def test_an_expired_client_certificate_is_named_with_its_date_and_its_successor_is_used_at_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    date = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=3)
    async with client_of(cluster, issue(cluster, tmp_path, "dana", days=-3)) as client:
        with pytest.raises(errors.Unauthorized, match=rf"the client certificate .* expired on {date:%Y-%m-%d}"):
            await whoami(client)
        issue(cluster, tmp_path, "dana")
        assert (await whoami(client))["username"] == "dana"


async def test_a_plugin_may_sign_in_with_a_certificate(cluster: Cluster, tmp_path: Path) -> None:
    issue(cluster, tmp_path, "carol")
    pair = {
        "clientCertificateData": (tmp_path / "c.crt").read_text(),
        "clientKeyData": (tmp_path / "c.key").read_text(),
    }
    async with client_of(cluster, plugin(tmp_path, granted(**pair))) as client:
        assert (await whoami(client))["username"] == "carol"
        await whoami(client)
    assert runs(tmp_path) == 1


async def test_a_plugin_whose_token_nobody_knows_is_run_twice_and_then_left_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with client_of(cluster, plugin(tmp_path, granted(token="nobody"))) as client:
        for _ in range(5):
            with pytest.raises(errors.Unauthorized, match=r"the credential plugin .* was asked anew in vain"):
                await whoami(client)
    assert runs(tmp_path) == 2


async def test_user_groups_uid_and_extra_are_impersonated(cluster: Cluster) -> None:
    credentials = Credentials(
        token=cluster.plane.token("admin"),
        impersonate_user="bob",
        impersonate_groups=("team-b", "auditors"),
        impersonate_uid="u-7",
        impersonate_extra=(("scopes", "view"), ("scopes", "edit"), ("acme.com/team ü", "a")),
    )
    async with client_of(cluster, credentials) as client:
        found = await whoami(client)
    assert (found["username"], found["uid"]) == ("bob", "u-7")
    assert set(found["groups"]) >= {"team-b", "auditors"}
    assert found["extra"]["scopes"] == ["view", "edit"]
    assert found["extra"]["acme.com/team ü"] == ["a"]


async def test_who_may_not_impersonate_hears_it_in_the_servers_words(cluster: Cluster) -> None:
    credentials = Credentials(token=cluster.plane.token("alice"), impersonate_user="bob")
    async with client_of(cluster, credentials) as client:
        with pytest.raises(errors.Forbidden, match='cannot impersonate resource "users"'):
            await client.list(PODS, namespace="team-a")


async def test_the_server_is_reached_through_a_proxy(cluster: Cluster) -> None:
    async with ConnectProxy() as proxy:
        credentials = Credentials(token=cluster.plane.token("alice"))
        async with client_of(cluster, credentials, proxy_url=proxy.url) as client:
            assert (await whoami(client))["username"] == "alice"
    assert proxy.asked[0].startswith(f"CONNECT 127.0.0.1:{cluster.plane.api_port} ")


async def test_an_authority_that_is_put_in_place_while_we_run_is_trusted_at_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes((cluster.plane.folder / "pki" / "ca.crt").read_bytes())
    right, wrong = file.read_bytes(), issued_by_nobody()
    file.write_bytes(wrong)
    credentials = Credentials(token=cluster.plane.token("alice"))
    async with client_of(cluster, credentials, ca_data=b"", ca_file=str(file)) as client:
        with pytest.raises(errors.TlsFailed):
            await whoami(client)
        file.write_bytes(right)
        assert (await whoami(client))["username"] == "alice"


def issued_by_nobody() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody's CA")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@contextlib.asynccontextmanager
async def accounts(cluster: Cluster) -> AsyncIterator[tuple[str, str]]:
    """Two service accounts of team-a that may read config maps."""
    names = (f"s-{secrets.token_hex(3)}", f"s-{secrets.token_hex(3)}")
    api = cluster.api
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": names[0], "namespace": "team-a"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
    }
    binding = {
        **role,
        "kind": "RoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names[0]},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "team-a"} for name in names],
    }
    del binding["rules"]
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/team-a"
    for name in names:
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "team-a"}}
        api.apply(f"/api/v1/namespaces/team-a/serviceaccounts/{name}", body)
    api.apply(f"{base}/roles/{names[0]}", role)
    api.apply(f"{base}/rolebindings/{names[0]}", binding)
    yield names


async def token_of(admin: Client, account: str) -> str:
    path = f"/api/v1/namespaces/team-a/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    answer = await admin.http.request(
        "POST", path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    return str(json.loads(answer)["status"]["token"])


async def test_a_token_that_ends_under_a_running_watch_is_renewed_and_nothing_that_was_known_is_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    admin = client_of(cluster, Credentials(token=cluster.plane.token("admin")))
    async with admin, accounts(cluster) as (first, second):
        file.write_text(await token_of(admin, first))
        reader = client_of(cluster, Credentials(token_file=str(file)))
        seen: list[Change] = []
        async with reader, contextlib.aclosing(reflect(reader, CONFIGMAPS, namespace="team-a")) as changes:
            async with asyncio.timeout(30):
                while not seen or not isinstance(seen[-1], Synced):
                    seen.append(await anext(changes))
            file.write_text(await token_of(admin, second))
            cluster.api.delete(f"/api/v1/namespaces/team-a/serviceaccounts/{first}")
            await until_refused(cluster, reader)
            await reader.hang_up()  # as when the server ends the watch, which it does each few minutes
            name = f"c-{secrets.token_hex(3)}"
            meta = {"name": name, "namespace": "team-a"}
            await admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
            async with asyncio.timeout(30):
                while not (isinstance(seen[-1], Upsert) and seen[-1].meta.name == name):
                    seen.append(await anext(changes))
    assert len([change for change in seen if isinstance(change, Synced)]) == 1
    assert not [change for change in seen if isinstance(change, Gone)]
    states = {change.state for change in seen if isinstance(change, Condition)}
    assert "unauthorized" not in states
    assert "forbidden" not in states


async def until_refused(cluster: Cluster, reader: Client) -> None:
    """Wait until the server has forgotten that the reader's first token was good (it remembers for ten seconds)."""
    held = Credentials(token=(await reader.http._way.identity()).authorization.removeprefix("Bearer "))
    async with client_of(cluster, held) as old:
        end = time.monotonic() + 40
        while time.monotonic() < end:
            try:
                await whoami(old)
            except errors.Unauthorized:
                return
            await asyncio.sleep(1)
    pytest.fail("the token of a deleted account was accepted for 40 s")


async def test_an_edited_kubeconfig_is_followed_on_a_real_cluster(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(cluster.plane.kubeconfig("admin").read_text())
    chosen = contexts.of_files(str(file), [cluster.name], sandbox=False)
    async with Fleet(chosen.contexts) as fleet:
        following = Following(fleet, chosen, contexts.KUBECONFIG, changed=lambda *_: None)

        async def edit(text: str) -> None:
            draft = tmp_path / "draft"
            draft.write_text(text)
            draft.replace(file)
            for _ in range(2):
                await following.look()

        admin = fleet.cluster(cluster.name)
        await admin.synced(NAMESPACES, timeout=30)
        text = file.read_text()
        await edit(text.replace(f"cluster: {cluster.name}\n", f"cluster: {cluster.name}\n    namespace: team-a\n"))
        assert fleet.cluster(cluster.name) is admin
        assert admin.context.namespace == "team-a"
        assert admin.freshness(NAMESPACES).state == "live"
        await edit("half: [")
        assert following.problem is not None
        assert fleet.cluster(cluster.name) is admin
        await edit(cluster.plane.kubeconfig("alice").read_text())
        assert following.problem is None
        alice = fleet.cluster(cluster.name)
        assert alice is not admin
        assert not alice.list(NAMESPACES)
        await alice.synced(NAMESPACES, timeout=30)
        assert alice.freshness(NAMESPACES).state == "forbidden"
