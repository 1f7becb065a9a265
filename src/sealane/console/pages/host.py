"""Host a model: which, where, how much of a GPU, how many; what will be created is shown before anything is.

The whole form lives in the address, so that it can be linked and works without a script; with one, each change brings
the affected parts anew. Deploy posts the same fields. Whatever goes wrong, what was written stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sealane.console import errors, hosting
from sealane.console.forms import Form, read_form
from sealane.console.hosting import Bar, HostForm
from sealane.console.json import JSONResponse
from sealane.console.once import Once
from sealane.console.problems import Refused
from sealane.console.rows import favourites_first
from sealane.console.services import Ref, Services, Tone
from sealane.console.views import Ask, Desk, View, desk_of, services_of, show, templates_of
from sealane.fleet.rights import UNKNOWN, Verdict
from sealane.gpus.facts import ClusterFacts
from sealane.lib import text
from sealane.lib.errors import SealaneError
from sealane.models.types import Fit, ModelCard, Placement, Plan, Starts

_SHOWN = 8  # catalogue rows before "all models"
_STARTS: dict[Starts, tuple[Tone, str]] = {
    "now": ("ok", "Starts now"),
    "waits": ("wait", "Waits"),
    "never": ("off", "Does not fit"),
    "not-allowed": ("off", "Not allowed"),
}
_NOTES = {
    "Deployment": "the engine, {copies}",
    "Service": "port 11434, inside the cluster",
    "PersistentVolumeClaim": "its weights, kept between copies",
    "Secret": "the registry's password",
    "Namespace": "new",
}


class PlaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One place with its verdict. A barred one stays visible and says why."""

    id: str
    cluster: str
    queue: str
    region: str
    share: str
    starts: Starts
    tone: Tone
    word: str
    sentence: str
    barred: bool
    chosen: bool
    recommended: bool


class ObjectRow(msgspec.Struct, frozen=True):
    """One object that will be created."""

    kind: str
    name: str
    note: str


class HostContext(msgspec.Struct, frozen=True, kw_only=True):
    """The form and everything that follows from it. `plan` values are "" or empty while there is no model or place."""

    form: HostForm
    laptop: tuple[ModelCard, ...]
    catalogue: tuple[ModelCard, ...]
    found: int
    total: int
    reference: str
    card: ModelCard | None
    fit: Fit | None
    places: tuple[PlaceRow, ...]
    namespaces: tuple[str, ...] | None
    namespace: str
    name: str
    share: str
    bar: Bar | None
    isolation: str
    objects: tuple[ObjectRow, ...]
    yaml: str
    kubectl: str
    helm: str
    warnings: tuple[str, ...]
    refusals: tuple[SealaneError, ...]
    summary: str
    ready: bool
    may: Verdict = UNKNOWN
    listed: bool = True


async def context(desk: Desk, ask: Ask) -> HostContext:
    """The form of an address."""
    form, refused = hosting.read_what_does(Form(dict(ask.query)))
    filled, _ = await fill(desk.services, form)
    return filled if refused is None else _refused(filled, refused)


def _refused(filled: HostContext, error: SealaneError) -> HostContext:
    """The form with one more reason against it, which comes first."""
    return msgspec.structs.replace(filled, refusals=(error, *filled.refusals), summary=error.sentence, ready=False)


async def fill(services: Services, form: HostForm) -> tuple[HostContext, Plan | None]:
    """The form with everything that follows from it, and its plan where there can be one."""
    await services.clusters.settle()
    laptop = tuple(await services.catalogue.laptop())
    found = tuple(services.catalogue.search(form.q)) if form.q else favourites_first(services.catalogue.cards())
    card, problem = await _card(services, form, laptop, found)
    shown_laptop = tuple(item for item in laptop if form.q.lower() in item.tag.lower())
    here = {item.tag for item in shown_laptop}
    others = tuple(item for item in found if item.tag not in here)
    catalogue = others if form.every or form.q else others[:_SHOWN]
    reference = "" if not form.q or shown_laptop or found else form.q
    if card is None:
        return _empty(services, form, shown_laptop, catalogue, len(others), reference, problem), None
    return _planned(services, form, card, (shown_laptop, catalogue, len(others), reference))


async def _card(
    services: Services, form: HostForm, laptop: Sequence[ModelCard], found: Sequence[ModelCard]
) -> tuple[ModelCard | None, SealaneError | None]:
    """The chosen model's card: as named, else the first that is offered."""
    if not form.model:
        offered = [*laptop, *found] if not form.q else [*found]
        return (offered[0] if offered else None), None
    try:
        return await services.catalogue.resolve(form.model), None
    except SealaneError as error:
        return None, error


def _planned(
    services: Services,
    form: HostForm,
    card: ModelCard,
    offered: tuple[tuple[ModelCard, ...], tuple[ModelCard, ...], int, str],
) -> tuple[HostContext, Plan | None]:
    laptop, catalogue, found, reference = offered
    if card.context_max and form.context > card.context_max:
        form = msgspec.structs.replace(form, context=card.context_max)
    fit = services.planner.fit(card, context=form.context)
    places = hosting.best_places(services.planner.places(fit))
    place = hosting.chosen_place(form, places)
    facts = {fact.name: fact for fact in services.clusters.facts()}
    here = facts.get(place.cluster) if place else None
    known = hosting.namespaces_of(here)
    listed = known is not None
    if known is None and place is not None:
        known = tuple(services.rights.namespaces(place.cluster)) or None
    namespace = hosting.namespace_of(form, known)
    plan = None
    if place is not None:
        plan = services.planner.plan(hosting.spec_of(form, place, namespace=namespace, model=card.tag), card)
        elsewhere = hosting.unknown_place(form, places)
        if elsewhere is not None:
            plan = msgspec.structs.replace(plan, refusals=(elsewhere, *plan.refusals))
        form = msgspec.structs.replace(form, where=hosting.place_id(place))
    context = HostContext(
        form=msgspec.structs.replace(form, model=card.tag),
        laptop=laptop,
        catalogue=catalogue,
        found=found,
        total=len(services.catalogue.cards()),
        reference=reference,
        card=card,
        fit=fit,
        places=tuple(_place_row(item, item is place, index == 0, facts) for index, item in enumerate(places)),
        namespaces=known,
        namespace=namespace,
        name=plan.spec.name if plan else form.name,
        share=plan.spec.share.text if plan else "",
        bar=hosting.bar_of(plan.placement, plan.spec.share, fit, here) if plan else None,
        isolation=_isolation(plan) if plan else "",
        objects=_objects(plan) if plan else (),
        yaml=services.planner.yaml(plan) if plan else "",
        kubectl=services.planner.kubectl(plan) if plan else "",
        helm=services.planner.helm(plan) if plan else "",
        warnings=tuple(item for item in plan.warnings if "isolation" not in item) if plan else (),
        refusals=plan.refusals if plan else (_no_place(services),),
        summary=_summary(plan, card) if plan else "No cluster can be planned on yet.",
        ready=bool(plan and not plan.refusals),
        may=_right(services, plan),
        listed=listed,
    )
    return context, plan


def _right(services: Services, plan: Plan | None) -> Verdict:
    """Whether one may create what the plan needs, as far as is known."""
    if plan is None:
        return UNKNOWN
    spec = plan.spec
    weights = any(item.get("kind") == "PersistentVolumeClaim" for item in plan.manifests)
    return services.rights.may("host", Ref(spec.cluster, spec.namespace, spec.name), weights=weights)


def _empty(
    services: Services,
    form: HostForm,
    laptop: tuple[ModelCard, ...],
    catalogue: tuple[ModelCard, ...],
    found: int,
    reference: str,
    problem: SealaneError | None,
) -> HostContext:
    return HostContext(
        form=form,
        laptop=laptop,
        catalogue=catalogue,
        found=found,
        total=len(services.catalogue.cards()),
        reference=reference,
        card=None,
        fit=None,
        places=(),
        namespaces=None,
        namespace=form.namespace or "default",
        name=form.name,
        share="",
        bar=None,
        isolation="",
        objects=(),
        yaml="",
        kubectl="",
        helm="",
        warnings=(),
        refusals=(problem,) if problem else (),
        summary="Choose a model." if problem is None else problem.sentence,
        ready=False,
    )


def _no_place(services: Services) -> SealaneError:
    rows = services.clusters.rows()
    away = [row.name for row in rows if row.state not in {"live", "connecting"}]
    if away and len(away) == len(rows):
        return SealaneError(f"No cluster answers: {text.listing(away)}. See Clusters for each cause.")
    return SealaneError("The clusters are still being read; try again in a moment.")


def _place_row(place: Placement, chosen: bool, first: bool, facts: dict[str, ClusterFacts]) -> PlaceRow:
    tone, word = _STARTS[place.starts]
    return PlaceRow(
        id=hosting.place_id(place),
        cluster=place.cluster,
        queue=place.queue,
        region=facts[place.cluster].region if place.cluster in facts else "",
        share=place.share,
        starts=place.starts,
        tone=tone,
        word=word,
        sentence=place.sentence,
        barred=place.starts in {"never", "not-allowed"},
        chosen=chosen,
        recommended=first and place.starts in {"now", "waits"},
    )


def _objects(plan: Plan) -> tuple[ObjectRow, ...]:
    copies = text.count(plan.spec.copies, "copy", "copies")
    return tuple(
        ObjectRow(
            str(item["kind"]), str(item["metadata"]["name"]), _NOTES.get(str(item["kind"]), "").format(copies=copies)
        )
        for item in plan.manifests
    )


def _isolation(plan: Plan) -> str:
    """What a part of a card does not promise; said at the share, not among the other warnings."""
    if not (plan.spec.share.fraction or plan.spec.share.memory_mib):
        return ""
    own = "A part is bookkeeping, not isolation: nothing stops a neighbour on the card from using more than its part."
    return next((item for item in plan.warnings if "isolation" in item), own)


def _summary(plan: Plan, card: ModelCard) -> str:
    if plan.refusals:
        return plan.refusals[0].sentence
    size = f" It downloads {text.decimal_bytes(card.weights_bytes)}." if card.weights_bytes else ""
    return f"{plan.placement.sentence}{size}"


async def preview(request: Request) -> Response:
    """GET /host/preview: the parts of the form that follow from the rest. Without a script: the form itself."""
    form = hosting.read_host_form(Form(dict(request.query_params.multi_items())))
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(f"/host?{request.url.query}", status_code=303)
    filled, _ = await fill(services_of(request), form)
    return HTMLResponse(templates_of(request).render("host/preview.html", page=filled))


async def deploy(request: Request) -> Response:
    """POST /host: plan, submit, go to the model's page. Whatever fails, the form comes back as it was."""
    sent = await read_form(request)
    form, refused = hosting.read_what_does(sent)
    if refused is not None:
        return await _again(request, form, refused)
    services = services_of(request)
    filled, plan = await fill(services, form)
    if plan is None or plan.refusals:
        return await _again(request, form, filled.refusals[0] if filled.refusals else Refused("Choose a model first."))
    made = plan

    async def submit() -> tuple[Ref, int]:
        await services.models.submit(made)
        ref = Ref(made.spec.cluster, made.spec.namespace, made.spec.name)
        return ref, desk_of(request).changes.add(f"Hosted {made.spec.model}", ref).number

    once: Once[tuple[Ref, int]] = request.app.state.once
    try:
        ref, number = await once.do(sent.text("once"), submit)
    except SealaneError as error:
        return await _again(request, form, error)
    if errors.wants_json(request):
        return JSONResponse({"cluster": ref.cluster, "namespace": ref.namespace, "name": ref.name}, status_code=201)
    return RedirectResponse(f"/models/{ref.path}?done={number}", status_code=303)


async def _again(request: Request, form: HostForm, error: SealaneError) -> Response:
    if errors.wants_json(request):
        raise error
    filled, _ = await fill(services_of(request), form)
    return show(request, VIEW, filled, status=error.http_status, problem=error)


VIEW = View(
    name="host",
    path="/host",
    template="host.html",
    rail="models",
    title=lambda _: "Host a model",
    context=context,
)
ACTIONS = (Route("/host/preview", preview), Route("/host", deploy, methods=["POST"]))
