"""What a mask file stores: class values as they are, whatever a decoder for photos would make of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.errors import DataError
from intarsia.media.arrayfile import load_array
from intarsia.media.header import check_frames, check_size, check_sums, file_size, has_mask_page, opened, orientation
from intarsia.media.pixels import upright
from intarsia.media.rasters import opened_raster

Stored = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) values, or (H, W, 3) colours."""

NOWHERE = 65535
"""What stands in for numbers that no class can have: negative ones, NaN, a declared "no data" beyond 16 bits."""

ARRAY_SUFFIX = ".npy"
_BYTES = 8  # a pixel of an array

_NEAR = 1e-3, 1e-4, 0.25  # how far from a whole number, of 0, per unit, at most
_NODATA_TAG = 42113  # GDAL's, in TIFF
_FORMAT_TAG, _SIGNED = 339, 2


@dataclass(frozen=True)
class StoredMask:
    """One mask as its file stores it.

    Attributes:
        values: (H, W) values (of palette files the indices), or (H, W, 3) colours; upright.
        palette: (256, 3), of 16-bit values (65536, 3), colours of a palette file, else None.
        nodata: the value that the file declares to be no data, if it is one of 0..65535.
        nowhere: the number that became `NOWHERE`, in words: "-9999", "NaN"; "" for none.
    """

    values: Stored
    palette: NDArray[np.uint8] | None = None
    nodata: int | None = None
    nowhere: str = ""

    def shown(self, *, colors: bool) -> Stored:
        """The values; with `colors` those of a palette file as (H, W, 3) colours."""
        return self.values if not colors or self.palette is None else self.palette[self.values]


def read_mask_file(source: Path | bytes | Image.Image, name: str, max_pixels: int) -> StoredMask:
    """Read a mask: a picture of any format, or a NumPy array (.npy).

    Gray levels are those of the file, also of a TIFF whose zero is white. Floats may be whole numbers but for noise
    (1e-3).

    Args:
        source: its file, the file's bytes, or an opened picture.
        name: for messages.
        max_pixels: larger ones are refused.

    Raises:
        DataError: missing or damaged, or the values have no meaning as classes (broken numbers, transparent pixels).
    """
    if isinstance(source, Path) and source.suffix.lower() == ARRAY_SUFFIX:
        return _from_array(_load_array(source, max_pixels), name)
    try:
        return _read_picture(source, name, max_pixels)
    except DataError as error:
        wide = isinstance(error.__cause__, SyntaxError) and "pixel mode" in str(error.__cause__)
        if not wide or not isinstance(source, Path) or find_spec("rasterio") is None:
            raise
    with opened_raster(source) as file:  # numbers of 64 bits, which Pillow does not know
        return raster_mask(file, name)


def raster_mask(file: Any, name: str, window: Any = None) -> StoredMask:
    """A mask, or a window (rasterio's) of one, that is opened through rasterio; for errors see `mask_of_bands`."""
    return mask_of_bands(file, file.read(window=window), name)


def mask_of_bands(file: Any, values: NDArray[Any], name: str) -> StoredMask:
    """Bands of a mask that is opened through rasterio as a mask.

    Args:
        file: rasterio's dataset, which says what the bands are.
        values: (bands, h, w), a part of it.
        name: for messages.

    Raises:
        DataError: other bands than one of class values or three of colours, opaque alpha beside; or as
            `read_mask_file`.
    """
    alpha = file.count in (2, 4) and file.colorinterp[-1].name == "alpha"
    if file.count - alpha not in (1, 3):
        raise DataError(f"{name}: a mask has one band of class values, or three bands of colours")
    if alpha:
        return StoredMask(_colors(values.transpose(1, 2, 0), "LA" if file.count == 2 else "RGBA", name))
    if file.count == 3:
        return StoredMask(np.ascontiguousarray(values.transpose(1, 2, 0)))
    plane, nowhere = class_values(values[0], name, file.nodata)
    palette = None
    if file.colorinterp[0].name == "palette":
        palette = np.zeros((256 if plane.dtype == np.uint8 else 1 << 16, 3), dtype=np.uint8)
        for index, color in file.colormap(1).items():
            if index < len(palette):
                palette[index] = color[:3]
    return StoredMask(plane, palette, _as_value(file.nodata), nowhere)


def _read_picture(source: Path | bytes | Image.Image, name: str, max_pixels: int) -> StoredMask:
    with opened(source, name) as image:
        size = file_size(source) if isinstance(source, Path) else len(source) if isinstance(source, bytes) else None
        check_size(image, name, size, max_pixels)
        if not isinstance(source, Image.Image):
            check_frames(image, name)
        check_sums(image)
        turn = 1 if image.format == "TIFF" else orientation(image)
        masked = isinstance(source, Path) and image.format == "TIFF" and _says_where(image, source)
        found = _from_picture(image, name)
        if masked and isinstance(source, Path) and found.values.ndim == 2:
            with opened_raster(source) as file:
                found = _without(found, hidden_in(file))
        return StoredMask(upright(found.values, turn), found.palette, found.nodata, found.nowhere)


def hidden_in(file: Any, window: Any = None) -> NDArray[np.bool_] | None:
    """Where the mask that a raster brings along says that it holds no data (h, w); None where it brings none."""
    flags = {flag.name for flag in file.mask_flag_enums[0]}
    if "per_dataset" not in flags or "alpha" in flags:
        return None
    hidden: NDArray[np.bool_] = file.read_masks(1, window=window) == 0
    return hidden


def _says_where(image: Image.Image, source: Path) -> bool:
    """Whether a TIFF has a mask of its own, as a page or beside it, and rasterio is there to read it."""
    beside = source.with_name(f"{source.name}.msk").is_file()
    return (beside or has_mask_page(image)) and find_spec("rasterio") is not None


def _without(found: StoredMask, hidden: NDArray[np.bool_] | None) -> StoredMask:
    """The same, but nothing where it is hidden; of palettes `RasterSplit` leaves that out."""
    if hidden is None or not hidden.any() or hidden.shape != found.values.shape or found.palette is not None:
        return found
    values = np.where(hidden, np.uint16(NOWHERE), found.values.astype(np.uint16))
    said = " and ".join(one for one in (found.nowhere, "under the file's own mask") if one)
    return replace(found, values=values, nowhere=said)


def class_values(values: NDArray[Any], name: str, nodata: float | None = None) -> tuple[Stored, str]:
    """Numbers of any type as class values.

    Args:
        values: of any shape.
        name: for messages.
        nodata: a number that the file declares to be no data.

    Returns:
        uint8 or uint16, floats rounded; and the number that became `NOWHERE` in words, "" for none. Such are NaN, the
        declared one beyond 0..65535, and one negative number, as those who write them mean "not labelled".

    Raises:
        DataError: numbers above 65535, several negative ones, or fractions.
    """
    if values.dtype.kind == "b" or values.dtype in (np.uint8, np.uint16):
        stored: Stored = values.astype(np.uint8) if values.dtype.kind == "b" else values
        return stored, ""
    fractions = values.dtype.kind == "f"
    out = ~np.isfinite(values) if fractions else np.zeros(values.shape, dtype=np.bool_)
    said = {"NaN"} if out.any() else set()
    if nodata is not None and not 0 <= nodata <= NOWHERE:
        declared = values == (np.float32(nodata) if values.dtype == np.float32 else nodata)
        said |= {f"{nodata:g}"} if declared.any() else set()
        out |= declared
    known = values[~out] if out.any() else values
    whole = np.rint(known) if fractions else known
    low, high = (float(whole.min()), float(whole.max())) if whole.size else (0.0, 0.0)
    exact = not fractions or np.array_equal(known, whole)
    if not exact and (apart := np.abs(known - whole) > _tolerance(known)).any():
        raise DataError(
            f"cannot use the mask {name}: it holds {known[apart].flat[0]:g} and other fractions, so it is a map of "
            f"scores or was blurred, and classes are whole numbers; export it as class indices"
        )
    negative = np.unique(whole[whole < 0]) if low < 0 else np.zeros(0)
    if len(negative) > 1 or high > NOWHERE:
        raise DataError(f"cannot use the mask {name}: its values span {low:g}..{high:g}, classes are 0..65535")
    if len(negative):
        said.add(f"{negative[0]:g}")
        out |= values < 0
    if not said:
        return whole.astype(np.uint8) if high <= 255 else whole.astype(np.uint16), ""
    result = np.full(values.shape, NOWHERE, dtype=np.uint16)
    result[~out] = np.rint(values[~out]) if fractions else values[~out]
    return result, " and ".join(sorted(said))


def _tolerance(values: NDArray[Any]) -> NDArray[Any]:
    zero, slope, most = _NEAR
    return np.asarray(np.minimum(zero + slope * np.abs(values), most))


def _from_picture(image: Image.Image, name: str) -> StoredMask:
    """A decoded picture, its orientation not applied."""
    mode, levels, most = image.mode, _levels(image), _highest_of_pgm(image)
    palette = image.getpalette("RGB") if mode == "P" else None
    nodata = _declared(image)
    values: NDArray[Any] = np.asarray(image)
    if most and mode in ("L", "I"):
        values = np.rint(values * (most / (255 if mode == "L" else NOWHERE))).astype(np.uint16)
        return StoredMask(*class_values(values.astype(np.uint8) if most < 256 else values, name)[:1])
    if mode == "L" and _tag(image, _FORMAT_TAG) == _SIGNED:
        numbers, nowhere = class_values(values.view(np.int8), name, nodata)
        return StoredMask(numbers, None, _as_value(nodata), nowhere)
    if mode in ("1", "L", "P"):
        stored = levels[values.astype(np.uint8)]
        colors = np.zeros((256, 3), dtype=np.uint8)
        if palette:
            colors.reshape(-1)[: len(palette)] = palette[: 3 * 256]
        return StoredMask(stored, colors if palette else None, _as_value(nodata))
    if mode.startswith("I") or mode == "F":
        numbers, nowhere = class_values(values.astype(np.uint16) if mode.startswith("I;16") else values, name, nodata)
        return StoredMask(numbers, None, _as_value(nodata), nowhere)
    return StoredMask(_colors(values, mode, name))


def _as_value(nodata: float | None) -> int | None:
    return int(nodata) if nodata is not None and 0 <= nodata <= NOWHERE and nodata == int(nodata) else None


def _colors(values: NDArray[Any], mode: str, name: str) -> Stored:
    if mode in ("LA", "RGBA"):
        if values[..., -1].min() < 255:
            raise DataError(
                f"cannot use the mask {name}: it has transparent pixels, so their class is unclear; "
                "save it without an alpha channel"
            )
        return np.ascontiguousarray(values[..., 0] if mode == "LA" else values[..., :3])
    if mode == "RGB":
        return np.array(values)
    raise DataError(f"cannot use the mask {name}: its colour mode is {mode}; save it as 8-bit gray, palette or RGB PNG")


def _levels(image: Image.Image) -> NDArray[np.uint8]:
    """From Pillow's gray levels to the file's own, of a picture that is not decoded yet.

    Pillow spreads levels of 2 and 4 bits over 0..255, and turns TIFF files around whose zero is white.
    """
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    raw = arguments if isinstance(arguments, str) else str(arguments[0]) if arguments else ""
    most = 1 if image.mode == "1" else 3 if raw.startswith("L;2") else 15 if raw.startswith("L;4") else 255
    table = np.arange(256, dtype=np.uint8)
    if image.mode == "L":
        table = table // np.uint8(255 // most)
    turned = image.format == "TIFF" and image.mode in ("1", "L") and "I" in raw.partition(";")[2]
    return np.uint8(most) - np.minimum(table, np.uint8(most)) if turned else table


def _highest_of_pgm(image: Image.Image) -> int:
    """The largest value that a PGM or PPM file announces, to which Pillow stretches what it stores; 0 of others."""
    tiles = getattr(image, "tile", None) if image.format == "PPM" else None
    arguments = tiles[0].args if tiles else ()
    return int(arguments[-1]) if isinstance(arguments, tuple) and tiles and tiles[0].codec_name != "raw" else 0


def _tag(image: Image.Image, number: int) -> Any:
    """A tag of a TIFF; None where there is none."""
    found = getattr(image, "tag_v2", {}).get(number) if image.format == "TIFF" else None
    return found[0] if isinstance(found, tuple) else found


def _declared(image: Image.Image) -> float | None:
    """The number that a GeoTIFF declares to be no data."""
    text = str(_tag(image, _NODATA_TAG) or "").strip("\0 ")
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _one_hot(array: NDArray[Any]) -> int | None:
    """The axis along which one number is 1 and all others are 0: a plane for each class; the last axis or the first."""
    if not array.size or array.dtype.kind not in "buif" or not np.isin(array.flat[: array.shape[-1]], (0, 1)).all():
        return None
    ones = array == 1
    if np.count_nonzero(ones) != np.count_nonzero(array):
        return None
    return next((axis for axis in (2, 0) if (ones.sum(axis=axis) == 1).all()), None)


def _load_array(path: Path, max_pixels: int) -> NDArray[Any]:
    size = file_size(path) or 0
    if size > _BYTES * max_pixels:
        raise DataError(f"refused {path}: {size:,} bytes are too large a mask; cut it into parts")
    try:
        # Not mapped into memory, which crashes if the file shrinks meanwhile.
        return load_array(path)
    except ValueError as error:
        raise DataError(f"cannot read {path}: it is missing, damaged or no plain NumPy array ({error})") from error


def _from_array(array: NDArray[Any], name: str) -> StoredMask:
    """A mask array: (H, W), with or without an axis of length 1; a plane a class; or (H, W, 3 or 4) colours."""
    plane = array.squeeze() if array.ndim == 3 and 1 in array.shape else array
    if plane.ndim == 3 and (axis := _one_hot(plane)) is not None:
        plane = plane.argmax(axis=axis)
    if plane.ndim == 2 and plane.size and plane.dtype.kind in "buif":
        values, nowhere = class_values(np.array(plane), name)
        return StoredMask(values, nowhere=nowhere)
    if plane.ndim == 3 and plane.shape[2] in (3, 4) and plane.dtype == np.uint8:
        return StoredMask(_colors(np.asarray(plane), "RGB" if plane.shape[2] == 3 else "RGBA", name))
    raise DataError(
        f"cannot use the mask {name}: its array is {array.shape} of {array.dtype}; save class indices (H, W), of "
        f"scores those of the largest one (argmax)"
    )
