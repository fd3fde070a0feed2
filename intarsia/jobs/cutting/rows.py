"""Large rasters: stretches of the rows of tiles that the network goes over."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.inference import GridPredictor, Rows
from intarsia.jobs.cutting.archive import PartFile, is_whole
from intarsia.jobs.cutting.contract import Cutting, Packed, There

_LABELS, _CONFIDENCE = "labels", "confidence"
_BLACK = np.zeros(3, dtype=np.uint8)


def joined_rows(predictor: GridPredictor, reader: Any, there: There, *, drawn: bool) -> Iterator[Rows]:
    """Go through all rows of an opened raster: those that are there, and the others computed.

    Args:
        predictor: the model.
        reader: the raster.
        there: its parts.
        drawn: whether anybody looks at the picture; if not, it is not read where the labels are there, and black.
    """
    for stretch, path in there.items():
        yield from predictor.rows(reader, stretch=stretch) if path is None else _read(path, reader, drawn)


def _pack(rows: Rows) -> Packed:
    found = {_LABELS: rows.labels} | ({} if rows.confidence is None else {_CONFIDENCE: rows.confidence})
    return f"{rows.top}-{rows.top + len(rows.labels)}", found


def _read(path: Path, reader: Any, drawn: bool) -> Iterator[Rows]:
    """The rows of a part, beside those of the picture."""
    with PartFile(path) as part:
        names = part.names
        edges = [(int(top), int(bottom)) for top, _, bottom in (name.partition("-") for name in names)]
        pictures = map(reader.picture, reader.bands(edges)) if drawn else itertools.repeat(None, len(names))
        for name, (top, _), picture in zip(names, edges, pictures, strict=True):
            found = part.take(name)
            labels, confidence = found[_LABELS], found.get(_CONFIDENCE)
            yield Rows(
                top, labels, confidence, np.broadcast_to(_BLACK, (*labels.shape, 3)) if picture is None else picture
            )


ROWS = Cutting(
    extent=lambda predictor, reader, options: predictor.extent(reader),
    length=lambda reader, extent: extent[1],
    # Of rows of tiles.
    least=8,
    most=32,
    again=1,
    compute=lambda predictor, reader, stretch, options: predictor.rows(reader, stretch=stretch),
    pack=_pack,
    is_sound=is_whole,
    whole="the network sees all of it at once (--long-side 0 keeps a large map's own size), or labels depend on more "
    "than the tiles around them",
)
"""How rasters are cut."""
