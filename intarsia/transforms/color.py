"""Random changes of light and colour: most of them as one table look-up or one matrix product a pixel."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError
from intarsia.recipe import Augment

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_LEVELS = np.arange(256)
_CLIP_LIMIT = 4.0  # of the bins of a local histogram, times their mean
_SHARPNESS = 3.0
_MOTION_REACH = 3  # pixels to each side
_LINEAR = ("brightness", "contrast", "saturation", "tint")


class RandomColor:
    """Brightness, contrast, saturation and tint, then hue, gamma, equalisation, sharpness, blurs and noise.

    The first four are linear in the colour. They come in random order and are multiplied into one matrix, so that
    values are rounded and clipped only once. Pictures of other than three channels (slices, bands) have no colour; all
    of their channels are changed alike.

    Args:
        augment: strengths and probabilities.
    """

    def __init__(self, augment: Augment) -> None:
        self._augment = augment
        self._linear = [name for name in _LINEAR if getattr(augment, name)]

    def __call__(self, image: Pixels, random: np.random.Generator) -> Pixels:
        """Pixels (H, W, C) in other light; the given ones are left as they are.

        Raises:
            UsageError: saturation, hue or tint are wanted of a picture that does not have three channels.
        """
        augment = self._augment
        if image.shape[2] != 3 and (augment.saturation or augment.hue or augment.tint):
            raise UsageError(
                f"augment.saturation, hue and tint change colours, and the {image.shape[2]} channels of slices or "
                "bands are none: set them to 0"
            )
        if self._linear:
            image = _mixed(image, self._matrix(image, random))
        if augment.hue:
            image = _turned(image, random.uniform(-augment.hue, augment.hue))
        if augment.gamma:
            power = math.exp(random.uniform(-augment.gamma, augment.gamma))
            image = _looked_up(image, 255 * (_LEVELS / 255) ** power)
        if augment.equalise and random.random() < augment.equalise:
            image = _equalised(image, random.uniform(1, _CLIP_LIMIT))
        if augment.sharpen and random.random() < augment.sharpen:
            image = _filtered(image, sharpening(random.uniform(1, _SHARPNESS)))
        if augment.blur and random.random() < augment.blur:
            blurred = cv2.GaussianBlur(_packed(image), (5, 5), random.uniform(0.3, 1.5))
            image = np.asarray(blurred, dtype=np.uint8).reshape(image.shape)
        if augment.motion_blur and random.random() < augment.motion_blur:
            reach = round(random.uniform(1, _MOTION_REACH))
            image = _filtered(image, motion(reach, random.uniform(0, math.pi)))
        if augment.noise and random.random() < augment.noise:
            noise = random.standard_normal(image.shape, dtype=np.float32)
            noise *= np.float32(random.uniform(0, 0.05 * 255))
            image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
        return image

    def _matrix(self, image: Pixels, random: np.random.Generator) -> Matrix:
        """(C, C + 1): what a pixel is multiplied with, and what is added to it."""
        channels = image.shape[2]
        luma = _LUMA if channels == 3 else np.full(channels, 1 / channels)
        matrix = np.eye(channels, channels + 1)
        for name in random.permutation(self._linear):
            strength = getattr(self._augment, name)
            factor = random.uniform(max(0.0, 1 - strength), 1 + strength, channels if name == "tint" else None)
            if name == "saturation":
                matrix = factor * matrix + (1 - factor) * (luma @ matrix)
                continue
            # Contrast turns about the mean grey of the picture as the changes so far have made it.
            grey = luma @ matrix @ [*_means(image), 1] if name == "contrast" else 0.0
            matrix *= np.reshape(factor, (-1, 1))
            matrix[:, -1] += (1 - factor) * grey
        return matrix


def _means(image: Pixels) -> list[float]:
    if image.shape[2] > 4:
        return [float(mean) for mean in image.mean(axis=(0, 1))]
    return list(cv2.mean(_packed(image))[: image.shape[2]])


def _mixed(image: Pixels, matrix: Matrix) -> Pixels:
    if image.shape[2] == 3:
        return np.asarray(cv2.transform(_packed(image), matrix), dtype=np.uint8)
    return _looked_up(image, matrix[0, 0] * _LEVELS + matrix[0, -1])  # all channels alike, so that one table serves


def _looked_up(image: Pixels, levels: NDArray[Any]) -> Pixels:
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(_packed(image), table), dtype=np.uint8).reshape(image.shape)


def _turned(image: Pixels, turn: float) -> Pixels:
    """Hues turned by a share of the full circle."""
    hsv = cv2.cvtColor(_packed(image), cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(256 * turn) % 256)  # the circle has 256 steps, so that overflow goes round it
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), dtype=np.uint8)


def sharpening(factor: float) -> Matrix:
    """The 3x3 kernel of torchvision's and PIL's sharpness: 1 keeps the picture, 0 smooths it, 2 doubles its edges."""
    smooth = np.ones((3, 3))
    smooth[1, 1] = 5
    kernel: Matrix = (1 - factor) * smooth / smooth.sum()
    kernel[1, 1] += factor
    return kernel


def motion(reach: int, angle: float) -> Matrix:
    """The kernel of an even movement by 2 x `reach` + 1 pixels along a line, `angle` in radians from the right down."""
    places = np.linspace(-reach, reach, 2 * reach + 1)
    rows, columns = (np.rint(places * part).astype(int) + reach for part in (math.sin(angle), math.cos(angle)))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    np.add.at(kernel, (rows, columns), 1 / len(places))
    return kernel


def _filtered(image: Pixels, kernel: Matrix) -> Pixels:
    found = cv2.filter2D(_packed(image), -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(found, dtype=np.uint8).reshape(image.shape)


def _equalised(image: Pixels, limit: float) -> Pixels:
    """Contrast-limited adaptive histogram equalisation on 8 x 8 tiles: of the lightness, or of each channel alone."""
    clahe = cv2.createCLAHE(limit, (8, 8))
    if image.shape[2] != 3:
        return np.stack([clahe.apply(_packed(image[..., channel])) for channel in range(image.shape[2])], axis=2)
    lab = np.asarray(cv2.cvtColor(_packed(image), cv2.COLOR_RGB2LAB), dtype=np.uint8)
    lab[..., 0] = clahe.apply(_packed(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), dtype=np.uint8)


def _packed(image: Pixels) -> Pixels:
    """Contiguous, as OpenCV needs it."""
    return np.ascontiguousarray(image)
