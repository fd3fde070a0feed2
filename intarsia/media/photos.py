"""Photos that are changed and written again: with their transparency, and with what their files say of them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, JpegImagePlugin

from intarsia.errors import DataError
from intarsia.media.header import check_sums
from intarsia.media.images import MAX_PIXELS, ImageLike, ImageReader, write_image
from intarsia.media.pixels import RGB, upright
from intarsia.media.profiles import Change

Colour = tuple[int, int, int]

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
WRITTEN_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""Suffixes of what a changed photo may be written as."""

_ORIENTATION, _UPRIGHT = 0x0112, 1
# EXIF tags that say how pixels are stored: of the old file alone.
_STORAGE = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339, 347, 513,
     514, 529, 530, 531, 532, 34675}
)  # fmt: skip
_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")


class PhotoReader(ImageReader):
    """One opened picture that will be written again, changed.

    What a file says of its picture goes along: EXIF (its pixels are upright by then), colour profile, transparency, and
    of JPEG files how strongly they are compressed.

    Args:
        source: path, encoded bytes, PIL image or array.
        max_pixels: larger pictures are refused.
    """

    def __init__(self, source: ImageLike, max_pixels: int = MAX_PIXELS) -> None:
        super().__init__(source, max_pixels)
        self._exif, self._profile = b"", b""
        self._encoding: dict[str, Any] = {}
        self._transparent = False
        self._lost: tuple[str, ...] = ()
        if isinstance(self._picture, np.ndarray):
            return
        with self._opened(self._picture) as image:
            self._transparent = image.mode in _TRANSPARENT or "transparency" in image.info
            self._exif = _exif(image)
            profile = image.info.get("icc_profile") or b""
            if image.mode in ("RGB", "RGBA", "P", "PA"):
                self._profile = profile
            elif profile and self._change is None:
                self._lost += (f"its colour profile is one of {image.mode} pixels, and not of what is written",)
            if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode == "RGB":
                sampling = JpegImagePlugin.get_sampling(image)
                self._encoding = {"qtables": image.quantization} | ({"subsampling": sampling} if sampling >= 0 else {})
        if self.is_deep:
            self._lost += ("of its 16 bits the upper eight are written",)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about its values or is lost when it is written, in sentences."""
        return (*super().notes, *self._lost)

    def read(self) -> RGB:
        """Decode the whole picture, (height, width, 3) uint8; the colours of what is transparent are those stored."""
        if not self._transparent or self._held is not None:
            return super().read()
        return np.ascontiguousarray(self._rgba()[..., :3])

    def alpha(self) -> NDArray[np.uint8] | None:
        """Decode the transparency, (height, width) uint8 from 0 (nothing is seen) to 255; None without any."""
        return np.ascontiguousarray(self._rgba()[..., 3]) if self._transparent else None

    def _rgba(self) -> NDArray[np.uint8]:
        if isinstance(self._picture, np.ndarray):
            raise TypeError("arrays have lost their transparency")
        with self._opened(self._picture) as image:
            check_sums(image)
            return upright(np.asarray(image.convert("RGBA")), self._orientation)

    def _change_of(self, image: Image.Image) -> Change | None:
        """Colours that are written again are kept with their profile, but those of CMYK."""
        return super()._change_of(image) if image.mode == "CMYK" else None

    def own(self, colour: Colour) -> Colour:
        """Find the values that stand for an sRGB colour in this picture, as its colour profile has it."""
        if not self._profile:
            return colour
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(self._profile))
            change = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB")
            changed = ImageCms.applyTransform(Image.new("RGB", (1, 1), colour), change)
        except (ImageCms.PyCMSError, OSError):  # a profile that nobody can read is nobody's
            return colour
        red, green, blue = np.asarray(changed)[0, 0]
        return int(red), int(green), int(blue)

    def save(self, path: str | os.PathLike[str], pixels: RGB) -> None:
        """Write changed pixels as this picture, whole or not at all.

        Args:
            path: target ending in one of `WRITTEN_SUFFIXES`.
            pixels: (height, width, 3) uint8 RGB, upright, with the picture's own transparency; or (height, width, 4).

        Raises:
            DataError: transparency goes to a JPEG file; the disk is full, or the folder cannot be written.
            UsageError: the suffix names no known format.
        """
        is_jpeg = Path(path).suffix.lower() in JPEG_SUFFIXES
        alpha = self.alpha() if pixels.shape[2] == 3 else None
        if is_jpeg and (alpha is not None or pixels.shape[2] == 4):
            raise DataError(f"cannot write {os.fspath(path)}: {self.name} is transparent, and JPEG is not; name a .png")
        whole = pixels if alpha is None else np.dstack([pixels, alpha])
        said = {"exif": self._exif, "icc_profile": self._profile}
        encoding = {key: value for key, value in said.items() if value} | (self._encoding if is_jpeg else {})
        write_image(path, Image.fromarray(whole), 95, encoding)


def photo_suffix(source: Path) -> str:
    """How the name of a changed photo ends if nobody says: .jpg of JPEG files, .png of all others."""
    return ".jpg" if source.suffix.lower() in JPEG_SUFFIXES else ".png"


def _exif(image: Image.Image) -> bytes:
    """What is known of a photo, for pixels that are upright; b"" if nothing is, or nobody can read it."""
    try:
        exif = Image.Image.getexif(image)
        for tag in _STORAGE & exif.keys():
            del exif[tag]
        if _ORIENTATION in exif:
            exif[_ORIENTATION] = _UPRIGHT
        return exif.tobytes() if len(exif) else b""
    except Exception:
        # A broken EXIF block says nothing: it is not worth the photo.
        return b""
