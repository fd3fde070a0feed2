"""Pictures inside a report: shrunk, encoded, inlined as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.labels import LabelSpace

_LONG_SIDE = 480
_WRONG = np.array([214, 39, 40], dtype=np.uint8)


@dataclass(frozen=True)
class Sample:
    """One picture of a report.

    Args:
        name: what the reader knows the picture by (its id or file name).
        image: (H, W, 3) uint8 RGB, or None where only masks are known.
        truth: (H, W) labels, or None for a picture without annotation.
        prediction: (H, W) labels.
        note: a few words below the name, for instance the picture's score.
        page: address of a page that shows more of it, relative to the report; "" if there is none.
    """

    name: str
    image: NDArray[np.uint8] | None
    truth: NDArray[Any] | None
    prediction: NDArray[Any]
    note: str = ""
    page: str = ""


def photo_uri(image: NDArray[np.uint8]) -> str:
    """An RGB picture (H, W, 3), shrunk to report size, as a JPEG data URI."""
    picture = Image.fromarray(image)
    picture.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return _uri("jpeg", buffer)


def labels_uri(labels: NDArray[Any], space: LabelSpace) -> str:
    """A label map (H, W) in its classes' colours, shrunk to report size, as a PNG data URI."""
    table = space.colors()
    small = _shrink(labels)
    colored = table[np.minimum(small, len(table) - 1)]
    return _png(colored)


def difference_uri(
    image: NDArray[np.uint8] | None, truth: NDArray[Any], prediction: NDArray[Any], space: LabelSpace
) -> str:
    """The photo (if any) in pale gray with every wrong element in red; elements without a label are black."""
    truth, prediction = _shrink(truth), _shrink(prediction)
    pale = np.full(truth.shape, 225, dtype=np.uint8)
    if image is not None:
        photo = Image.fromarray(image).convert("L").resize(truth.shape[::-1], Image.Resampling.BOX)
        # Few gray levels: the picture stays light in every sense.
        pale = np.asarray(photo, dtype=np.uint8) // 16 * 5 + 165
    shown = np.repeat(pale[..., None], 3, axis=2)
    known = truth != space.ignore_index
    shown[known & (truth != prediction)] = _WRONG
    shown[~known] = 0
    return _png(shown)


def _shrink(labels: NDArray[Any]) -> NDArray[Any]:
    """Every k-th element, so that the longer side is about report size; labels are never averaged."""
    height, width = labels.shape
    scale = min(1.0, _LONG_SIDE / max(height, width))
    rows = (np.arange(max(1, round(height * scale))) + 0.5) * height / max(1, round(height * scale))
    columns = (np.arange(max(1, round(width * scale))) + 0.5) * width / max(1, round(width * scale))
    return labels[np.ix_(rows.astype(np.intp), columns.astype(np.intp))]


def _png(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return _uri("png", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
