"""Large point clouds: stretches of points, counted tile after tile.

Every part goes through the whole file once, to sort its points into tiles on disk, and labels only its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intarsia.jobs.cutting.archive import PartFile, is_whole
from intarsia.jobs.cutting.contract import Cutting, Packed, There

if TYPE_CHECKING:
    from intarsia.inference.clouds.tiles import TileLabels
    from intarsia.media.clouds import CloudReader


def joined_tiles(predictor: Any, reader: CloudReader, there: There, category: str | None) -> Iterator[TileLabels]:
    """Go through all tiles of an opened cloud: those that are there, and the others computed."""
    paths = [path for path in there.values() if path is not None]
    missing = [stretch for stretch, path in there.items() if path is None]
    computed = predictor.tiles(reader, category=category, stretches=missing) if missing else iter(())
    yield from heapq.merge(_read(paths), computed, key=lambda tile: tile.start)


def _read(paths: list[Path]) -> Iterator[TileLabels]:
    from intarsia.inference.clouds.tiles import TileLabels

    for path in paths:
        with PartFile(path) as part:
            for name in part.names:
                found = part.take(name)
                filled = frozenset(str(field) for field in found.pop("filled"))
                yield TileLabels(start=int(name), filled=filled, **found)


def _pack(tile: TileLabels) -> Packed:
    arrays = {name: value for name, value in tile._asdict().items() if name not in ("start", "filled")}
    return str(tile.start), arrays | {"filled": np.array(sorted(tile.filled), dtype=np.str_)}


POINTS = Cutting(
    extent=lambda predictor, reader, options: predictor.extent(reader),
    length=lambda reader, extent: extent[1],
    # Of points.
    least=1_000_000,
    most=32_000_000,
    compute=lambda predictor, reader, stretch, options: predictor.tiles(
        reader, category=options.category, stretches=[stretch]
    ),
    pack=_pack,
    is_sound=is_whole,
    whole="the model sees it as a whole",
)
"""How point clouds are cut."""
