"""The pages, one module each, and the actions that their forms post to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.routing import Route

from sealane.console.pages import (
    breaking,
    clusters,
    code,
    connect,
    doctor,
    health,
    helping,
    home,
    host,
    keys,
    knobs,
    logs,
    model,
    models,
    project,
    remove,
)
from sealane.console.views import View

VIEWS: Sequence[View[Any]] = (
    home.VIEW,
    host.VIEW,
    models.VIEW,
    model.VIEW,
    code.VIEW,
    logs.VIEW,
    remove.VIEW,
    clusters.VIEW,
    keys.VIEW,
    keys.REVOKE,
    health.VIEW,
    project.VIEW,
    doctor.VIEW,
    helping.VIEW,
    breaking.VIEW,
)

ACTIONS: Sequence[Route] = (
    *host.ACTIONS,
    *knobs.ACTIONS,
    *connect.ACTIONS,
    *remove.ACTIONS,
    *keys.ACTIONS,
    *logs.ACTIONS,
    *clusters.ACTIONS,
    *breaking.ACTIONS,
)
