"""PointCloud: coordinates at full precision, and what each point carries besides them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.media.clouds.names import COLORS, COORDINATES, canonical, name_fields, plain, with_stand_ins

# Points that are handed on at a time; large enough for vectorised work, small next to any memory.
CHUNK = 1_000_000
_PTS = 2048.0
_NEARLY = 1e-3  # what a whole number may lose in a float or a text


@dataclass(eq=False)
class PointCloud:
    """Points in the file's order.

    Args:
        xyz: (N, 3) float64, in the file's own coordinates and units; may hold NaN where the scanner saw nothing.
        fields: what else the points carry, each (N,), values as stored: "red", "green", "blue", "infrared",
            "intensity", "return_number", "number_of_returns", "nx", "ny", "nz", and the file's own.
        label: (N,) int64 class codes as stored, or None.
        color_max: the stored value of full colour: 1, 255 or 65535.
        source: file or display name.
        notes: what was decided when it was read, in sentences.

    Raises:
        DataError: the arrays do not belong together.
    """

    xyz: NDArray[np.float64]
    fields: dict[str, NDArray[Any]] = field(default_factory=dict)
    label: NDArray[np.int64] | None = None
    color_max: float = 255.0
    source: str = "<points>"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.xyz = np.ascontiguousarray(self.xyz, dtype=np.float64)
        if self.xyz.ndim != 2 or self.xyz.shape[1] != 3:
            raise DataError(f"{self.source}: coordinates must be (N, 3), not {self.xyz.shape}")
        for name, values in {**self.fields, **({} if self.label is None else {"label": self.label})}.items():
            if values.shape != (len(self.xyz),):
                raise DataError(f"{self.source}: {name} has the shape {values.shape} for {len(self.xyz)} points")

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def colored(self) -> bool:
        """Tell whether it has colours; many files have the fields and nothing in them."""
        fields = [self.fields[name] for name in COLORS[:3] if name in self.fields]
        return len(fields) == 3 and any(values.any() for values in fields)

    def colors(self) -> NDArray[np.uint8]:
        """(N, 3) red, green and blue; of a cloud without colours, its height as grey."""
        if self.colored:
            shares = np.stack([self.fields[name] for name in COLORS[:3]], axis=1) / self.color_max
            return (shares.clip(0, 1) * 255).astype(np.uint8)
        height = np.nan_to_num(self.xyz[:, 2], nan=0.0, posinf=0.0, neginf=0.0)
        low, high = np.quantile(height, (0.01, 0.99)) if len(height) else (0.0, 0.0)
        grey = ((height - low) / max(high - low, 1e-9)).clip(0, 1) * 215 + 20  # neither black nor white
        return np.repeat(grey.astype(np.uint8)[:, None], 3, axis=1)

    def take(self, index: NDArray[Any] | slice) -> PointCloud:
        """The points of an index, a mask or a slice."""
        fields = {name: values[index] for name, values in self.fields.items()}
        label = None if self.label is None else self.label[index]
        return PointCloud(self.xyz[index], fields, label, self.color_max, self.source, self.notes)


def color_range(values: NDArray[Any]) -> float:
    """The value of full colour that stored colours suggest: 1 (small fractions), 255 or 65535.

    LAS prescribes 16 bits, and many writers store 8 bits all the same; a file without a value above 255 has those.
    """
    if values.dtype == np.uint8:
        return 255.0
    top = float(np.nanmax(values)) if values.size else 0.0
    if values.dtype.kind == "f" and top <= 1.0:
        return 1.0
    return 255.0 if top <= 255.0 else 65535.0


def lifted(intensity: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Intensities from 0 on, and by how much those were moved up that have values below.

    PTS files hold -2048 to 2047 and are moved by 2048, others by their lowest value. What is no number becomes 0.
    """
    values = np.nan_to_num(intensity.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    shift = 0.0 if low >= 0 else _PTS if low >= -_PTS and high < _PTS else -low
    return values + shift, shift


class CloudReader:
    """One opened cloud: header known, points on demand. Made by `open_cloud`.

    Attributes:
        name: path, for messages.
        count: number of points.
        fields: names of what the points carry besides coordinates and label.
        has_label: whether there are class codes.
        has_crs: whether the file says which coordinate reference system it is in.
        notes: what was decided when it was opened, in sentences.
    """

    kind: ClassVar[str] = ""
    name: str
    count: int
    fields: tuple[str, ...] = ()
    has_label: bool = False
    has_crs: bool = False
    notes: tuple[str, ...] = ()

    def chunks(self, size: int = CHUNK) -> Iterator[PointCloud]:
        """The points in order, at most `size` at a time.

        Raises:
            DataError: the file is truncated or damaged.
        """
        raise NotImplementedError

    def read(self) -> PointCloud:
        """All points at once."""
        return join(list(self.chunks()), self.name)

    def some(self, most: int, fields: Container[str]) -> tuple[PointCloud, NDArray[np.int64]]:
        """At most so many points, evenly drawn and always the same ones: the rest never is in memory at once.

        Args:
            most: how many.
            fields: which of their fields are kept.

        Returns:
            The points in the file's order, and their places (n,) in it.
        """
        places = np.arange(self.count)
        if self.count > most:
            places = np.sort(np.random.default_rng(0).choice(self.count, most, replace=False))
        parts, start = [], 0
        for chunk in self.chunks():
            first, last = np.searchsorted(places, (start, start + len(chunk)))
            chunk.fields = {name: values for name, values in chunk.fields.items() if name in fields}
            parts.append(chunk.take(places[first:last] - start))
            start += len(chunk)
        return join(parts, self.name), places


class LoadedReader(CloudReader):
    """A reader of a format that is read in one piece."""

    def __init__(self, cloud: PointCloud) -> None:
        self._cloud = cloud
        self.name, self.count = cloud.source, len(cloud)
        self.fields, self.has_label, self.notes = tuple(cloud.fields), cloud.label is not None, cloud.notes

    def chunks(self, size: int = CHUNK) -> Iterator[PointCloud]:
        for start in range(0, self.count, size):
            yield self._cloud.take(slice(start, start + size))

    def read(self) -> PointCloud:
        return self._cloud


def join(parts: list[PointCloud], source: str) -> PointCloud:
    """Several pieces of one cloud as one."""
    if not parts:
        return PointCloud(np.empty((0, 3)), source=source)
    if len(parts) == 1:
        return parts[0]
    fields = {name: np.concatenate([part.fields[name] for part in parts]) for name in parts[0].fields}
    labels = [part.label for part in parts if part.label is not None]
    label = np.concatenate(labels) if len(labels) == len(parts) else None
    xyz = np.concatenate([part.xyz for part in parts])
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return PointCloud(xyz, fields, label, max(part.color_max for part in parts), source, notes)


def from_columns(
    columns: dict[str, NDArray[Any]], source: str, label: str | None = None, notes: Sequence[str] = ()
) -> PointCloud:
    """A cloud from one array a column, under the names that a file gives them.

    Columns of words are left out. Where several columns could be the class codes and differ, or where the one holds no
    whole numbers, the cloud has no codes; its notes say so.

    Args:
        columns: name -> (N,) values.
        source: for messages.
        label: the column of the class codes; None takes one with a usual name.
        notes: what was decided before.

    Raises:
        DataError: x, y or z is missing, or there is no column `label`, or it holds no codes; lists the columns.
    """
    if label is not None and label not in columns:
        raise DataError(f"{source}: there is no field {label!r} for the labels; it has: {', '.join(columns)}")
    said = list(notes)
    words = {name: values for name, values in columns.items() if values.dtype.kind not in "iufb"}
    said += [f"the column {name} holds words ({_first(values)}) and is left out" for name, values in words.items()]
    if label in words:
        raise DataError(f"{source}: the labels in {label} are words ({_first(words[label])}); write numbers for them")
    usual = with_stand_ins([*columns])
    numbers = {usual.get(name, name): values for name, values in columns.items() if name not in words}
    chosen = label if label is not None else _label_of(numbers, said)
    names = name_fields([*numbers], chosen)
    if chosen is None:  # neither of several
        names |= {name: plain(name) for name, known in names.items() if known == "label"}
    named = {known: numbers[name] for name, known in names.items()}
    missing = [name for name in COORDINATES if name not in named]
    if missing:
        raise DataError(
            f"{source}: no coordinate {', '.join(missing)}; it has: {', '.join(columns) or 'nothing'}. "
            "Name the columns, for instance: columns 'x y z red green blue label'"
        )
    xyz = np.stack([named.pop(name).astype(np.float64) for name in COORDINATES], axis=1)
    codes = None if chosen is None else as_codes(named.pop("label"), source)
    colors = [named[name] for name in COLORS[:3] if name in named]
    full = max((color_range(values) for values in colors), default=255.0)
    return PointCloud(xyz, named, codes, full, source, tuple(said))


def _label_of(columns: dict[str, NDArray[Any]], said: list[str]) -> str | None:
    """The column of the class codes, if there is exactly one that can be; otherwise says why not."""
    named = [name for name in columns if canonical(name) == "label"]
    rivals = [name for name in named if _are_codes(columns[name])]
    for name in named:
        if name not in rivals:
            said.append(f"{name} holds no whole numbers and is not taken for the class codes")
    if len({columns[name].astype(np.float64).tobytes() for name in rivals}) <= 1:
        return rivals[0] if rivals else None
    said.append(
        f"{' and '.join(rivals)} could be the class codes, and they differ: none of them is taken; name the right one "
        f"(--label {rivals[0]}, recipe: data.label) to train or evaluate with it"
    )
    return None


def _first(values: NDArray[Any]) -> str:
    return f"{values[0]}, ..." if len(values) else "none"


def _are_codes(values: NDArray[Any]) -> bool:
    if values.dtype.kind in "iub":
        return True
    known = values[~np.isnan(values)]
    return bool(np.isfinite(known).all() and (np.abs(known - np.round(known)) <= _NEARLY).all())


def as_codes(values: NDArray[Any], source: str) -> NDArray[np.int64]:
    """Stored labels as int64; a number that is none (NaN) becomes -1, which no class has.

    Raises:
        DataError: they are no whole numbers.
    """
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    if values.dtype.kind != "f" or not _are_codes(values):
        raise DataError(f"{source}: labels must be whole numbers; the label field holds something else")
    return np.where(np.isnan(values), -1, np.round(values)).astype(np.int64)
