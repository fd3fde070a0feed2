"""From RGB pixels to the network's input. Training, evaluation, prediction and serving all go through here."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intarsia.bundle import Preprocessing
from intarsia.media.pixels import resized


def working_size(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """(height, width) at which the network sees an image of this size: its own, or the one `long_side` asks for."""
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


def normalise(pixels: NDArray[np.uint8] | Tensor, preprocessing: Preprocessing) -> Tensor:
    """Subtract the mean and divide by the standard deviation, of the grey picture if they have a single value.

    Args:
        pixels: one uint8 image (H, W, C) or a batch of them (N, H, W, C); colours are RGB.
        preprocessing: mean and standard deviation in 0..1.

    Returns:
        float32 (N, C, H, W), or (N, 1, H, W) luma, in channels-last memory; N is 1 for one image.
    """
    # torch warns about arrays that are not writable, such as Pillow's
    tensor = pixels if isinstance(pixels, Tensor) else torch.from_numpy(np.require(pixels, requirements=["C", "W"]))
    batch = tensor if tensor.ndim == 4 else tensor[None]
    mean, std = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
    values = batch.to(torch.float32)
    if len(preprocessing.mean) == 1 and batch.shape[3] == 3:
        values = _luma(values)
    # A row of pixels at a time: torch is several times slower where the last axis is as short as the channels.
    count, height, width, channels = values.shape
    rows = values.reshape(count, height, width * channels)
    rows.mul_((1 / (255 * std)).repeat(width)).sub_((mean / std).repeat(width))
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def _luma(rgb: Tensor) -> Tensor:
    """(..., 3) -> (..., 1) by ITU-R BT.601, written as differences so that a grey value stays exactly itself."""
    red, green, blue = rgb[..., :1], rgb[..., 1:2], rgb[..., 2:]
    return green + 0.299 * (red - green) + 0.114 * (blue - green)


def prepare(image: NDArray[np.uint8], preprocessing: Preprocessing) -> Tensor:
    """One uint8 RGB image (H, W, 3) -> the network's input at working size, float32 (1, C, h, w), channels-last."""
    height, width = working_size(image.shape[0], image.shape[1], preprocessing)
    return normalise(resize_image(image, height, width), preprocessing)
