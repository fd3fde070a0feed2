"""Colour profiles of pictures (ICC): their colours as those of sRGB, which models have learnt from."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_OF = {
    "RGB": "RGB", "RGBA": "RGB", "P": "RGB", "CMYK": "CMYK",
    "L": "GRAY", "LA": "GRAY", "I;16": "GRAY", "I;16B": "GRAY", "I": "GRAY",
}  # fmt: skip
"""The kind of colours whose profile a picture of each mode has."""
_SAME = 3  # levels by which profiles of sRGB differ from each other
_MODES = {"RGB": "RGB", "CMYK": "CMYK", "GRAY": "L"}  # Pillow's names of them
_CURVES = {16: "PQ", 18: "HLG"}  # numbers of ITU-T H.273
_GAMUTS = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_STEPS = (0, 64, 128, 191, 255)

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Change:
    """The way from a picture's own colours to sRGB's.

    Attributes:
        name: of its profile.
        kind: "RGB", "CMYK" or "GRAY".
    """

    name: str
    kind: str
    _transform: Any

    def of_pixels(self, pixels: RGB) -> RGB:
        """Colours (H, W, 3) of a profile of RGB, or grey ones of one of grey, as those of sRGB."""
        from PIL import ImageCms

        stored = np.ascontiguousarray(pixels[..., 0]) if self.kind == "GRAY" else pixels
        return np.asarray(ImageCms.applyTransform(Image.fromarray(stored), self._transform))

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
            own, ImageCms.createProfile("sRGB"), _MODES[kind], "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError, ValueError):  # a profile that nobody can read is nobody's
        return None
    change = Change(name or "without a name", kind, transform)
    return None if kind != "CMYK" and _changes_nothing(change) else change


def _changes_nothing(change: Change) -> bool:
    steps = np.array(np.meshgrid(_STEPS, _STEPS, _STEPS) if change.kind == "RGB" else [range(256)] * 3, np.uint8)
    grid = np.ascontiguousarray(steps.reshape(3, 1, -1).transpose(1, 2, 0))
    return bool(np.abs(change.of_pixels(grid).astype(int) - grid).max() <= _SAME)


def beyond_ordinary(head: bytes) -> str:
    """Say what an AVIF or PNG file has that is lost when it is decoded to ordinary colours of 8 bits; "" if nothing.

    Args:
        head: the first few kilobytes of the file, which hold the boxes of an AVIF (ISO/IEC 23008-12, AV1-ISOBMFF), or
            the chunks before the pixels of a PNG (its third edition's cICP, and gAMA).
    """
    if head.startswith(b"\x89PNG"):
        return _beyond_ordinary_png(head[: head.find(b"IDAT")] if b"IDAT" in head else head)
    at = head.find(b"colrnclx")
    told = _coded(*(int.from_bytes(head[at + 8 + 2 * k : at + 10 + 2 * k], "big") for k in (0, 1))) if at >= 0 else ""
    if told:
        return told
    at = head.find(b"av1C")
    if at < 0 or not head[at + 6] & 0x40:
        return ""
    return f"of its {12 if head[at + 6] & 0x20 else 10} bits the upper eight are read"


def _coded(gamut: int, curve: int) -> str:
    """What numbers of ITU-T H.273 say of colours that no profile describes."""
    if curve in _CURVES:
        return (
            f"it is HDR ({_CURVES[curve]}), and read as if its colours were ordinary ones; "
            f"export it as an ordinary picture"
        )
    if gamut in _GAMUTS:
        return f"its colours are those of {_GAMUTS[gamut]}, and read as if they were sRGB's; export it as sRGB"
    return ""


def _beyond_ordinary_png(head: bytes) -> str:
    at = head.find(b"cICP")
    if at >= 0 and len(head) >= at + 6:
        return _coded(head[at + 4], head[at + 5])
    if b"iCCPITUR_2100_PQ" in head:  # the profile's name, before there was cICP
        return _coded(9, 16)
    at = head.find(b"gAMA")
    if at < 0 or b"iCCP" in head or b"sRGB" in head:
        return ""
    gamma = int.from_bytes(head[at + 4 : at + 8], "big") / 100_000
    if abs(gamma - 1 / 2.2) < 0.03 or not gamma:
        return ""
    return f"its values have the gamma {gamma:.2f} (of sRGB: 0.45), and are read as sRGB's; export it as sRGB"
