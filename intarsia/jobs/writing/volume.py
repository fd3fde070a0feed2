"""Volumes: segmented whole, written on their own grid."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from intarsia.inference import GridPredictor, segment_volume
from intarsia.jobs.outputs import EVERY
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.fewcolours import FewColours
from intarsia.media.images import write_image
from intarsia.media.instancefile import save_nifti
from intarsia.media.probabilityfile import volume_file


def write_volume(predictor: GridPredictor, work: Work) -> Facts:
    """Segment an opened volume into its outputs.

    Raises:
        DataError: the volume cannot be read, or a file cannot be written.
    """
    with ExitStack() as stack:
        reader, every = work.reader, work.paths.get(EVERY)
        values = None if every is None else stack.enter_context(volume_file(every, len(predictor.space), reader.grid))
        result = segment_volume(predictor, reader, progress=work.tell, every=values)
    millilitres = {name: round(value, 3) for name, value in result.millilitres().items() if value}
    colours = FewColours()
    colours.add(result.shown)
    details: dict[str, Any] = {"millilitres": millilitres, **colours.details}
    for kind, path in work.paths.items():
        if kind in work.task.renders:
            render = work.task.renders[kind]
            write_image(path, result.render(render, opacity=work.style.opacity, keep=work.style.keep))
        elif kind == "instances":
            found = result.instances(**work.options.instances)
            save_nifti(path, found.numbers, result.grid)
            details["instances"] = len(found.things)
        elif kind == "labels":
            result.save(path)
    return Facts(result.size, result.areas(), (*result.volume.notes, *colours.notes), details)
