"""A cloud larger than memory, sorted into square tiles on disk in one pass."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.media.clouds import CloudReader, PointCloud
from intarsia.runtimes.upsampling import Span
from intarsia.stopping import checkpoint

Place = tuple[int, int]


class Tile(NamedTuple):
    """One tile with the points around it, in the file's order.

    Attributes:
        cloud: the points.
        places: (n,) theirs in the file.
        start: how many points lie in the tiles before it.
        core: (2, 2) lowest and highest x and y of the tile itself.
        inside: (n,) which points lie in it.
    """

    cloud: PointCloud
    places: NDArray[np.int64]
    start: int
    core: NDArray[np.float64]
    inside: NDArray[np.bool_]


class Spool:
    """The points of a cloud with some of their fields, by tile, in a temporary file. Use it as a context manager.

    Args:
        reader: the cloud.
        fields: names of the fields to keep.
        side: of a tile, in the cloud's units.

    Attributes:
        bounds: (2, 3) lowest and highest coordinates.
        without: places of the points without finite coordinates.
        filled: fields that hold anything but 0.
    """

    def __init__(self, reader: CloudReader, fields: tuple[str, ...], side: float) -> None:
        self._reader, self._fields, self.side = reader, fields, side
        self._pieces: dict[Place, list[tuple[int, int]]] = defaultdict(list)
        self._color_max = 0.0
        self._stack: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._dtype: np.dtype[Any] | None = None
        self.bounds = np.array([[np.inf] * 3, [-np.inf] * 3])
        self.without: list[NDArray[np.int64]] = []
        self.filled: set[str] = set()

    def __enter__(self) -> Self:
        start = 0
        for chunk in self._reader.chunks():
            checkpoint()
            index = np.arange(start, start + len(chunk))
            start += len(chunk)
            finite = np.asarray(np.isfinite(chunk.xyz).all(axis=1))
            if not finite.all():
                self.without.append(index[~finite])
                chunk, index = chunk.take(finite), index[finite]
            if len(chunk):
                self._add(chunk, index)
        if self._dtype is None:
            raise DataError(f"{self._reader.name}: it has no points with finite coordinates; nothing to segment")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _add(self, chunk: PointCloud, index: NDArray[np.int64]) -> None:
        if self._dtype is None:
            fields = [(name, chunk.fields[name].dtype) for name in self._fields]
            self._dtype = np.dtype([("index", np.int64), ("xyz", np.float64, 3), *fields])
        records = np.empty(len(chunk), self._dtype)
        records["index"], records["xyz"] = index, chunk.xyz
        for name in self._fields:
            records[name] = chunk.fields[name]
            if chunk.fields[name].any():
                self.filled.add(name)
        self._color_max = max(self._color_max, chunk.color_max)
        self.bounds[0] = np.minimum(self.bounds[0], chunk.xyz.min(axis=0))
        self.bounds[1] = np.maximum(self.bounds[1], chunk.xyz.max(axis=0))
        tiles = np.floor(chunk.xyz[:, :2] / self.side).astype(np.int64)
        order = np.lexsort((tiles[:, 1], tiles[:, 0]))
        tiles, records = tiles[order], records[order]
        starts = np.flatnonzero(np.any(np.diff(tiles, axis=0, prepend=tiles[:1] - 1) != 0, axis=1))
        for first, last in zip(starts, [*starts[1:], len(tiles)], strict=True):
            place = (int(tiles[first, 0]), int(tiles[first, 1]))
            self._pieces[place].append((self._stack.tell(), int(last - first)))
            self._stack.write(records[first:last].tobytes())

    def __len__(self) -> int:
        return len(self._pieces)

    def tiles(self, margin: float, stretches: Sequence[Span] | None = None) -> Iterator[Tile]:
        """Each tile with the points up to `margin` around it.

        Args:
            margin: in the cloud's units.
            stretches: only tiles before which so many points lie, counted tile after tile; None: all.
        """
        reach, following = math.ceil(margin / self.side), 0
        for column, row in sorted(self._pieces):
            start = following
            following += sum(count for _, count in self._pieces[column, row])
            if stretches is not None and not any(first <= start < end for first, end in stretches):
                continue
            core = np.array([(column, row), (column + 1, row + 1)]) * self.side
            parts = []
            for dx in range(-reach, reach + 1):
                for dy in range(-reach, reach + 1):
                    records = self._load((column + dx, row + dy))
                    xy = records["xyz"][:, :2]
                    near = ((xy >= core[0] - margin) & (xy < core[1] + margin)).all(axis=1)
                    parts.append(records[near])
            joined = np.concatenate(parts)
            joined = joined[np.argsort(joined["index"], kind="stable")]
            fields = {name: joined[name] for name in self._fields}
            cloud = PointCloud(joined["xyz"], fields, None, self._color_max, self._reader.name)
            cells = np.floor(cloud.xyz[:, :2] / self.side)
            yield Tile(cloud, joined["index"], start, core, (cells == (column, row)).all(axis=1))

    def _load(self, place: Place) -> NDArray[Any]:
        assert self._dtype is not None  # set by the first chunk
        parts = [np.empty(0, self._dtype)]
        for offset, count in self._pieces.get(place, ()):
            self._stack.seek(offset)
            parts.append(np.frombuffer(self._stack.read(count * self._dtype.itemsize), self._dtype))
        return np.concatenate(parts)
