"""Stacks: TIFF files of several pages, each a picture of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter

from intarsia.files import atomic_path
from intarsia.media.depth import Windows
from intarsia.media.header import has_frames, opened, own_frames
from intarsia.media.images import ImageLike, ImageReader, open_image

STACK_SUFFIXES = (".tif", ".tiff")


def is_stack(source: object) -> bool:
    """Tell whether a name stands for a TIFF of several pages; reduced copies of a page do not count."""
    return has_frames(source, STACK_SUFFIXES)


def opened_pages(source: ImageLike) -> Iterable[ImageReader]:
    """Open a picture: of a stack every page, one after the other.

    Raises:
        DataError: it cannot be read.
    """
    if isinstance(source, str | os.PathLike) and has_frames(source, STACK_SUFFIXES):
        return StackReader(source).pages()
    return (open_image(source),)


def page_numbers(source: object) -> tuple[int, ...]:
    """Number, from 0, the pages of a file that is a stack; of anything else there are none."""
    if not isinstance(source, Path) or not has_frames(source, STACK_SUFFIXES):
        return ()
    with opened(source, str(source)) as stack:
        return own_frames(stack)


class StackReader:
    """One opened stack.

    Args:
        source: the file.
        windows: see `intarsia.media.images.open_image`.

    Attributes:
        name: path of the file, for messages.
        notes: what was decided about the pages that have been read, in sentences.

    Raises:
        DataError: missing, damaged, or no TIFF.
    """

    def __init__(self, source: str | os.PathLike[str], windows: Windows | None = None) -> None:
        self._path, self._windows = Path(source), windows
        self.name = os.fspath(source)
        self.notes: tuple[str, ...] = ()
        with opened(self._path, self.name) as image:
            self._pages = own_frames(image)

    def __len__(self) -> int:
        return len(self._pages)

    def pages(self) -> Iterator[ImageReader]:
        """Each page as an opened picture, one after the other."""
        for number in self._pages:
            name = f"{self.name} page {number + 1}"
            with opened(self._path, name) as image:
                image.seek(number)
                page = open_image(image, name=name, windows=self._windows)
                yield page
                self.notes = tuple(dict.fromkeys((*self.notes, *page.notes)))


class StackWriter:
    """Write a TIFF page by page, in constant memory, whole or not at all. A context manager.

    Args:
        path: target ending in .tif or .tiff.
        palette: (N, 3) uint8 colours of the values of 8-bit gray pages; None for none.

    Raises:
        DataError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], palette: NDArray[np.uint8] | None = None) -> None:
        self.path, self._palette = Path(path), palette
        self._stack = ExitStack()
        self._file: Any

    def __enter__(self) -> StackWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._file = stack.enter_context(AppendingTiffWriter(os.fspath(temporary), new=True))
            self._stack = stack.pop_all()
        return self

    def write(self, page: NDArray[Any]) -> None:
        """Append a page: (H, W) uint8 or uint16, or (H, W, 3) or (H, W, 4) uint8."""
        image = Image.fromarray(page)
        if self._palette is not None and page.ndim == 2 and page.dtype == np.uint8:
            image.putpalette(self._palette.tobytes())
        image.save(self._file, "TIFF", compression="tiff_adobe_deflate")
        self._file.newFrame()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
