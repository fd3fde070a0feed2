"""DICOM images that are pictures rather than slices of a scan: X-rays, ultrasound, photographs (DICOM PS3.3)."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from intarsia.errors import DataError, require
from intarsia.media.dicom import UNDECODABLE, encoded

_PERCENTILES = (0.5, 99.5)


def picture(file: BinaryIO, name: str) -> Image.Image:
    """Decode an opened DICOM file of one image.

    Returns:
        Colours, also those of a colour table, as 8-bit RGB; gray as floats (mode F), after the modality's rescaling,
        with the range that becomes black and white in ``info["window"]`` (the file's own window or table, else
        percentiles), whether the larger values are the darker ones in ``info["inverted"]`` (MONOCHROME1), and a
        sentence on it in ``info["note"]``.

    Raises:
        DataError: several frames, no image, damaged, or a compression that cannot be decoded.
    """
    pixels = require("pydicom.pixels", "volumes")
    try:
        dataset = encoded(require("pydicom", "volumes").dcmread(file, force=True))
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames > 1:
            raise DataError(f"cannot read {name}: it holds {frames} frames; convert it to a video, or to single images")
        stored = pixels.pixel_array(dataset)
        if str(dataset.get("PhotometricInterpretation")) == "PALETTE COLOR":
            return Image.fromarray(_from_table(pixels.apply_color_lut(stored, dataset)))
        if stored.ndim == 3:
            return Image.fromarray(_eight_bits(stored, dataset))
        rescaled = pixels.apply_modality_lut(stored, dataset)
        curved = not dataset.get("WindowCenter") and bool(dataset.get("VOILUTSequence"))
        values = np.asarray(
            pixels.apply_voi(np.rint(rescaled).astype(np.int32), dataset) if curved else rescaled, dtype=np.float32
        )
    except DataError:
        raise
    except UNDECODABLE as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"cannot read {name}: its compression cannot be decoded here ({reason}); decompress it (gdcmconv --raw)"
        ) from error
    except Exception as error:  # pydicom raises almost anything on damaged files
        raise DataError(f"cannot read {name}: it is truncated or corrupt ({error}); export it again") from error
    image = Image.fromarray(values)
    (low, high), own = _whole_curve(dataset) if curved else _window(values, dataset)
    image.info["window"] = (low, high)
    image.info["inverted"] = str(dataset.get("PhotometricInterpretation")) == "MONOCHROME1"
    said = f"as its own {'table' if curved else 'window'} says" if own else "the percentiles 0.5 and 99.5 of its values"
    image.info["note"] = f"values {low:g} to {high:g} become black to white, {said}; --window names another range."
    return image


def _window(values: Any, dataset: Any) -> tuple[tuple[float, float], bool]:
    """The range that is shown, and whether the file says it (the first of several)."""

    def first(name: str) -> float | None:
        said = dataset.get(name)
        if said is None or said == "":
            return None
        return float(said if isinstance(said, int | float | str) else said[0])

    center, width = first("WindowCenter"), first("WindowWidth")
    if center is not None and width is not None and width >= 1:
        return (center - width / 2, center + width / 2), True
    low, high = np.percentile(values, _PERCENTILES).tolist()
    return (low, high if high > low else low + 1.0), False


def _whole_curve(dataset: Any) -> tuple[tuple[float, float], bool]:
    """The range that the file's own table of shades (VOI LUT) ends in."""
    return (0.0, float((1 << int(dataset.VOILUTSequence[0].LUTDescriptor[2])) - 1)), True


def _from_table(colours: Any) -> Any:
    """Colours from the file's table (H, W, 3), which may hold 8 bits where it says 16."""
    wide = colours.dtype.itemsize > 1 and colours.max(initial=0) > 255
    return np.ascontiguousarray(colours >> 8 if wide else colours, dtype=np.uint8)


def _eight_bits(stored: Any, dataset: Any) -> Any:
    bits = int(dataset.get("BitsStored") or 8)
    return np.ascontiguousarray(stored >> max(0, bits - 8), dtype=np.uint8)
