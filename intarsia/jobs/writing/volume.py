"""Volumes: segmented whole, written on their own grid."""

from __future__ import annotations

from intarsia.inference import GridPredictor, segment_volume
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.images import write_image


def write_volume(predictor: GridPredictor, work: Work) -> Facts:
    """Segment an opened volume into its outputs.

    Raises:
        DataError: the volume cannot be read, or a file cannot be written.
    """
    result = segment_volume(predictor, work.reader, progress=work.tell)
    for kind, path in work.paths.items():
        if kind in work.task.renders:
            render = work.task.renders[kind]
            write_image(path, result.render(render, opacity=work.style.opacity, keep=work.style.keep))
        else:
            result.save(path)
    millilitres = {name: round(value, 3) for name, value in result.millilitres().items() if value}
    return Facts(result.size, result.areas(), tuple(result.volume.notes), {"millilitres": millilitres})
