"""Pictures wherever a data set keeps them: a file of their own, a page of a TIFF stack, a cell of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from PIL import Image

from intarsia.datasets.coding import RawMask
from intarsia.errors import DataError
from intarsia.media.depth import Windows
from intarsia.media.header import check_size, file_size, opened
from intarsia.media.images import MAX_PIXELS, ImageReader, open_image, read_image
from intarsia.media.maskfile import StoredMask, read_mask_file
from intarsia.media.pixels import RGB
from intarsia.media.stacks import page_numbers


@runtime_checkable
class Part(Protocol):
    """A picture inside a larger file. `str()` of it names file and place, for messages."""

    @property
    def path(self) -> Path:
        """The file that it lies in."""

    def load(self) -> bytes | Image.Image:
        """Its encoded file, or an opened picture.

        Raises:
            DataError: the file cannot be read, or has no such part.
        """


File: TypeAlias = Path | Part
"""Where a picture is kept."""


@dataclass(frozen=True)
class Page:
    """One page of a multi-page TIFF, counted from 0."""

    path: Path
    number: int

    def __str__(self) -> str:
        return f"{self.path} page {self.number + 1}"

    def load(self) -> Image.Image:
        """The page, decoded."""
        with self.opened() as page:
            return page.copy()

    @contextmanager
    def opened(self) -> Iterator[Image.Image]:
        """The page, not decoded yet: then it still tells how its levels are stored, which masks need."""
        name = str(self)
        with opened(self.path, name) as stack:
            if self.number >= getattr(stack, "n_frames", 1):
                raise DataError(f"{name}: the file has only {getattr(stack, 'n_frames', 1)} pages; download it again")
            stack.seek(self.number)
            check_size(stack, name, file_size(self.path), MAX_PIXELS)
            yield stack


def by_page(pair: tuple[File, File]) -> list[tuple[File, File]]:
    """A picture and its mask, page by page where both are TIFFs of as many pages; of others the pair itself."""
    image, mask = (_pages(file) for file in pair)
    return list(zip(image, mask, strict=True)) if image and len(image) == len(mask) else [pair]


def _pages(file: File) -> list[Page]:
    return [Page(file, number) for number in page_numbers(file)] if isinstance(file, Path) else []


def page_count(path: Path) -> int:
    """How many pages a TIFF stack has.

    Raises:
        DataError: it cannot be read.
    """
    with opened(path, str(path)) as stack:
        return int(getattr(stack, "n_frames", 1))


def open_picture(file: File) -> ImageReader:
    """Open a photo by its header; see `intarsia.media.images.open_image` for errors."""
    return open_image(file) if isinstance(file, Path) else open_image(file.load(), name=str(file))


def read_picture(file: File, windows: Windows | None = None) -> RGB:
    """A photo as (H, W, 3) uint8 RGB, upright; for windows see `intarsia.media.images.open_image`."""
    if isinstance(file, Path):
        return read_image(file, windows=windows)
    return open_image(file.load(), name=str(file), windows=windows).read()


def stored_mask(file: File) -> StoredMask:
    """A mask with all that its file says about its values; see `intarsia.media.maskfile.read_mask_file`.

    Raises:
        DataError: missing or damaged, or values that have no meaning as classes.
    """
    if isinstance(file, Page):
        with file.opened() as page:
            return read_mask_file(page, str(file), MAX_PIXELS)
    return read_mask_file(file if isinstance(file, Path) else file.load(), str(file), MAX_PIXELS)


def read_stored(file: File, *, colors: bool = False) -> RawMask:
    """The values that a mask stores, upright like its photo; palette files by their indices, or else their `colors`.

    Raises:
        DataError: missing or damaged, or values that have no meaning as classes.
    """
    return stored_mask(file).shown(colors=colors)


def runs(files: Iterable[File]) -> tuple[int, ...]:
    """How many files in a row lie in the same shard (a tar archive, a row group), one number a shard.

    Returns:
        () where files are on their own, or in something that is as quick to read in any order.
    """
    shards = [getattr(file, "shard", None) for file in files]
    return tuple(len(list(group)) for _, group in groupby(shards)) if any(shards) else ()


def path_of(file: File) -> Path:
    """The file itself, or the one that the part lies in."""
    return file if isinstance(file, Path) else file.path


def suffix(file: File) -> str:
    """The file's suffix in lower case."""
    return path_of(file).suffix.lower()


def place(file: File, root: Path) -> str:
    """The file as seen from `root`, with forward slashes, for messages and reports."""
    path = path_of(file)
    inside = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return inside if isinstance(file, Path) else f"{inside}{str(file).removeprefix(str(path))}"
