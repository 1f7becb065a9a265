"""Home: three tasks, then what runs, then the clusters. What nothing serves yet is left out, never faked."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealane.console.changes import Change
from sealane.console.rows import ClusterLine, ModelRow, by_need, cluster_line, favourites_first, model_row
from sealane.console.services import EditorInfo, Sight
from sealane.console.views import Ask, Desk, View
from sealane.lib import text
from sealane.models.types import ModelCard

_QUICK = 3
_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


class HomeContext(msgspec.Struct, frozen=True, kw_only=True):
    """What Home shows. `quick` are models that are one press away from the form; `from_laptop` says whose they are."""

    heading: str
    quick: tuple[ModelCard, ...]
    from_laptop: bool
    hosted: tuple[ModelRow, ...]
    waiting: tuple[ModelRow, ...]
    clusters: tuple[ClusterLine, ...]
    editors: tuple[EditorInfo, ...]
    more_editors: int
    answering: str
    changes: tuple[Change, ...]
    catalogue: int
    sights: tuple[Sight, ...]


async def context(desk: Desk, ask: Ask) -> HomeContext:
    """Home, from memory but for the laptop's own models."""
    del ask
    services = desk.services
    await services.clusters.settle()
    laptop = tuple(await services.catalogue.laptop())
    cards = services.catalogue.cards()
    hosted = by_need([model_row(model) for model in services.models.hosted()])
    waiting = tuple(row for row in hosted if row.tone in {"wait", "fail"})
    facts = {fact.name: fact for fact in services.clusters.facts()}
    editors = tuple(services.editors.all())
    sights = tuple(services.rights.sights())
    return HomeContext(
        heading=_heading(hosted, sights),
        quick=(laptop or favourites_first(cards))[:_QUICK],
        from_laptop=bool(laptop),
        hosted=hosted,
        waiting=waiting,
        clusters=tuple(cluster_line(row, facts.get(row.name)) for row in services.clusters.rows()),
        editors=editors[:_QUICK],
        more_editors=max(0, len(editors) - _QUICK),
        answering=_best_for_an_editor(hosted, cards),
        changes=tuple(desk.changes.last())[:5],
        catalogue=len(cards),
        sights=sights,
    )


def _best_for_an_editor(hosted: tuple[ModelRow, ...], cards: Sequence[ModelCard]) -> str:
    """The path of a model that answers: one that completes code, else one that chats, else any; "" for none."""
    able = {card.tag: card.capabilities for card in cards}

    def rank(row: ModelRow) -> int:
        can = able.get(row.model) or able.get(f"{row.model}:latest", ())
        return 0 if "fim" in can else 1 if "chat" in can or not can else 2

    ready = sorted((row for row in hosted if row.ready), key=rank)
    return ready[0].path if ready else ""


def _heading(hosted: tuple[ModelRow, ...], sights: Sequence[Sight] = ()) -> str:
    """The state of everything as one sentence. What one may not see is never said to be nothing."""
    if not hosted and any(sight.models == "none" for sight in sights):
        return "You have no permission to see whether anything runs."
    if not hosted and any(sight.models == "some" for sight in sights):
        return "Nothing runs where you may look. Host a model, and your editor can use it."
    if not hosted:
        return "Nothing runs yet. Host a model, and your editor can use it."
    answer = sum(1 for row in hosted if _answers(row))
    parts = []
    if answer:
        parts.append(f"{_number(answer)} {'model answers' if answer == 1 else 'models answer'}")
    for tone, one, many in (
        ("run", "starts", "start"),
        ("wait", "waits", "wait"),
        ("fail", "has failed", "have failed"),
    ):
        count = sum(1 for row in hosted if row.tone == tone and not _answers(row))
        if count:
            parts.append(f"{_number(count)} {one if count == 1 else many}")
    asleep = sum(1 for row in hosted if row.tone == "idle")
    if asleep:
        parts.append(f"{_number(asleep)} {'sleeps' if asleep == 1 else 'sleep'}")
    sentence = text.listing(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _answers(row: ModelRow) -> bool:
    """A ready pod is not yet a model in memory: only the stage knows."""
    return row.stage == "Answering" and row.tone != "idle"


def _number(count: int) -> str:
    return _NUMBERS[count].lower() if count < len(_NUMBERS) else str(count)


VIEW = View(
    name="home",
    path="/",
    template="home.html",
    rail="home",
    title=lambda _: "Home",
    context=context,
    regions={
        "r-heading": "home/heading.html",
        "r-waiting": "home/waiting.html",
        "r-sights": "fragments/sights.html",
        "r-runs": "home/runs.html",
        "r-clusters": "home/clusters.html",
    },
)
