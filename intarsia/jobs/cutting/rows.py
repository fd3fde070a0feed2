"""Large rasters: stretches of the rows of tiles that the network goes over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from intarsia.inference import GridPredictor, Rows
from intarsia.jobs.cutting.archive import PartFile
from intarsia.jobs.cutting.contract import Cutting, Packed, There

_LABELS, _CONFIDENCE = "labels", "confidence"


def joined_rows(predictor: GridPredictor, reader: Any, there: There) -> Iterator[Rows]:
    """Go through all rows of an opened raster: those that are there, and the others computed."""
    for stretch, path in there.items():
        yield from predictor.rows(reader, stretch=stretch) if path is None else _read(path, reader)


def _pack(rows: Rows) -> Packed:
    found = {_LABELS: rows.labels} | ({} if rows.confidence is None else {_CONFIDENCE: rows.confidence})
    return f"{rows.top}-{rows.top + len(rows.labels)}", found


def _read(path: Path, reader: Any) -> Iterator[Rows]:
    """The rows of a part, beside those of the picture."""
    with PartFile(path) as part:
        names = part.names
        edges = [(int(top), int(bottom)) for top, _, bottom in (name.partition("-") for name in names)]
        for name, (top, _), samples in zip(names, edges, reader.bands(edges), strict=True):
            found = part.take(name)
            yield Rows(top, found[_LABELS], found.get(_CONFIDENCE), reader.picture(samples))


ROWS = Cutting(
    extent=lambda predictor, reader, options: predictor.extent(reader),
    length=lambda reader, extent: extent[1],
    # Of rows of tiles: each part computes the one above its own once more.
    least=8,
    most=16,
    compute=lambda predictor, reader, stretch, options: predictor.rows(reader, stretch=stretch),
    pack=_pack,
)
"""How rasters are cut."""
