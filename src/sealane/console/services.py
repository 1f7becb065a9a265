"""What the console asks of the rest of Sealane, as protocols and plain values.

Pages see only what stands here: they never reach into a cache, a client or a database. `console.real` fills these in
from the fleet, the observer and the stores; tests fill them in with fakes. Everything that reads is quick and from
memory; everything that acts or asks a server is async and raises SealaneError with one sentence.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol
from urllib.parse import quote

import msgspec

from sealane.console.breaking import Breaking
from sealane.console.health import Health
from sealane.editors.types import Check
from sealane.fleet.rights import UNKNOWN, Verdict
from sealane.gpus.facts import ClusterFacts
from sealane.lib.clock import SYSTEM, Clock
from sealane.lib.errors import SealaneError
from sealane.models.rights import Action
from sealane.models.types import Fit, Hosted, ModelCard, ModelSpec, Placement, Plan, Stage

Tone = Literal["ok", "run", "wait", "warn", "fail", "idle", "off", "unknown"]
LinkState = Literal["connecting", "live", "busy", "reconnecting", "unreachable", "unauthorized", "forbidden"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process knows about itself.

    `token` opens a session; sessions are signed with `session_secret` (with the token where it is ""). `key` is the
    gateway key of `up`, "" when it is not known.
    """

    version: str
    sandbox: bool
    token: str
    session_secret: str = ""
    gateway_url: str
    kubeconfig: str = ""
    key: str = ""
    data_dir: str = ""
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")

    @property
    def openai_url(self) -> str:
        """The gateway's OpenAI-compatible base, whichever way `gateway_url` was given."""
        return f"{self.gateway_url.rstrip('/').removesuffix('/v1')}/v1"


class Ref(msgspec.Struct, frozen=True, order=True):
    """Which hosted model: its cluster, namespace and Deployment's name."""

    cluster: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """What its addresses end in, after `/models/`, `/code/` and so on; a context's name may hold anything."""
        return "/".join(quote(part, safe="") for part in (self.cluster, self.namespace, self.name))


class ClusterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster as listed. `sentence` says the cause when it is not live; `age` is seconds since it last answered."""

    name: str
    state: LinkState
    sentence: str = ""
    version: str = ""
    server: str = ""
    user: str = ""
    age: float = 0.0
    error: SealaneError | None = None
    warnings: tuple[str, ...] = ()
    behind: float = 0.0
    """Seconds since what is shown of it was last known to be right; 0 while it is live. `behind_why` says what is."""
    behind_why: str = ""


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One replica (a pod). `age` is seconds; `tone` and `state` say how it stands in one word."""

    name: str
    tone: Tone
    state: str
    sentence: str = ""
    node: str = ""
    share: str = ""
    restarts: int = 0
    age: float = 0.0


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what happened to a model: a stage it reached or an event of the cluster."""

    at: datetime.datetime
    tone: Tone
    sentence: str


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """All of one hosted model. `passed` maps a stage's name to the seconds since submission at which it was reached."""

    hosted: Hosted
    spec: ModelSpec
    stage: Stage
    copies: tuple[Copy, ...] = ()
    passed: dict[str, float] = {}
    happenings: tuple[Happening, ...] = ()
    managed: bool = True


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What a removal takes and what it leaves, as `Kind name (facts)`; `note` is what one should know besides."""

    went: tuple[str, ...]
    stayed: tuple[str, ...]
    note: str = ""


class EditorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One editor that can be connected. `notes` is said beside it (an end of life, for one)."""

    id: str
    title: str
    notes: tuple[str, ...] = ()


class EditorFile(msgspec.Struct, frozen=True, kw_only=True):
    """The exact file or settings for one editor. `savable` when Sealane can write `path` itself."""

    editor: str
    path: str
    format: str
    content: str
    notes: tuple[str, ...] = ()
    savable: bool = False


class DoctorCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor."""

    name: str
    state: Literal["ok", "warn", "fail"]
    sentence: str
    fix: str = ""


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway key, never its secret; `hint` is how its secret ends. Usage counts from the engines' own figures."""

    id: str
    name: str
    created: datetime.datetime
    hint: str = ""
    revoked: datetime.datetime | None = None
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ContextRow(msgspec.Struct, frozen=True, kw_only=True):
    """One context of the user's kubeconfig; nothing was sent to it."""

    name: str
    server: str
    user: str = ""
    namespace: str = ""
    active: bool = False
    warnings: tuple[str, ...] = ()


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What one may not see in one cluster. `models` says how much of what is hosted can be seen; `namespaces` are those
    that are looked into where it is not all; `hidden` are kinds that may not be read at all."""

    cluster: str
    models: Literal["all", "some", "none"]
    namespaces: tuple[str, ...]
    hidden: tuple[str, ...]
    sentence: str


class Rights(Protocol):
    """What the reader may do and see; answers at once, from memory."""

    def may(self, action: Action, ref: Ref, *, weights: bool = False) -> Verdict: ...
    def sights(self) -> Sequence[Sight]:
        """Clusters of which the reader may not see everything; empty for whoever may."""

    def namespaces(self, cluster: str) -> Sequence[str]:
        """Namespaces in which the reader may see something, as far as is known."""

    def name(self, cluster: str, namespace: str) -> None:
        """A namespace exists, says the reader: look into it. Raises SealaneError for no name."""


class Unrestricted:
    """Nothing is known of rights: the servers decide."""

    def may(self, action: Action, ref: Ref, *, weights: bool = False) -> Verdict:
        return UNKNOWN

    def sights(self) -> Sequence[Sight]:
        return ()

    def namespaces(self, cluster: str) -> Sequence[str]:
        return ()

    def name(self, cluster: str, namespace: str) -> None:
        return None


UNRESTRICTED = Unrestricted()


class Clusters(Protocol):
    """The fleet, as the console sees it."""

    def rows(self) -> Sequence[ClusterRow]: ...
    def facts(self) -> Sequence[ClusterFacts]:
        """Facts of every cluster that can be planned on; one that does not answer is simply not among them."""

    async def settle(self) -> None:
        """Wait a moment for clusters that are being read for the first time; never raises, never waits long."""

    def changes(self) -> AsyncIterator[None]:
        """Yields after something that a page may show has changed; coalesced by the source."""


class Models(Protocol):
    """Hosted models: what they are, and what may be done with them."""

    def hosted(self) -> Sequence[Hosted]: ...
    def detail(self, ref: Ref) -> Detail:
        """Raises SealaneError (404) with the nearest names when nothing of that name is hosted."""

    def changes(self) -> AsyncIterator[None]: ...
    async def submit(self, plan: Plan) -> None: ...
    async def scale(self, ref: Ref, copies: int) -> None: ...
    async def restart(self, ref: Ref) -> None: ...
    async def preview_removal(self, ref: Ref, *, with_weights: bool) -> Removal: ...
    async def remove(self, ref: Ref, *, with_weights: bool) -> Removal: ...
    async def logs(self, ref: Ref, *, copy: str, tail: int, previous: bool) -> Sequence[str]:
        """The last lines of one copy, oldest first; `copy` "" merges all, each line with its copy's name before it."""


class Catalogue(Protocol):
    """Models that can be hosted."""

    def cards(self) -> Sequence[ModelCard]: ...
    def search(self, text: str) -> Sequence[ModelCard]: ...
    async def laptop(self) -> Sequence[ModelCard]:
        """What Ollama on this computer holds; empty when nothing answers there."""

    async def resolve(self, tag: str) -> ModelCard:
        """The card of any tag or reference; raises SealaneError with the nearest names."""


class Planner(Protocol):
    """The pure core: what a model needs, where it would start, what would be created."""

    def fit(self, card: ModelCard, *, context: int) -> Fit: ...
    def places(self, fit: Fit) -> Sequence[Placement]: ...
    def plan(self, spec: ModelSpec, card: ModelCard, *, update: bool = False) -> Plan:
        """Refusals stand inside. `update`: objects of ours under that name are meant to change."""

    def yaml(self, plan: Plan) -> str: ...
    def kubectl(self, plan: Plan) -> str: ...
    def helm(self, plan: Plan) -> str: ...


class Keys(Protocol):
    """Gateway keys and what was used with them."""

    async def rows(self) -> Sequence[KeyRow]: ...
    async def create(self, name: str) -> tuple[KeyRow, str]:
        """The new key and its secret, which is never given again."""

    async def revoke(self, key_id: str) -> KeyRow: ...


class Editors(Protocol):
    """Setting up an editor and proving that it works."""

    def all(self) -> Sequence[EditorInfo]: ...
    async def file(self, editor: str, hosted: Hosted, *, key: str) -> EditorFile: ...
    async def save(self, editor: str, hosted: Hosted, *, key: str) -> str:
        """Write the file on this computer; gives back one sentence that says where and what it kept."""

    async def test(self, editor: str, hosted: Hosted, *, key: str) -> Sequence[Check]: ...


class Doctor(Protocol):
    """Checks that read only."""

    async def checks(self) -> Sequence[DoctorCheck]: ...


class Switch(Protocol):
    """Leaving the sandbox for the user's own clusters, and coming back."""

    def contexts(self) -> Sequence[ContextRow]:
        """From the user's kubeconfig; raises SealaneError (ConfigError with file and line) when it is broken."""

    def problem(self) -> SealaneError | None:
        """Why the clusters do not follow the kubeconfig as it is now, or not in full; None when they do."""

    async def use(self, clusters: str) -> None:
        """`sandbox`, `kubeconfig` or context names joined by commas, as `sealane up --clusters` takes them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a page may ask. `switch` is None where the process cannot change its clusters while it runs."""

    settings: Settings
    clusters: Clusters
    models: Models
    catalogue: Catalogue
    planner: Planner
    keys: Keys
    editors: Editors
    doctor: Doctor
    health: Health
    switch: Switch | None = None
    breaking: Breaking | None = None
    rights: Rights = UNRESTRICTED
    clock: Clock = SYSTEM
