"""Open the manifest of a job, wherever its results go."""

from __future__ import annotations

from intarsia.jobs.lines import require_own
from intarsia.jobs.manifest import Manifest
from intarsia.jobs.plan import Plan


def open_manifest(plan: Plan) -> Manifest | None:
    """Open the manifest of a plan's folder, or of its prefix in a store; None where it keeps none.

    Raises:
        DataError: the folder has a file of that name that is something else.
    """
    if plan.store is not None:
        from intarsia.jobs.stores.manifest import StoreManifest

        return StoreManifest(plan.store)
    if not plan.keeps_manifest:
        return None
    require_own(plan.folder)
    return Manifest(plan.folder)
