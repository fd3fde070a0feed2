"""Random training transforms of a picture and its label map together, on the stored 8-bit values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from intarsia.media.pixels import resized
from intarsia.recipe import Augment
from intarsia.transforms.color import RandomColor

Pixels = NDArray[np.uint8]
Labels = NDArray[Any]

_GREY = 124
_CHANNELS = 4  # as many as OpenCV warps at a time


class RandomScaleCrop:
    """Zoom by a random factor and cut a crop of fixed size at a random place, in one resampling.

    The zoom is drawn log-uniformly. Where the zoomed picture is smaller than the crop, it lies at a random place of it
    and the rest is filled: pictures with their mean grey, label maps with the ignore index.

    Args:
        crop: height and width of the result.
        scale: least and largest zoom.
        ignore_index: label of filled regions.
    """

    def __init__(self, crop: Sequence[int], scale: Sequence[float], *, ignore_index: int) -> None:
        self.crop = (crop[0], crop[1])
        self.scale = (scale[0], scale[1])
        self.ignore_index = ignore_index

    def __call__(self, image: Pixels, labels: Labels, random: np.random.Generator) -> tuple[Pixels, Labels]:
        """A crop of (H, W, C) pixels and (H, W) labels."""
        zoom = math.exp(random.uniform(math.log(self.scale[0]), math.log(self.scale[1])))
        window = []
        for size, target in zip(labels.shape, self.crop, strict=True):
            wanted = max(1, round(target / zoom))
            cut = min(size, wanted)
            filled = target if wanted <= size else min(target, max(1, round(cut * zoom)))
            source = int(random.integers(size - cut + 1))
            offset = int(random.integers(target - filled + 1))
            window.append((slice(source, source + cut), filled, slice(offset, offset + filled)))
        (rows, height, into_rows), (columns, width, into_columns) = window
        # Only what the crop shows is resampled; by area averages where it shrinks so much that it would alias.
        aliases = 2 * height * width < (rows.stop - rows.start) * (columns.stop - columns.start)
        pixels = resized(image[rows, columns], height, width, cv2.INTER_AREA if aliases else cv2.INTER_LINEAR)
        cut_labels = resized(labels[rows, columns], height, width, cv2.INTER_NEAREST_EXACT)
        if (height, width) == self.crop:
            return pixels, cut_labels
        filled_pixels: Pixels = np.full((*self.crop, image.shape[2]), _GREY, np.uint8)
        filled_labels: Labels = np.full(self.crop, self.ignore_index, labels.dtype)
        filled_pixels[into_rows, into_columns] = pixels
        filled_labels[into_rows, into_columns] = cut_labels
        return filled_pixels, filled_labels


class RandomFlip:
    """Mirror at random, left to right and top to bottom.

    Args:
        horizontal: probability of the one.
        vertical: and of the other.
        sides: pairs of labels that change places when left becomes right.
    """

    def __init__(self, horizontal: float, vertical: float, sides: Sequence[tuple[int, int]] = ()) -> None:
        self.horizontal, self.vertical = horizontal, vertical
        others = np.arange(1 << 16)
        for left, right in sides:
            others[[left, right]] = right, left
        self._others = others if sides else None

    def __call__(self, image: Pixels, labels: Labels, random: np.random.Generator) -> tuple[Pixels, Labels]:
        """Mirrored (H, W, C) pixels and (H, W) labels, or the given ones."""
        for probability, axis in ((self.horizontal, 1), (self.vertical, 0)):
            if random.random() < probability:
                image = np.asarray(cv2.flip(image, axis), dtype=np.uint8).reshape(image.shape)
                labels = np.asarray(cv2.flip(labels, axis))
                if axis == 1 and self._others is not None:
                    labels = self._others[labels].astype(labels.dtype)
        return image, labels


class RandomRotation:
    """Turn by up to so many degrees about the centre, half of the time; what comes from outside is filled."""

    def __init__(self, degrees: float, *, ignore_index: int) -> None:
        self.degrees = degrees
        self.ignore_index = ignore_index

    def __call__(self, image: Pixels, labels: Labels, random: np.random.Generator) -> tuple[Pixels, Labels]:
        """The same size of (H, W, C) pixels and (H, W) labels, turned."""
        if random.random() >= 0.5:
            return image, labels
        height, width = labels.shape
        middle = ((width - 1) / 2, (height - 1) / 2)
        turn = cv2.getRotationMatrix2D(middle, random.uniform(-self.degrees, self.degrees), 1.0)
        fill = (_GREY,) * _CHANNELS
        pixels = _by_channels(image, lambda part: cv2.warpAffine(part, turn, (width, height), borderValue=fill))
        # Labels as floats: OpenCV turns no 32-bit integers, and floats hold them exactly.
        turned = cv2.warpAffine(
            labels.astype(np.float32), turn, (width, height), flags=cv2.INTER_NEAREST, borderValue=self.ignore_index
        )
        return pixels, np.asarray(turned).astype(labels.dtype)


class RandomPerspective:
    """See the picture from aside, half of the time: its corners are pulled out from within, so that nothing is filled.

    Args:
        share: most of a side that each corner lies inside.
    """

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, image: Pixels, labels: Labels, random: np.random.Generator) -> tuple[Pixels, Labels]:
        """The same size of (H, W, C) pixels and (H, W) labels."""
        if random.random() >= 0.5:
            return image, labels
        height, width = labels.shape
        corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
        inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * random.uniform(0, self.share, (4, 2))
        start = (corners + inward * (width - 1, height - 1)).astype(np.float32)
        view = cv2.getPerspectiveTransform(start, corners)
        border = cv2.BORDER_REPLICATE  # rounding reaches there
        pixels = _by_channels(image, lambda part: cv2.warpPerspective(part, view, (width, height), borderMode=border))
        # Labels as floats, as they are turned.
        moved = cv2.warpPerspective(
            labels.astype(np.float32), view, (width, height), flags=cv2.INTER_NEAREST, borderMode=border
        )
        return pixels, np.asarray(moved).astype(labels.dtype)


def _by_channels(image: Pixels, change: Callable[[Pixels], Any]) -> Pixels:
    """Apply what OpenCV does to a few channels at a time."""
    parts = [image[..., first : first + _CHANNELS] for first in range(0, image.shape[2], _CHANNELS)]
    planes = [change(np.ascontiguousarray(part)).reshape(*image.shape[:2], -1) for part in parts]
    return np.concatenate(planes, axis=2).astype(np.uint8, copy=False)


class RandomElastic:
    """Warp smoothly by random displacements of a 3x3 grid of points (U-Net, section 3.1).

    The points span the picture from corner to corner; between them the displacement is interpolated bicubically. What
    lies outside is mirrored, in pictures and label maps alike, so that every pixel keeps its label.

    Args:
        sigma: standard deviation of the points' displacements along each axis, in pixels.
    """

    def __init__(self, sigma: float) -> None:
        self.sigma = sigma

    def __call__(self, image: Pixels, labels: Labels, random: np.random.Generator) -> tuple[Pixels, Labels]:
        """The same size of (H, W, C) pixels and (H, W) labels, warped."""
        points = torch.from_numpy(random.standard_normal((2, 3, 3), dtype=np.float32)) * self.sigma
        field = displacement_field(points, labels.shape)
        warped = warp(torch.from_numpy(_owned(image)).permute(2, 0, 1), field, mode="bilinear")
        moved = warp(torch.from_numpy(_owned(labels))[None], field, mode="nearest")
        return warped.permute(1, 2, 0).numpy(), moved[0].numpy()


def displacement_field(points: Tensor, size: Sequence[int]) -> Tensor:
    """Displacements (2, h, w) of a coarse grid of points, the corners among them -> of every pixel, (2, *size)."""
    return interpolate(points[None], size=list(size), mode="bicubic", align_corners=True)[0]


def warp(x: Tensor, field: Tensor, *, mode: str) -> Tensor:
    """Fetch every pixel from where its displacement points to, mirrored outside.

    Args:
        x: (C, H, W), of any integer type up to 24 bits.
        field: (2, H, W), displacement to the right and down in pixels.
        mode: "bilinear" or "nearest".

    Returns:
        As `x`.
    """
    height, width = x.shape[-2:]
    columns, rows = torch.arange(width) + field[0], torch.arange(height)[:, None] + field[1]
    # grid_sample counts from -1 to 1, from the first pixel's centre to the last one's
    grid = torch.stack([2 * columns / max(width - 1, 1) - 1, 2 * rows / max(height - 1, 1) - 1], dim=-1)[None]
    out = grid_sample(x[None].float(), grid, mode=mode, padding_mode="reflection", align_corners=True)[0]
    return out.round_().to(x.dtype)


class TrainingTransform:
    """What a training sample goes through; deterministic for a given seed.

    Args:
        augment: strengths and probabilities.
        crop: height and width of the result.
        ignore_index: label of filled regions.
        sides: pairs of labels that change places when left becomes right.

    Raises:
        UsageError: changes of colour are wanted of pictures that do not have three channels.
    """

    def __init__(
        self, augment: Augment, crop: Sequence[int], *, ignore_index: int, sides: Sequence[tuple[int, int]] = ()
    ) -> None:
        self._steps: list[RandomElastic | RandomPerspective | RandomRotation | RandomScaleCrop | RandomFlip] = []
        if augment.elastic:
            self._steps.append(RandomElastic(augment.elastic))
        if augment.perspective:
            self._steps.append(RandomPerspective(augment.perspective))
        if augment.rotate:
            self._steps.append(RandomRotation(augment.rotate, ignore_index=ignore_index))
        self._steps.append(RandomScaleCrop(crop, augment.scale, ignore_index=ignore_index))
        self._steps.append(RandomFlip(augment.flip, augment.vertical_flip, sides))
        self._color = RandomColor(augment)
        bends = augment.rotate or augment.elastic or augment.perspective
        self._keeps_size = not bends and not sides and tuple(augment.scale) == (1, 1)
        self._crop = (crop[0], crop[1])
        # A turned crop reaches beyond its sides, as far as its diagonal at most.
        turned = min(1.0, math.sin(math.radians(min(augment.rotate, 90))))
        self._reach = [side + turned * other for side, other in (self._crop, self._crop[::-1])]
        self._reach = [side / augment.scale[0] + 4 * augment.elastic for side in self._reach]

    @property
    def reach(self) -> tuple[int, int]:
        """(height, width) of a part of a picture from which any crop can be cut as if it were the whole."""
        return math.ceil(self._reach[0]), math.ceil(self._reach[1])

    def repeats(self, height: int, width: int) -> bool:
        """Tell whether a label map of this size always comes out as it is, but for flips."""
        return self._keeps_size and (height, width) == self._crop

    def __call__(self, image: NDArray[np.uint8], target: NDArray[Any], seed: int) -> tuple[Tensor, Tensor]:
        """Transform one sample.

        Args:
            image: (H, W, C) uint8.
            target: (H, W) labels.
            seed: the same seed gives the same result, in any process.

        Returns:
            (h, w, C) uint8 and (h, w) labels (uint8, or int32 for 16-bit label maps).
        """
        random = np.random.default_rng(seed)
        labels = target if target.dtype == np.uint8 else target.astype(np.int32)
        for step in self._steps:
            image, labels = step(image, labels, random)
        image = self._color(image, random)
        return torch.from_numpy(_owned(image)), torch.from_numpy(_owned(labels))


def _owned(array: NDArray[Any]) -> NDArray[Any]:
    """Contiguous and writable, as tensors need their memory to be; copied only if it is not."""
    return np.require(array, requirements=["C", "W"])
