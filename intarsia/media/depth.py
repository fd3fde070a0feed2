"""Pictures of more than 8 bits a sample: which range their values fill, and how they become 8-bit ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.errors import DataError

Windows = Sequence[tuple[float, float]]
"""(low, high) stored values that become 0 and 255, once or for each channel."""

_DEPTHS = (8, 10, 12, 14, 16)  # bits that sensors and scanners fill of the 16 that files have
_WHITE_IS_ZERO, _PHOTOMETRIC, _BITS, _SAMPLE_FORMAT = 0, 262, 258, 339  # TIFF
_PLANAR, _BY_PLANE = 284, 2
_EXTRA, _PREMULTIPLIED, _ALPHA = 338, 1, 2


def is_deep(image: Image.Image) -> bool:
    """Tell whether an opened, not yet decoded picture stores 16 bits a sample.

    The mode alone does not tell: Pillow decodes colours of 16 bits to 8.
    """
    if image.mode.startswith("I;16"):
        return True
    tags = getattr(image, "tag_v2", None)
    if tags is not None:  # by its tags: Pillow takes the low bytes of samples that are stored plane by plane
        whole = set(tags.get(_SAMPLE_FORMAT, (1,))) == {1}
        return whole and set(tags.get(_BITS, ())) == {16} and image.mode in ("RGB", "RGBA", "LA")
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    raw = arguments if isinstance(arguments, str) else str(arguments[0]) if arguments else ""
    return ";16" in raw and image.mode in ("RGB", "RGBA", "LA")


def deep_samples(image: Image.Image) -> NDArray[np.uint16] | None:
    """Decode a picture of 16 bits a sample, as it is stored: gray, gray and alpha, RGB or RGBA (H, W[, C]).

    Returns:
        None where only Pillow's 8 bits can be had: of pictures whose file is closed, or packed in a rare way.

    Raises:
        DataError: colours that are stored plane by plane, which neither Pillow nor OpenCV reads right.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR) == _BY_PLANE and len(tags.get(_BITS, ())) > 1:
        raise DataError(
            "its 16-bit colours are stored plane by plane, which is not read here; save them interleaved "
            "(tiffcp -p contig IN OUT)"
        )
    if image.mode.startswith("I;16"):
        gray, clear = np.asarray(image).astype(np.uint16), image.info.get("transparency")
        return np.dstack([gray, np.where(gray == clear, 0, 65535).astype(np.uint16)]) if clear is not None else gray
    file = getattr(image, "fp", None)
    if file is None or "transparency" in image.info:
        return None
    page, size = image.tell(), image.size
    place = file.tell()
    file.seek(0)
    packed = np.frombuffer(file.read(), dtype=np.uint8)
    file.seek(place)
    import cv2

    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    if page:
        done, pages = cv2.imdecodemulti(packed, flags, range=(page, page + 1))
        samples = pages[0] if done and pages else None
    else:
        samples = cv2.imdecode(packed, flags)
    if samples is None or samples.dtype != np.uint16 or samples.shape[:2] != size[::-1]:
        return None
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(samples.shape[2] if samples.ndim == 3 else 1)
    return _without_extra(np.asarray(samples if order is None else samples[..., order], dtype=np.uint16), image)


def has_plain_alpha(image: Image.Image) -> bool:
    """Tell whether what a TIFF stores beside gray or colours, if anything, is transparency not yet in them."""
    return set(getattr(image, "tag_v2", {}).get(_EXTRA, ())) <= {_ALPHA}


def _without_extra(samples: NDArray[np.uint16], image: Image.Image) -> NDArray[np.uint16]:
    """Samples whose fourth channel is plain transparency: none where a TIFF calls it something else, as infrared."""
    if samples.ndim != 3 or samples.shape[2] != 4 or has_plain_alpha(image):
        return samples
    if image.tag_v2[_EXTRA][0] != _PREMULTIPLIED:  # type: ignore[attr-defined]
        return np.ascontiguousarray(samples[..., :3])
    share = np.maximum(samples[..., 3:], 1) / np.float32(65535)
    colours = np.clip(np.rint(samples[..., :3] / share), 0, 65535).astype(np.uint16)
    return np.concatenate([colours, samples[..., 3:]], axis=2)


def bits_of(highest: int) -> int:
    """The smallest usual number of bits that holds a value of 16-bit samples: 8, 10, 12, 14 or 16; 16 of 0."""
    if not highest:
        return 16
    return next(bits for bits in _DEPTHS if highest < 1 << bits)


def highest_colour(samples: NDArray[np.uint16]) -> int:
    """The largest value of a picture (H, W[, C]), its transparency left out."""
    colour = samples[..., :-1] if samples.ndim == 3 and samples.shape[2] in (2, 4) else samples
    return int(colour.max(initial=0))


def is_inverted(image: Image.Image) -> bool:
    """Tell whether a TIFF stores white as 0; Pillow turns 8 bits over, and leaves 16 as they are."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def narrowed(samples: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """16-bit samples as 8-bit ones: of so many bits the upper eight. Exact for 8-bit pictures that were widened."""
    narrow: NDArray[np.uint8] = (samples >> (bits - 8)).astype(np.uint8)
    if bits < 16 and samples.ndim == 3 and samples.shape[2] in (2, 4):
        narrow[..., -1] = samples[..., -1] >> 8  # transparency always fills its 16 bits
    return narrow


def windowed(samples: NDArray[Any], windows: Windows) -> NDArray[np.uint8]:
    """Stored values (H, W[, C]) as 8-bit ones: linear between the bounds, cut off outside; no numbers become 0.

    Args:
        samples: integers or floats; of two or four channels the last is 16-bit transparency.
        windows: one for all channels, or as many as there are; of one channel the first counts.
    """
    planes = samples if samples.ndim == 3 else samples[..., None]
    result = np.empty(planes.shape, dtype=np.uint8)
    for channel in range(planes.shape[2]):
        if planes.shape[2] in (2, 4) and channel == planes.shape[2] - 1:
            result[..., channel] = planes[..., channel].astype(np.uint16) >> 8
            continue
        low, high = windows[channel if channel < len(windows) else 0]
        plane = (planes[..., channel].astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
        result[..., channel] = np.rint(np.clip(np.nan_to_num(plane, nan=0.0), 0, 255))
    return result.reshape(samples.shape)
