"""All scenes by name."""

from __future__ import annotations

from talks import (
    scenes_cron,
    scenes_disruption,
    scenes_errors,
    scenes_hosting,
    scenes_hpa,
    scenes_kinds,
    scenes_limits,
    scenes_lives,
    scenes_nodes,
    scenes_reading,
    scenes_rights,
    scenes_roles,
    scenes_rollouts,
    scenes_services,
    scenes_streams,
    scenes_watching,
    scenes_writing,
)
from talks.script import Scene

ALL: dict[str, Scene] = {
    scene.name: scene
    for module in (
        scenes_reading,
        scenes_writing,
        scenes_rollouts,
        scenes_errors,
        scenes_rights,
        scenes_hosting,
        scenes_disruption,
        scenes_limits,
        scenes_cron,
        scenes_hpa,
        scenes_roles,
        scenes_kinds,
        scenes_lives,
        scenes_nodes,
        scenes_services,
        scenes_streams,
        scenes_watching,
    )
    for scene in module.SCENES
}
