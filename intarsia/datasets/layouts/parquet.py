"""Tables of encoded pictures, as data sets lie on the Hugging Face hub: Parquet files with image and mask columns."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import SPLITS, folder_meaning, walk
from intarsia.datasets.layouts.pairing import Pairs, relative
from intarsia.datasets.layouts.survey import detect
from intarsia.datasets.parts import File
from intarsia.errors import DataError, require

SUFFIX = ".parquet"
_IMAGES = ("image", "img", "photo", "pixel_values")
MASKS = ("mask", "label", "annotation", "segmentation", "semantic_mask", "labels", "seg", "gt")
"""What columns of masks are called."""

_KEPT_BYTES = 128 << 20
_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class Cell:
    """An encoded picture in a table: column and row, which is counted from 0 within its row group."""

    path: Path
    column: str
    group: int
    row: int

    def __str__(self) -> str:
        return f"{self.path} column {self.column} row group {self.group + 1} row {self.row + 1}"

    @property
    def shard(self) -> tuple[Path, int]:
        """What is read in one go with its neighbours."""
        return self.path, self.group

    def load(self) -> bytes:
        """The picture's own file."""
        found = _column(self.path, self.group, self.column)[self.row].as_py()
        value = found.get("bytes") if isinstance(found, dict) else found
        if not isinstance(value, bytes) or not value:
            raise DataError(f"{self}: the cell holds no picture; export the data set with its files embedded")
        return value


def find_tables(content: Content) -> list[Path]:
    """The table that was named, or all below a folder that has them at its top or in data/."""
    if content.table is not None:
        return [content.table] if content.table.suffix.lower() == SUFFIX else []
    for folder in (content.root, content.root / "data"):
        if folder.is_dir() and any(entry.suffix.lower() == SUFFIX for entry in folder.iterdir()):
            return [path for path in walk(folder) if path.suffix.lower() == SUFFIX]
    return []


def read_tables(content: Content) -> PictureReading:
    """Items row by row; nothing but the files' footers is read now, and later one row group after the other.

    Raises:
        DataError: no table, a damaged one, no image or mask column, or masks without a meaning.
        UsageError: pyarrow is not installed.
    """
    tables = find_tables(content)
    if not tables:
        raise DataError(f"{content.root}: no {SUFFIX} files here")
    matched: list[tuple[str | None, str, File, File]] = []
    columns = ""
    for path in tables:
        with _opened(path) as file:
            image, mask = _columns(path, file)
            groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        columns = f"columns {image} and {mask}"
        split = split_of(relative(path, content.root))
        name = relative(path, content.root).with_suffix("").as_posix()
        places = [(group, row) for group, rows in enumerate(groups) for row in range(rows)]
        for number, (group, row) in enumerate(places):
            cells = Cell(path, image, group, row), Cell(path, mask, group, row)
            matched.append((split, f"{name}/{number:06d}", *cells))
    if not matched:
        raise DataError(f"{tables[0]}: the table has no rows")
    try:
        space, coding, notes = detect(
            [mask for *_, mask in matched], content.classes, content.options.ignore, tolerant=content.options.tolerant
        )
    except DataError as error:
        raise DataError(f"{content.table or content.root}: {error}") from error
    note = f"{len(matched)} rows of {len(tables)} Parquet file{'s' if len(tables) > 1 else ''}, {columns}."
    return PictureReading(space, coding, Pairs(tuple(matched), (), (), ()), (note, *notes))


def split_of(path: Path) -> str | None:
    """A table's split by its name ("train-00000-of-00004") or its folder ("validation/0000")."""
    match = re.match(r"([a-z]+)", path.stem.lower())
    if match and match[1] in SPLITS:
        return SPLITS[match[1]]
    for folder in reversed(path.parts[:-1]):
        if folder_meaning(folder)[0]:
            return folder_meaning(folder)[0]
    return None


def _columns(path: Path, file: Any) -> tuple[str, str]:
    """The names of the image and the mask column."""
    arrow = require("pyarrow", "parquet")
    schema = file.schema_arrow
    names = [field.name for field in schema if _holds_pictures(arrow, field.type)]
    image = next((name for name in _IMAGES if name in names), None)
    mask = next((name for name in MASKS if name in names and name != image), None)
    if image is None or mask is None:
        what = "image" if image is None else "mask"
        known = _IMAGES if image is None else MASKS
        raise DataError(
            f"{path}: no column of pictures is called {what} (or {', '.join(known[1:])}); it has "
            f"{', '.join(f'{field.name} ({field.type})' for field in schema)}; rename the column"
        )
    return image, mask


def _holds_pictures(arrow: Any, kind: Any) -> bool:
    if arrow.types.is_struct(kind):
        kind = next((kind.field(i).type for i in range(kind.num_fields) if kind.field(i).name == "bytes"), None)
    return kind is not None and (arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))


def _opened(path: Path) -> Any:
    tables = require("pyarrow.parquet", "parquet")
    try:
        return tables.ParquetFile(path)
    except Exception as error:  # Arrow's own errors derive from several built-in ones
        raise DataError(f"{path}: not a Parquet file, or damaged ({error}); download it again") from error


_recent: OrderedDict[tuple[Path, int, int, str], Any] = OrderedDict()
_lock = Lock()


def _column(path: Path, group: int, column: str) -> Any:
    """One column of a row group. The latest are kept, up to a fixed size, so rows in order read each group once."""
    try:
        key = (path, path.stat().st_mtime_ns, group, column)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    with _lock:
        if key in _recent:
            _recent.move_to_end(key)
            return _recent[key]
        with _opened(path) as file:
            _recent[key] = _read_column(path, file, group, column)
        while len(_recent) > 1 and sum(one.nbytes for one in _recent.values()) > _KEPT_BYTES:
            _recent.popitem(last=False)
        return _recent[key]


def _read_column(path: Path, file: Any, group: int, column: str) -> Any:
    facts = file.metadata.row_group(group)
    parts = [facts.column(index) for index in range(facts.num_columns)]
    size = sum(one.total_uncompressed_size for one in parts if one.path_in_schema.split(".")[0] == column)
    if size > _MOST_BYTES:
        raise DataError(f"{path}: refused: row group {group + 1} holds {size:,} bytes; write smaller row groups")
    try:
        # One thread, because loading processes are forked, and threads do not survive that.
        return file.read_row_group(group, columns=[column], use_threads=False).column(column)
    except Exception as error:
        raise DataError(f"{path}: row group {group + 1} is damaged ({error}); download it again") from error


LAYOUTS: dict[str, Layout] = {
    "parquet": Layout(
        "Parquet files with encoded images and masks, as on the Hugging Face hub (intarsia[parquet])",
        lambda content: bool(find_tables(content)),
        read_tables,
        files="train-00000-of-00001.parquet, validation-..., also in data/; columns image and mask",
    ),
}
