"""Pictures and rasters: written row by row, so that memory does not grow with their height."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.inference import GridPredictor, Rows
from intarsia.jobs.drawing import Drawing
from intarsia.jobs.outputs import EVERY, OUTLINED
from intarsia.jobs.writing.work import Facts, Work
from intarsia.labels import LabelArray
from intarsia.media.fewcolours import FewColours
from intarsia.media.geotiff import GeoTiffWriter
from intarsia.media.images import write_image
from intarsia.media.instancefile import save_geotiff, save_png
from intarsia.media.outlines import write_outlines
from intarsia.media.probabilityfile import KIND, Probabilities, array_file, require_free
from intarsia.result import Segmentation
from intarsia.result.contract import areas, count

_UNKNOWN = 255  # of confidences in per cent


class _Sink:
    """One output; told of in the record by what it says of itself."""

    def add(self, rows: Rows) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Write what is left, where not all is written as rows come."""

    def details(self) -> dict[str, Any]:
        return {}


class _Labels(_Sink):
    def __init__(self, work: Work, path: Path, stack: ExitStack) -> None:
        writer = work.task.medium.writer
        if writer is None:
            raise UsageError(f"{work.task.medium.things} have no writer of labels by rows")
        self._writer = stack.enter_context(writer(path, work.reader, work.style.space))

    def add(self, rows: Rows) -> None:
        self._writer.write(rows.labels)


class _Drawn(_Sink):
    def __init__(self, work: Work, kind: str, path: Path) -> None:
        self._path = path
        self._drawing = Drawing(work.reader.width, work.reader.height, work.task.renders[kind], work.style)

    def add(self, rows: Rows) -> None:
        self._drawing.add(rows.image, rows.labels)

    def finish(self) -> None:
        self._drawing.save(self._path)

    def details(self) -> dict[str, Any]:
        return self._drawing.drawer.summary()


class _ConfidenceMap(_Sink):
    """On the raster's own grid."""

    def __init__(self, work: Work, path: Path, stack: ExitStack) -> None:
        self._unknown = work.style.space.ignore_index
        self._writer = stack.enter_context(
            GeoTiffWriter(path, work.reader.frame, dtype=np.dtype(np.uint8), nodata=_UNKNOWN)
        )

    def add(self, rows: Rows) -> None:
        self._writer.write(_percent(rows, self._unknown))


class _ConfidencePicture(_Sink):
    def __init__(self, work: Work, path: Path) -> None:
        self._path, self._unknown = path, work.style.space.ignore_index
        self._values = np.empty((work.reader.height, work.reader.width), dtype=np.uint8)

    def add(self, rows: Rows) -> None:
        self._values[rows.top : rows.top + len(rows.labels)] = _percent(rows, self._unknown)

    def finish(self) -> None:
        write_image(self._path, self._values)


class _Probabilities(_Sink):
    """Those of all classes: of a raster on its own grid, one band a class; of a picture an array."""

    def __init__(self, work: Work, path: Path, stack: ExitStack) -> None:
        reader, space = work.reader, work.style.space
        self._unknown = space.ignore_index
        self._array: Probabilities | None = None
        if hasattr(reader, "frame"):
            require_free(path, len(space), (reader.height, reader.width))
            writer = GeoTiffWriter(path, reader.frame, dtype=KIND, nodata=np.nan, bands=space.names[: len(space)])
            self._writer = stack.enter_context(writer)
        else:
            self._array = stack.enter_context(array_file(path, len(space), reader.height, reader.width))

    def add(self, rows: Rows) -> None:
        if rows.probabilities is None:
            raise ValueError("these rows come without probabilities")
        values = rows.probabilities
        holes = rows.labels == self._unknown
        if holes.any():
            values = np.where(holes, np.float32(np.nan), values)
        if self._array is None:
            self._writer.write(values)
        else:
            self._array[:, rows.top : rows.top + len(rows.labels)] = values


class _Instances(_Sink):
    """Things are told apart at the end, when the whole picture is known."""

    def __init__(self, work: Work, path: Path) -> None:
        self._work, self._path = work, path
        self._labels: list[LabelArray] = []
        self._count = 0

    def add(self, rows: Rows) -> None:
        self._labels.append(rows.labels)

    def finish(self) -> None:
        reader, space = self._work.reader, self._work.style.space
        labels = np.concatenate(self._labels, dtype=space.dtype)
        found = Segmentation(labels, space, source=reader.name).instances(**self._work.options.instances)
        self._count = len(found.things)
        if hasattr(reader, "frame"):
            save_geotiff(self._path, found.numbers, reader.frame)
        else:
            save_png(self._path, found.numbers)

    def details(self) -> dict[str, Any]:
        return {"instances": self._count}


def write_rows(predictor: GridPredictor, work: Work) -> Facts:
    """Write what is found in a picture or raster, from top to bottom, into its outputs.

    Raises:
        UsageError: outlines without labels, or a confidence without probabilities.
        DataError: the picture cannot be read, has no georeference although polygons are wanted, or a file cannot be
            written.
    """
    reader, space = work.reader, predictor.space
    _check(predictor, work)
    counts, colours = np.zeros(space.ignore_index + 1, dtype=np.int64), FewColours()
    with ExitStack() as stack:
        sinks = [_sink(kind, path, work, stack) for kind, path in work.paths.items() if kind not in OUTLINED]
        for rows in work.parts:
            if not work.there:  # where others have computed a part, nobody may have looked at its pixels
                colours.add(rows.image)
            for sink in sinks:
                sink.add(rows)
            counts += count(rows.labels, space)
            work.tell(rows.top + len(rows.labels), reader.height)
    details: dict[str, Any] = dict(colours.details)
    for sink in sinks:
        sink.finish()
        details |= sink.details()
    options = work.options
    for kind in OUTLINED & work.paths.keys():
        details["polygons"] = write_outlines(
            work.paths[kind], work.paths["labels"], space, classes=options.keep,
            least_area=options.outline_least_area, tolerance=options.outline_tolerance,
        )  # fmt: skip
    notes, side = (*getattr(reader, "notes", ()), *colours.notes), predictor.preprocessing.long_side
    if work.task.medium.reduced and side is not None and side < max(reader.width, reader.height):
        notes += (work.task.medium.reduced.format(side=side),)
    return Facts((reader.width, reader.height), areas(counts, space), notes, details)


def _sink(kind: str, path: Path, work: Work, stack: ExitStack) -> _Sink:
    if kind in work.task.renders:
        return _Drawn(work, kind, path)
    if kind == "instances":
        return _Instances(work, path)
    if kind == "confidence":
        return _ConfidenceMap(work, path, stack) if hasattr(work.reader, "frame") else _ConfidencePicture(work, path)
    if kind == EVERY:
        return _Probabilities(work, path, stack)
    return _Labels(work, path, stack)


def _check(predictor: GridPredictor, work: Work) -> None:
    if "confidence" in work.paths and not predictor.confidence:
        raise UsageError("the output confidence needs a predictor that was made with confidence=True")
    if not OUTLINED & work.paths.keys():
        return
    if "labels" not in work.paths:
        raise UsageError("polygons are the outlines of the labels: write labels, too")
    if not work.reader.frame.known:
        raise DataError(
            f"{work.reader.name} has no georeference, so its regions have no map coordinates; georeference it first "
            "(gdal_translate -a_srs ... -a_ullr ...), or do without polygons"
        )
    if not work.reader.frame.straight:
        raise DataError(
            f"{work.reader.name} lies on the map by ground control points or RPCs alone, so its regions have no map "
            "coordinates yet; warp it first (gdalwarp), or do without polygons"
        )


def _percent(rows: Rows, unknown: int) -> NDArray[np.uint8]:
    if rows.confidence is None:
        raise ValueError("these rows come without confidence")
    percent = np.rint(rows.confidence.astype(np.float32) * 100).astype(np.uint8)
    percent[rows.labels == unknown] = _UNKNOWN
    return percent
