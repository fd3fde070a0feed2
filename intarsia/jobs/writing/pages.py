"""Stacks: segmented page by page, written as stacks."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from intarsia.inference import Predictor
from intarsia.jobs.writing.work import Facts, Work
from intarsia.media.fewcolours import FewColours
from intarsia.media.stacks import StackReader, StackWriter
from intarsia.result.contract import areas


def write_pages(predictor: Predictor, work: Work) -> Facts:
    """Segment the pages of an opened stack into stacks of as many; memory does not grow with their number.

    Raises:
        DataError: a page cannot be read, or a file cannot be written.
    """
    reader: StackReader = work.reader
    space, done, size = predictor.space, 0, (0, 0)
    counts, colours = np.zeros(space.ignore_index + 1, dtype=np.int64), FewColours()
    with ExitStack() as stack:
        writers = {
            kind: stack.enter_context(StackWriter(path, space.colors() if kind == "labels" else None))
            for kind, path in work.paths.items()
        }
        for page in reader.pages():
            result = predictor.segment_opened(page)
            if result.image is not None:
                colours.add(result.image)
            for kind, writer in writers.items():
                render = work.task.renders.get(kind)
                if render is None or result.image is None:
                    writer.write(result.labels)
                else:
                    writer.write(render.draw(result.image, result.labels, work.style))
            counts += result.counts()
            done, size = done + 1, (max(size[0], page.width), max(size[1], page.height))
            work.tell(done, len(reader))
    return Facts(
        (*size, done), areas(counts, space), (*reader.notes, *colours.notes), {"pages": done, **colours.details}
    )
