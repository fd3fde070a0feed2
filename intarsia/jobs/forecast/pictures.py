"""Memory of pictures and rasters, by what stands between the file and its outputs."""

from __future__ import annotations

from typing import Any

from intarsia.inference import GridPredictor
from intarsia.inference.pictures.refined import MARGIN, WINDOW_VALUES
from intarsia.inference.pictures.rows import HELD_PIXELS
from intarsia.inference.pictures.tiling import UNIT
from intarsia.jobs.drawing import reduction
from intarsia.jobs.forecast.need import MIB, Need, Settings
from intarsia.jobs.outputs import EVERY, OUTLINED
from intarsia.media.rasters import CACHE_MB
from intarsia.media.regions import BAND_PIXELS
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.upsampling import SCORED_PIXELS

_FLOAT = 4
_COLOURS = 3
_WINDOWS = 3
"""Windows of rows at a time: the one in work, the one before (its last rows wait to be written), and the next."""
_PICTURES = 3
"""Small pictures at a time: one is written, one computed, one read ahead; see `jobs.line`."""
_SCORES = 2
"""The sum over a row of tiles, and what of it is decided while the next one begins."""
_STRETCHED = 12
"""Bytes a pixel and channel while stored values become 8-bit ones: three planes of floats."""
_WRITTEN_ROWS = 3 * 256
"""Rows of labels that wait for a whole block of the GeoTIFF, are joined, and are compressed."""
_WAITING = 6
"""Bands of probabilities from the network to the writer; see `jobs.line`."""
_BANDS = 24 * MIB
"""Rows that are decided, drawn and handed from thread to thread: bands of half a megapixel, a few of them."""
_INSTANCES = 13
"""Bytes a pixel of `Result.instances`, besides the labels: them again, and numbers of 4 bytes of three steps."""
_ENCODED = 4
"""Bytes a pixel of a drawing while it is encoded: Pillow's own copy."""
_OUTLINED = 30 * BAND_PIXELS
"""Bytes that tracing a band of regions takes; see `media.regions`."""
_REFINED = {"crf": 7}
"""Copies of the probabilities of a window while they are refined; three if not said otherwise."""
_EDITED = 60
"""Bytes a pixel of a photo that an app changes: mattes and colours in floats, before and after."""


def rows_need(predictor: GridPredictor, reader: Any, settings: Settings) -> Need:
    """Add up what a picture or raster holds while rows of it go from the file to the outputs."""
    width, height = int(reader.width), int(reader.height)
    seen = _preprocessing(predictor, settings)
    layout = predictor.layout(height, width, tile=settings.tile, preprocessing=seen)
    tile = (max(bottom - top for top, bottom in layout.rows), max(right - left for left, right in layout.columns))
    whole = len(layout.rows) == len(layout.columns) == 1
    classes = len(predictor.space)
    down = layout.cells[0] if whole else -(-tile[0] // predictor.runtime.stride)
    collected, finished = _outputs(predictor, width, height, settings, on_map=hasattr(reader, "frame"))
    held = {
        "pixels": _pixels(predictor, reader, layout.size, tile[0], settings),
        "scores": _SCORES * classes * down * layout.cells[1] * _FLOAT,
        "rows": min(_BANDS, width * height * 16),
    }
    last = max(finished, key=lambda kind: finished[kind], default="")
    if finished.get(last, 0) > sum(held.values()):  # when all rows are done, outputs are finished one by one
        held = {f"{last}, finished": finished[last]}
    held |= collected
    if hasattr(reader, "frame"):
        held["GDAL's blocks"] = max(CACHE_MB * MIB, 2 * int(reader.block_bytes))
    refined = predictor.settings.get("refine")
    if refined:
        rows = min(height, max(WINDOW_VALUES // (classes * width), 4 * MARGIN))
        held["refinement"] = _REFINED.get(refined["method"], 3) * classes * width * rows * _FLOAT
    area = sum((b - t) * (r - le) for t, b in layout.rows for le, r in layout.columns)
    return Need((width, height), held, (predictor.runtime.in_channels, *tile), float(area * _views(predictor)))


def photo_need(predictor: Any, reader: Any, settings: Settings) -> Need:
    """Add up what a photo holds that an app changes whole."""
    pixels = int(reader.width) * int(reader.height)
    return Need((int(reader.width), int(reader.height)), {"pixels": pixels * _EDITED})


def pages_need(predictor: GridPredictor, reader: Any, settings: Settings) -> Need:
    """Add up what the largest page of a stack holds; every page is whole in memory."""
    pages = [(page.width, page.height) for page in reader.pages()]
    width, height = max(pages, key=lambda page: page[0] * page[1])
    layout = predictor.layout(height, width, tile=settings.tile, preprocessing=_preprocessing(predictor, settings))
    tile = (layout.rows[0][1] - layout.rows[0][0], layout.columns[0][1] - layout.columns[0][0])
    scores = len(predictor.space) * -(-tile[0] // predictor.runtime.stride) * layout.cells[1] * _FLOAT
    pixels = width * height
    held = {"pixels": pixels * _COLOURS * 4, "scores": _SCORES * scores, "labels": pixels * 3}
    seen = float(layout.size[0] * layout.size[1] * len(pages) * _views(predictor))
    return Need((width, height, len(pages)), held, (predictor.runtime.in_channels, *tile), seen)


def _preprocessing(predictor: GridPredictor, settings: Settings) -> Preprocessing:
    if settings.long_side is None:
        return predictor.preprocessing
    return predictor.preprocessing.changed(long_side=settings.long_side)


def _views(predictor: GridPredictor) -> float:
    """How often the network sees the picture, counted in its working size."""
    chosen = predictor.settings
    mirrored, ranked = 2 if chosen.get("tta") else 1, 2 if chosen.get("decide") == "rankseg" else 1
    return float(mirrored * ranked * sum(scale**2 for scale in chosen.get("scales", (1.0,))))


def _pixels(predictor: GridPredictor, reader: Any, size: tuple[int, int], tile: int, settings: Settings) -> int:
    """Bytes of pixels that the reader holds and hands on."""
    width, height = int(reader.width), int(reader.height)
    on_map = hasattr(reader, "frame")
    channels = len(reader.bands_used) if on_map else _COLOURS
    one = channels * (1 + (reader.stored_bytes if on_map else 0))  # as it is stored, and as it is seen
    if on_map and reader.stored_bytes > 1:
        one += _STRETCHED
    pixels = width * height
    if not on_map and pixels <= HELD_PIXELS:
        return pixels * _COLOURS * (1 + min(_PICTURES, settings.tasks)) + size[0] * size[1] * _COLOURS
    if not on_map and not reader.is_streamed:
        return pixels * _COLOURS * 2  # as it is decoded, and as an array
    if size == (height, width):
        rows = min(height, tile + UNIT)
        return width * rows * (channels * _WINDOWS + one)
    narrow = height * size[1] * _COLOURS if not on_map else size[0] * size[1] * one
    return narrow + size[0] * size[1] * channels + _BANDS


def _outputs(
    predictor: GridPredictor, width: int, height: int, settings: Settings, *, on_map: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes that each output collects from the rows, and those that finishing it takes."""
    pixels, labels = width * height, predictor.space.dtype.itemsize
    held: dict[str, int] = {}
    finished: dict[str, int] = {}
    for kind in sorted(settings.outputs):
        if kind in settings.drawn:
            factor = reduction(width, height)
            drawn = -(-width // factor) * -(-height // factor)
            held[kind] = drawn * (_COLOURS + (labels if settings.drawn[kind] else 0)) + width * _COLOURS * factor
            finished[kind] = drawn * _ENCODED
        elif kind == "instances":
            held[kind], finished[kind] = pixels * labels, pixels * _INSTANCES
        elif kind in OUTLINED:
            finished[kind] = min(_OUTLINED, pixels * 30)
        elif kind == EVERY:  # as they wait for the writer, and there, of a map, for a whole block
            waiting = _WAITING * min(pixels, SCORED_PIXELS) + on_map * width * min(height, _WRITTEN_ROWS)
            held[kind] = len(predictor.space) * _FLOAT * waiting
        elif on_map:
            held[kind] = width * min(height, _WRITTEN_ROWS) * labels
        elif kind == "confidence":
            held[kind], finished[kind] = pixels, pixels
    return held, finished
