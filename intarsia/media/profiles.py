"""Colour profiles of pictures (ICC): their colours as those of sRGB, which models have learnt from."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_OF = {"RGB": "RGB", "RGBA": "RGB", "P": "RGB", "CMYK": "CMYK"}
"""The kind of colours whose profile a picture of each mode has."""
_SAME = 3  # levels by which profiles of sRGB differ from each other
_CURVES = {16: "PQ", 18: "HLG"}  # numbers of ITU-T H.273
_STEPS = (0, 64, 128, 191, 255)

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Change:
    """The way from a picture's own colours to sRGB's.

    Attributes:
        name: of its profile.
        kind: "RGB" or "CMYK".
    """

    name: str
    kind: str
    _transform: Any

    def of_pixels(self, pixels: RGB) -> RGB:
        """Colours (H, W, 3) of a profile of RGB as those of sRGB."""
        from PIL import ImageCms

        return np.asarray(ImageCms.applyTransform(Image.fromarray(pixels), self._transform))

    def of_image(self, image: Image.Image) -> Image.Image:
        """A picture of CMYK as one of sRGB."""
        from PIL import ImageCms

        changed = ImageCms.applyTransform(image, self._transform)
        return changed if changed is not None else image

    @property
    def note(self) -> str:
        """What was decided, in a sentence."""
        return f"its colours are those of the profile {self.name}, and become those of sRGB"


def change_of(image: Image.Image) -> Change | None:
    """What turns the colours of an opened picture into sRGB's; None where they are, or nothing says otherwise."""
    profile, kind = image.info.get("icc_profile"), _OF.get(image.mode)
    return _change(bytes(profile), kind) if profile and kind else None


@lru_cache(maxsize=16)
def _change(profile: bytes, kind: str) -> Change | None:
    from PIL import ImageCms

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if own.profile.xcolor_space.strip() != kind:
            return None
        name = " ".join(ImageCms.getProfileDescription(own).split())
        transform = ImageCms.buildTransform(
            own, ImageCms.createProfile("sRGB"), kind, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError, ValueError):  # a profile that nobody can read is nobody's
        return None
    change = Change(name or "without a name", kind, transform)
    if kind == "RGB":
        grid = np.array(np.meshgrid(_STEPS, _STEPS, _STEPS), np.uint8).reshape(3, 1, -1).transpose(1, 2, 0)
        grid = np.ascontiguousarray(grid)
        if np.abs(change.of_pixels(grid).astype(int) - grid).max() <= _SAME:
            return None
    return change


def beyond_eight_bits(head: bytes) -> str:
    """Say what an AVIF file has that is lost when it is decoded to ordinary colours of 8 bits; "" if nothing.

    Args:
        head: the first few kilobytes of the file, which hold its boxes (ISO/IEC 23008-12, AV1-ISOBMFF).
    """
    at = head.find(b"colrnclx")
    curve = _CURVES.get(int.from_bytes(head[at + 10 : at + 12], "big")) if at >= 0 else None
    if curve:
        return f"it is HDR ({curve}), and read as if its colours were ordinary ones; export it as an ordinary picture"
    at = head.find(b"av1C")
    if at < 0 or not head[at + 6] & 0x40:
        return ""
    return f"of its {12 if head[at + 6] & 0x20 else 10} bits the upper eight are read"
