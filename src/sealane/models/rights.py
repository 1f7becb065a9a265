"""Which rights each thing that one can do with a model takes, and whether they are there: before it is tried.

One table for the buttons of the console, the commands and the doctor, so that all of them refuse the same things with
the same sentence. What is not known is not refused here: then the API server decides, and its refusal gets the words
that a known one has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from sealane.fleet import Cluster
from sealane.fleet.rights import YES, Question, Verdict, refusal
from sealane.kube import errors as kube_errors
from sealane.kube.resources import DEPLOYMENTS, PODS, PVCS, SERVICES, Resource
from sealane.models.action_errors import NamespaceForbidden

Action = Literal["see", "logs", "ask", "scale", "restart", "change", "host", "remove"]


class Need(msgspec.Struct, frozen=True):
    """One right."""

    verb: str
    resource: Resource
    subresource: str = ""


NEEDS: Mapping[Action, tuple[Need, ...]] = {
    "see": (Need("list", DEPLOYMENTS),),
    "logs": (Need("get", PODS, "log"),),
    "ask": (Need("create", PODS, "proxy"),),
    "scale": (Need("patch", DEPLOYMENTS, "scale"),),
    "restart": (Need("patch", DEPLOYMENTS),),
    "change": (Need("patch", DEPLOYMENTS), Need("patch", SERVICES)),
    "host": tuple(Need(verb, kind) for kind in (DEPLOYMENTS, SERVICES) for verb in ("create", "patch")),
    "remove": (Need("delete", DEPLOYMENTS), Need("delete", SERVICES)),
}
"""Server-side apply takes `patch`, and `create` for what is not there yet. `ask` is the engine's API through the pod
proxy, by which the gateway reaches every model."""

_ON_ONE = frozenset({"scale", "restart", "change", "remove"})
_WEIGHTS: Mapping[Action, Need] = {"host": Need("create", PVCS), "remove": Need("delete", PVCS)}


def may(cluster: Cluster, action: Action, namespace: str, *, name: str = "", weights: bool = False) -> Verdict:
    """Whether an action is allowed, as far as is known: the first right that is missing, else the first that is not
    known, else yes. `weights`: their volume is made or removed too."""
    needs = NEEDS[action] + ((_WEIGHTS[action],) if weights and action in _WEIGHTS else ())
    on = name if action in _ON_ONE else ""
    verdicts = [
        cluster.access.may(need.verb, need.resource, namespace, name=on, subresource=need.subresource) for need in needs
    ]
    unknown = next((verdict for verdict in verdicts if verdict.answer == "unknown"), YES)
    return next((verdict for verdict in verdicts if verdict.denied), unknown)


def demand(cluster: Cluster, action: Action, namespace: str, *, name: str = "", weights: bool = False) -> None:
    """Raise NamespaceForbidden when an action is known to be refused."""
    verdict = may(cluster, action, namespace, name=name, weights=weights)
    if verdict.denied:
        raise NamespaceForbidden(verdict.sentence, next_steps=verdict.who)


def refused(
    context: str,
    namespace: str,
    need: Need,
    error: kube_errors.Forbidden,
) -> NamespaceForbidden:
    """The server's refusal in the words of a known one; what it said stays as evidence."""
    asked = Question(verb=need.verb, resource=need.resource, namespace=namespace, subresource=need.subresource)
    verdict = refusal(context, asked)
    return NamespaceForbidden(verdict.sentence, evidence=error.evidence, next_steps=verdict.who)
