"""Volumes: segmented whole, written on their own grid."""

from __future__ import annotations

from typing import Any

from intarsia.inference import GridPredictor, segment_volume
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.images import write_image
from intarsia.media.instancefile import save_nifti


def write_volume(predictor: GridPredictor, work: Work) -> Facts:
    """Segment an opened volume into its outputs.

    Raises:
        DataError: the volume cannot be read, or a file cannot be written.
    """
    result = segment_volume(predictor, work.reader, progress=work.tell)
    millilitres = {name: round(value, 3) for name, value in result.millilitres().items() if value}
    details: dict[str, Any] = {"millilitres": millilitres}
    for kind, path in work.paths.items():
        if kind in work.task.renders:
            render = work.task.renders[kind]
            write_image(path, result.render(render, opacity=work.style.opacity, keep=work.style.keep))
        elif kind == "instances":
            found = result.instances(**work.options.instances)
            save_nifti(path, found.numbers, result.grid)
            details["instances"] = len(found.things)
        else:
            result.save(path)
    return Facts(result.size, result.areas(), tuple(result.volume.notes), details)
