"""The values that the Host river carries: what was asked, what it needs, where it goes, what will be created.

Plain, frozen, comparable. Form, YAML, kubectl, Helm values and recipe are renderings of one `Plan`; nothing here
does I/O. Memory and weights are bytes; a GPU share is in devices or MiB, as said at each field.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sealane.lib.errors import SealaneError

Engine = Literal["ollama"]
KvType = Literal["f16", "q8_0", "q4_0"]
Storage = Literal["claim", "each", "empty"]
Starts = Literal["now", "waits", "never", "not-allowed"]
StageName = Literal["Submitted", "Waiting", "Scheduled", "Image", "Pulling", "Loading", "Answering", "Failed"]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a GPU one copy gets. At most one field is set; none set means "not said": the plan recommends one.

    `devices` is a whole number of cards, 0 for CPU only; `fraction` is 0.01 ≤ f < 1 of one card; `memory_mib` is MiB of
    one card.
    """

    devices: int | None = None
    fraction: float | None = None
    memory_mib: int | None = None

    @property
    def text(self) -> str:
        """As typed and shown everywhere: `0`, `1`, `0.5`, `8GiB`, `8000MiB`; `auto` when not said."""
        if not self.said:
            return "auto"
        if self.fraction is not None:
            return f"{self.fraction:g}"
        if self.memory_mib is not None:
            return f"{self.memory_mib // 1024}GiB" if self.memory_mib % 1024 == 0 else f"{self.memory_mib}MiB"
        return str(self.devices or 0)

    @property
    def said(self) -> bool:
        """Whether any amount was asked for; if not, the plan fills in what it recommends."""
        return self.devices is not None or self.fraction is not None or self.memory_mib is not None

    @property
    def on_gpu(self) -> bool:
        """Whether a copy takes any part of a GPU."""
        return self.fraction is not None or self.memory_mib is not None or bool(self.devices)


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for. `model` is an exact tag (`qwen2.5-coder:7b`, `host:5000/team/m:tag`, `hf.co/o/m:Q4`).

    `storage` is the kind of volume that a hosted model has already: an apply cannot turn one kind into another, so a
    turned knob keeps it. "" lets the plan choose. `registry_secret` names a Secret that holds Ollama's own key
    (`id_ed25519`) for a registry that asks for one.
    """

    model: str
    cluster: str
    namespace: str = "default"
    name: str = ""
    engine: Engine = "ollama"
    share: Share = Share()
    queue: str = ""
    copies: int = 1
    context: int = 8192
    parallel: int = 1
    kv: KvType = "f16"
    keep_weights: bool = True
    storage: Storage | Literal[""] = ""
    insecure_registry: bool = False
    registry_secret: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a GGUF header that memory fit needs. Per-layer lists are expanded; lengths are elements."""

    architecture: str
    layers: int
    embedding: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    key_length: int
    value_length: int
    context_max: int
    vocabulary: int = 0
    feed_forward: int = 0
    sliding_window: int = 0
    sliding_layers: tuple[int, ...] = ()
    sliding_key_length: int = 0  # where sliding layers have heads of another width; 0 for the same
    sliding_value_length: int = 0
    experts: int = 0
    experts_used: int = 0
    ssm_conv: int = 0
    ssm_inner: int = 0
    ssm_state: int = 0
    ssm_groups: int = 0
    recurrent_layers: tuple[int, ...] = ()
    mla_key_length: int = 0
    mla_value_length: int = 0


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model that can be hosted: from the catalogue, the laptop, or a registry. Sizes are bytes."""

    tag: str
    title: str
    family: str
    parameters: float  # billions; 0 when unknown
    quantization: str
    weights_bytes: int  # 0 when unknown
    context_max: int  # tokens; 0 when unknown
    licence: str
    capabilities: tuple[Literal["chat", "fim", "embedding", "tools", "vision", "thinking"], ...]
    summary: str = ""
    source: Literal["catalogue", "laptop", "registry"] = "catalogue"
    header: Header | None = None
    modified: str = ""  # RFC 3339, laptop only
    provenance: str = ""  # where the size and the header come from; says "approximate" where they are rounded


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How much GPU memory one copy needs, in bytes, and how sure we are."""

    model: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    total_bytes: int
    basis: str
    error_percent: float


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Would it start there? `sentence` says why, with numbers; `node` is "" when no single node is meant."""

    cluster: str
    queue: str
    node: str
    share: str
    starts: Starts
    sentence: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that will happen, before it happens. `refusals` non-empty means that nothing may be applied."""

    spec: ModelSpec  # completed: name and share are filled in
    card: ModelCard
    fit: Fit
    placement: Placement
    manifests: tuple[dict[str, Any], ...]  # apply order
    warnings: tuple[str, ...] = ()
    refusals: tuple[SealaneError, ...] = ()


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a hosted model stands. `progress` is 0–1 or None; `seconds` since submission; bytes only while Pulling."""

    stage: StageName
    sentence: str
    progress: float | None = None
    seconds: float = 0.0
    done_bytes: int = 0
    total_bytes: int = 0


class Hosted(msgspec.Struct, frozen=True, kw_only=True):
    """One hosted model as `sealane models` lists it. `endpoint` is inside the cluster, e.g. `http://qwen.team-a:11434`."""

    cluster: str
    namespace: str
    name: str
    model: str
    engine: str
    stage: StageName
    copies: int
    ready: int
    share: str
    queue: str
    endpoint: str
    sentence: str = ""
    context: int = 0
