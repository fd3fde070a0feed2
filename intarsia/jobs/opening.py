"""Open the manifest of a job, wherever its results go."""

from __future__ import annotations

from intarsia.jobs.manifest import Manifest
from intarsia.jobs.plan import Plan


def open_manifest(plan: Plan) -> Manifest | None:
    """Open the manifest of a plan's folder, or of its prefix in a store; None where it keeps none."""
    if plan.store is not None:
        from intarsia.jobs.stores.manifest import StoreManifest

        return StoreManifest(plan.store)
    return Manifest(plan.folder) if plan.keeps_manifest else None
