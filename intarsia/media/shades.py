"""What the numbers of a raster look like: its colour table, samples of few bits, and white stored as 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def shades_of(file: Any, band: int) -> NDArray[np.uint8] | None:
    """What the numbers of a band look like, where they are no shades of 8 bits themselves.

    Args:
        file: rasterio's dataset.
        band: from 1.

    Returns:
        (256,) or more gray levels, or (256, 3) or more colours, by stored value: of a colour table, of samples of fewer
        bits, and where white is stored as 0; else None.
    """
    kind, bits = file.dtypes[band - 1], int(file.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", 8))
    if kind not in ("uint8", "uint16"):
        return None
    if file.colorinterp[band - 1].name == "palette":
        shades = np.zeros((1 + int(np.iinfo(kind).max), 3), dtype=np.uint8)
        for index, color in file.colormap(band).items():
            shades[index] = color[:3]
        return shades
    most = (1 << min(bits, 8)) - 1
    if kind != "uint8" or (most == 255 and not is_inverted(file)):
        return None
    gray = (np.minimum(np.arange(256), most) * 255 // most).astype(np.uint8)
    return 255 - gray if is_inverted(file) else gray


def is_inverted(file: Any) -> bool:
    """Whether white is stored as 0 (TIFF's WhiteIsZero)."""
    return bool(file.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES")
