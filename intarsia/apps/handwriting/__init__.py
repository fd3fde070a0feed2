"""Handwriting: the lines and words of pages, in reading order, as PAGE XML, ALTO, JSON and pictures."""

from __future__ import annotations

import os
from dataclasses import replace

from intarsia.apps.handwriting.finding import LineFinder
from intarsia.apps.handwriting.page import Line, PageLines
from intarsia.inference import Predictor
from intarsia.media.images import ImageLike
from intarsia.media.medium import PICTURE

__all__ = ["PAGE", "Line", "LineFinder", "PageLines", "find_lines"]

PAGE = replace(
    PICTURE, name="handwriting", things="pages of handwriting", form="whole", labels=lambda path: ".page.xml",
    targets=(".xml",), takes=frozenset({"long_side", "window"}), outputs=("page",), writer=None,
)  # fmt: skip
"""Pages: pictures that are gone through as a whole."""


def find_lines(
    page: ImageLike, *, model: str | os.PathLike[str] | Predictor = "handwriting", words: bool = False
) -> PageLines:
    """Find the lines of one page.

    Args:
        page: a path, encoded bytes, a PIL image or an array ((H, W), (H, W, 3) RGB or (H, W, 4), uint8).
        model: a bundled name or a bundle file with a class "text"; or a loaded one, for instance
            ``intarsia.load("handwriting", long_side=1440)`` for small writing.
        words: also find words.

    Returns:
        The lines in reading order, none of a blank page; coordinates are pixels of the page, EXIF orientation applied.

    Raises:
        DataError: the page cannot be read.
        UsageError: there is no such model.
    """
    import intarsia

    finder = LineFinder(intarsia.load(model) if isinstance(model, str | os.PathLike) else model, words=words)
    return finder.segment_opened(PICTURE.open(page, finder.preprocessing, {}))
