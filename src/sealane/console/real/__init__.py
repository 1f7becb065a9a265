"""The console's services over the real fleet, observer, stores and editors.

Adapters only: each turns one neighbour's values into the console's protocol and adds nothing of its own. Reads that
cost (facts of a cluster, the laptop's models) are kept for a moment, because a live page asks often.
"""

from __future__ import annotations

from pathlib import Path

from sealane.console.breaking import Breaking
from sealane.console.real.catalogue import RealCatalogue
from sealane.console.real.clusters import RealClusters
from sealane.console.real.editors import RealEditors
from sealane.console.real.health import RealHealth
from sealane.console.real.keys import RealKeys
from sealane.console.real.models import RealModels
from sealane.console.real.planner import RealPlanner
from sealane.console.real.rights import RealRights
from sealane.console.services import Doctor, Services, Settings, Switch
from sealane.fleet import Fleet
from sealane.gateway.keys import KeyStore
from sealane.gateway.metering import UsageStore
from sealane.lib.clock import SYSTEM, Clock
from sealane.models.observer import Observer


def services(  # noqa: PLR0913 - one name each, as the process has them
    *,
    settings: Settings,
    fleet: Fleet,
    observer: Observer,
    keys: KeyStore,
    usage: UsageStore,
    doctor: Doctor,
    switch: Switch | None = None,
    breaking: Breaking | None = None,
    home: Path | None = None,
    clock: Clock = SYSTEM,
) -> Services:
    """Services for `app.build`. `home` is where editors keep their files (the user's own by default)."""
    clusters = RealClusters(fleet, clock=clock)
    catalogue = RealCatalogue(clock=clock)
    models = RealModels(fleet, observer)
    return Services(
        settings=settings,
        clusters=clusters,
        models=models,
        catalogue=catalogue,
        planner=RealPlanner(clusters),
        keys=RealKeys(keys, usage),
        editors=RealEditors(models, catalogue, root=settings.gateway_url, home=home or Path.home(), clock=clock),
        doctor=doctor,
        health=RealHealth(fleet, data_dir=Path(settings.data_dir) if settings.data_dir else None),
        switch=switch,
        breaking=breaking,
        rights=RealRights(fleet),
        clock=clock,
    )
