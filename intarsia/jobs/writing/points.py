"""Point clouds: every point labelled, written in the file's own order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from intarsia.inference.clouds import CloudPredictor
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.clouds.writing import check_target
from intarsia.media.images import write_image
from intarsia.result import CloudSegmentation

_WRITERS: dict[str, Callable[[CloudSegmentation, Path], None]] = {
    "labels": lambda result, path: result.save(path),
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
        check_target(work.paths["labels"], predictor.space)
    result = predictor.segment_opened(work.reader, category=work.options.category, progress=work.tell)
    for kind, path in work.paths.items():
        _WRITERS[kind](result, path)
    missed = ", ".join(result.without)
    notes = (f"without {missed}, which the file does not have: less sure",) if missed else ()
    return Facts(result.size, result.areas(), notes, {"without": list(result.without)} if missed else {})
