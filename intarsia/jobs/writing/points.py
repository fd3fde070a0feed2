"""Point clouds: every point labelled, written in the file's own order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from intarsia.jobs.cutting.points import joined_tiles
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.clouds.writing import check_target, write_labels
from intarsia.media.images import write_image
from intarsia.result import CloudSegmentation

if TYPE_CHECKING:
    from intarsia.inference.clouds import CloudPredictor

_DRAWN: dict[str, Callable[[CloudSegmentation, Path], None]] = {
    "top": lambda result, path: write_image(path, result.render("top")),
    "side": lambda result, path: write_image(path, result.render("side")),
    "page": lambda result, path: result.viewer(path),
}


def write_points(predictor: CloudPredictor, work: Work) -> Facts:
    """Label an opened cloud into its outputs.

    Raises:
        UsageError: the model has to know what the object is, or a format cannot be written.
        DataError: the cloud cannot be read, or a file cannot be written.
    """
    if "labels" in work.paths:
        check_target(work.paths["labels"], predictor.space, work.options.codes)
    category = work.options.category
    tiles = joined_tiles(predictor, work.reader, work.there, category) if work.there else None
    result = predictor.segment_opened(work.reader, category=category, progress=work.tell, tiles=tiles)
    notes = list(result.notes)
    for kind, path in work.paths.items():
        if kind in _DRAWN:
            _DRAWN[kind](result, path)
        else:
            labels, space, confidence = result.labels, result.space, result.confidence
            notes += write_labels(work.reader, path, labels, space, confidence, work.options.codes)
    details = {"without": list(result.without)} if result.without else {}
    return Facts(result.size, result.areas(), tuple(notes), details)
