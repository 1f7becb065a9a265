"""Help: the words that Sealane uses, each in at most 25 words, and where everything stands on this computer."""

from __future__ import annotations

import msgspec

from sealane.console.views import Ask, Desk, View


class Term(msgspec.Struct, frozen=True):
    """A word, what Kubernetes calls it, and what it means."""

    word: str
    kubernetes: str
    meaning: str


class HelpContext(msgspec.Struct, frozen=True, kw_only=True):
    """Words and addresses."""

    terms: tuple[Term, ...]
    gateway: str
    kubeconfig: str
    data_dir: str
    version: str
    sandbox: bool


TERMS = (
    Term(
        "Model",
        "Deployment and Service",
        "A language model that runs in a cluster and answers at one address, in one or more copies.",
    ),
    Term("Copy", "replica, pod", "One running instance of a model. More copies answer more requests at the same time."),
    Term(
        "Share",
        "gpu-fraction, nvidia.com/gpu",
        "How much of a graphics card one copy gets: a part, whole cards, or memory.",
    ),
    Term("Queue", "KAI Queue", "A team's place in line for GPUs: what it is guaranteed and the most that it may use."),
    Term(
        "Context",
        "OLLAMA_CONTEXT_LENGTH",
        "How many tokens, roughly words, a model keeps in mind. More needs more memory.",
    ),
    Term(
        "Weights",
        "PersistentVolumeClaim",
        "The model's file of numbers, downloaded once and kept on a volume between restarts.",
    ),
    Term(
        "Namespace",
        "Namespace",
        "A named part of a cluster that belongs to a team; your rights are given by namespace.",
    ),
    Term("Gateway", "", "The one address in front of all your models, for editors and programs. It asks for a key."),
    Term(
        "Sandbox",
        "",
        "Three simulated clusters on this computer. Everything works; no GPU and no real model is behind it.",
    ),
)


async def context(desk: Desk, ask: Ask) -> HelpContext:
    """All of Help."""
    del ask
    settings = desk.services.settings
    return HelpContext(
        terms=TERMS,
        gateway=settings.openai_url,
        kubeconfig=settings.kubeconfig,
        data_dir=settings.data_dir,
        version=settings.version,
        sandbox=settings.sandbox,
    )


VIEW = View(name="help", path="/help", template="help.html", rail="help", title=lambda _: "Help", context=context)
