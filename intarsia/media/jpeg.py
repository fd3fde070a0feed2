"""Colour JPEG files by OpenCV: the pixels that Pillow decodes, without its copies."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.media.pixels import RGB

_END = b"\xff\xd9"


def decode_jpeg(data: bytes, width: int, height: int) -> RGB | None:
    """Decode a colour JPEG file that is in memory.

    Args:
        data: the whole file.
        width: columns, as its header says.
        height: rows.

    Returns:
        (height, width, 3) uint8 RGB as stored, not upright; None where the file does not end as JPEG files do, or
        OpenCV cannot read it, so that another decoder finds out what is wrong with it.
    """
    if not data.rstrip(b"\0\r\n").endswith(_END):
        return None
    import cv2

    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = _decode_in_place(data, flags)
    if pixels is None:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    fits = pixels is not None and pixels.shape == (height, width, 3)
    return np.asarray(pixels, dtype=np.uint8) if fits else None


def _decode_in_place(data: bytes, flags: int) -> NDArray[Any] | None:
    """Decode through a file in memory, where the system has such: into the array itself, which `imdecode` copies."""
    if sys.platform != "linux":
        return None
    import cv2

    with os.fdopen(os.memfd_create("picture"), "wb") as file:
        file.write(data)
        file.flush()
        return cv2.imread(f"/proc/self/fd/{file.fileno()}", None, flags)
