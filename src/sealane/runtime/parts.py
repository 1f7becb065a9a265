"""What outlives a switch of clusters: the database with its keys and usage, addresses, the session's secrets.

The local client's gateway key is kept in a private file of the data directory, so that an editor's settings stay right
when `up` is started again; the database has only its hash, as for every key.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from sealane import __version__
from sealane.console.security import Sessions
from sealane.console.services import Settings as ConsoleSettings
from sealane.lib import ids
from sealane.runtime import running
from sealane.runtime.contexts import Chosen

if TYPE_CHECKING:
    from sealane.gateway.app import Settings as GatewaySettings
    from sealane.gateway.keys import KeyStore
    from sealane.gateway.metering import UsageStore
    from sealane.state.database import Database
    from sealane.state.settings import SettingsStore

LOCAL_KEY_NAME = "this computer"
CHOICE = "clusters"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts:
    """Built once per `up`."""

    data_dir: Path
    database: Database
    keys: KeyStore
    usage: UsageStore
    remembered: SettingsStore
    gateway_settings: GatewaySettings
    console_url: str
    gateway_url: str
    local_key: str
    token: str
    session_secret: str
    sessions: Sessions
    hosts: tuple[str, ...]

    def console_settings(self, chosen: Chosen) -> ConsoleSettings:
        """What the console knows about the process, for one choice of clusters."""
        return ConsoleSettings(
            version=__version__,
            sandbox=chosen.sandbox,
            token=self.token,
            session_secret=self.session_secret,
            gateway_url=self.gateway_url,
            kubeconfig=chosen.kubeconfig,
            key=self.local_key,
            data_dir=str(self.data_dir),
            hosts=self.hosts,
        )


def build(*, data_dir: Path, host: str, console_port: int, gateway_port: int) -> Parts:
    """Open the database and make sure of the local key. Blocks; raises StateError or DataDirUnusable."""
    from sealane import state
    from sealane.gateway.app import Settings as GatewaySettings
    from sealane.gateway.keys import KeyStore
    from sealane.gateway.metering import UsageStore
    from sealane.state.settings import SettingsStore

    database = state.open(data_dir)
    keys = KeyStore(database)
    shown = _shown(host)
    token, secret = ids.secret("", size=24), ids.secret("", size=32)
    return Parts(
        data_dir=data_dir,
        database=database,
        keys=keys,
        usage=UsageStore(database),
        remembered=SettingsStore(database),
        gateway_settings=GatewaySettings(hosts=_local(host)),
        console_url=f"http://{shown}:{console_port}",
        gateway_url=f"http://{shown}:{gateway_port}",
        local_key=_local_key(keys, data_dir),
        token=token,
        session_secret=secret,
        sessions=Sessions(token, secret=secret),
        hosts=tuple(dict.fromkeys((shown, "127.0.0.1", "localhost", "[::1]"))),
    )


def _local_key(keys: KeyStore, data_dir: Path) -> str:
    kept = running.read_credential(data_dir)
    if kept and keys.verify(kept) is not None:
        return kept
    _, secret = keys.create(LOCAL_KEY_NAME)
    running.write_credential(data_dir, secret)
    return secret


def _local(host: str) -> frozenset[str]:
    """Names of a gateway that listens on this computer alone, also from its containers; none for one on a network."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        return frozenset()
    return frozenset({"127.0.0.1", "localhost", "[::1]", "host.docker.internal"})


def _shown(host: str) -> str:
    """The host as it stands in an address: wildcards mean this computer; IPv6 gets its brackets."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
