"""Loading what `intarsia segment` predicts with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from intarsia.cli.output import progress_bar
from intarsia.errors import UsageError

if TYPE_CHECKING:
    from intarsia.inference import Predictor
    from intarsia.inference.clouds import CloudPredictor


def load_or_cluster(
    model: str, sources: list[str], assignments: list[str], settings: dict[str, Any], *, shared: bool
) -> tuple[Predictor | CloudPredictor, Callable[[], Predictor | CloudPredictor] | None]:
    """Load the model, and say how others do; or cluster the pictures, which nobody else can do again.

    Args:
        model: its name or place, or that of a clustering.
        sources: which a clustering is fitted to.
        assignments: options, as the user gave them (--set).
        settings: what is asked of prediction, as the user gave it.
        shared: other workers take part.

    Returns:
        What predicts, and what makes it once more; None of a clustering.

    Raises:
        UsageError: a clustering is asked for what it does not have.
    """
    import intarsia
    from intarsia.jobs.said import read_window
    from intarsia.media.rasters import check_bands
    from intarsia.recipe import read_assignments

    changes = read_assignments(assignments)
    if intarsia.is_clustering(model):
        if shared:
            raise UsageError(
                "kmeans is fitted in this process, and other workers do not have it; fit it in a run (intarsia train "
                "PICTURES/ --recipe kmeans), and name its folder (-m)"
            )
        if settings["bands"] is not None or settings["window"] is not None:
            raise UsageError("--bands and --window are for trained models; kmeans clusters pictures")
        rest = {
            name: value for name, value in settings.items() if name not in ("bands", "window", "runtime", "precision")
        }
        with progress_bar("clustering") as progress:
            found = intarsia.cluster(
                sources, changes.pop("clusters", 5), options=changes, **rest,
                progress=lambda _, done, total: progress(done, total),
            )  # fmt: skip
        return found, None
    read = {
        "bands": None if settings["bands"] is None else check_bands(settings["bands"]),
        "window": None if settings["window"] is None else read_window(settings["window"]),
    }
    make = partial(intarsia.load, model, options=changes, **settings | read)
    return make(), make
