"""From RGB pixels to the network's input. Training, evaluation, prediction and serving all go through here."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.media.pixels import resized
from intarsia.preprocessing import Preprocessing


def working_size(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """(height, width) at which the network sees an image: its own, or what `long_side` or `size` asks for."""
    if preprocessing.size is not None:
        return preprocessing.size
    if preprocessing.long_side is None:
        return height, width
    scale = preprocessing.long_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize_image(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize (H, W, C) pixels: area average where the image shrinks (no aliasing), bilinear where it grows."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    return resized(image, height, width, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def normalise(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Subtract the mean and divide by the standard deviation, of the grey picture if they have a single value.

    Args:
        pixels: one uint8 image (H, W, C) or a batch of them (N, H, W, C); colours are RGB.
        preprocessing: mean and standard deviation in 0..1.

    Returns:
        float32 (N, C, H, W), or (N, 1, H, W) luma, a view of channels-last memory; N is 1 for one image.
    """
    batch = pixels if pixels.ndim == 4 else pixels[None]
    mean, std = (np.array(values, dtype=np.float32) for values in (preprocessing.mean, preprocessing.std))
    values = batch.astype(np.float32, order="C")
    if len(mean) == 1 and batch.shape[3] == 3:
        values = _luma(values)
    # A row of pixels at a time: the last axis alone is too short for vector instructions.
    count, height, width, channels = values.shape
    rows = values.reshape(count, height, width * channels)
    rows *= np.tile(1 / (255 * std), width)
    rows -= np.tile(mean / std, width)
    return rows.reshape(count, height, width, channels).transpose(0, 3, 1, 2)


def _luma(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 3) -> (..., 1) by ITU-R BT.601, written as differences so that a grey value stays exactly itself."""
    red, green, blue = rgb[..., :1], rgb[..., 1:2], rgb[..., 2:]
    luma: NDArray[np.float32] = green + np.float32(0.299) * (red - green) + np.float32(0.114) * (blue - green)
    return luma


def prepare(image: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """One uint8 RGB image (H, W, 3) -> the network's input at working size, float32 (1, C, h, w), channels-last."""
    height, width = working_size(image.shape[0], image.shape[1], preprocessing)
    return normalise(resize_image(image, height, width), preprocessing)
