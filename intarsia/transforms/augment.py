"""Random training transforms of a picture and its label map together, on torchvision.transforms.v2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from intarsia.recipe import Augment


class RandomScaleCrop(v2.Transform):
    """Zoom by a random factor and cut a crop of fixed size at a random place, in one resampling.

    The zoom is drawn log-uniformly. Where the zoomed picture is smaller than the crop, it lies at a random place of it
    and the rest is filled: pictures with their mean grey, label maps with the ignore index.
    """

    def __init__(self, crop: Sequence[int], scale: Sequence[float], *, ignore_index: int) -> None:
        super().__init__()
        self.crop = tuple(crop)
        self.scale = tuple(scale)
        self.ignore_index = ignore_index

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        low, high = (math.log(bound) for bound in self.scale)
        zoom = math.exp(low + (high - low) * torch.rand(()).item())
        window = []
        for size, target in zip(flat_inputs[0].shape[-2:], self.crop, strict=True):
            cut = min(size, max(1, round(target / zoom)))
            filled = min(target, max(1, round(cut * zoom)))
            source = int(torch.randint(size - cut + 1, ()))
            offset = int(torch.randint(target - filled + 1, ()))
            window.append((source, cut, filled, offset))
        return {"window": window}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        (top, cut_h, height, y), (left, cut_w, width, x) = params["window"]
        mask = isinstance(inpt, tv_tensors.Mask)
        out = F.resized_crop(
            inpt, top, left, cut_h, cut_w, [height, width],
            interpolation=F.InterpolationMode.NEAREST_EXACT if mask else F.InterpolationMode.BILINEAR,
            antialias=not mask,
        )  # fmt: skip
        if (height, width) == self.crop:
            return out
        border = [x, y, self.crop[1] - width - x, self.crop[0] - height - y]
        return F.pad(out, border, fill=self.ignore_index if mask else 124)


class RandomElastic(v2.Transform):
    """Warp smoothly by random displacements of a 3x3 grid of points (U-Net, section 3.1).

    The points span the picture from corner to corner; between them the displacement is interpolated bicubically. What
    lies outside is mirrored, in pictures and label maps alike, so that every pixel keeps its label.

    Args:
        sigma: standard deviation of the points' displacements along each axis, in pixels.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"field": displacement_field(self.sigma * torch.randn(2, 3, 3), flat_inputs[0].shape[-2:])}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        mask = isinstance(inpt, tv_tensors.Mask)
        warped = warp(inpt.as_subclass(Tensor), params["field"], mode="nearest" if mask else "bilinear")
        return tv_tensors.wrap(warped, like=inpt)


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


class RandomGamma(v2.Transform):
    """Raise brightness to a random power, as other light and exposure would."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"gamma": math.exp(self.strength * (2 * torch.rand(()).item() - 1))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt if isinstance(inpt, tv_tensors.Mask) else F.adjust_gamma(inpt, params["gamma"])


class RandomTint(v2.Transform):
    """Multiply each colour channel by a random factor, as another white balance would."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"gain": 1 + self.strength * (2 * torch.rand(3, 1, 1) - 1)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if isinstance(inpt, tv_tensors.Mask):
            return inpt
        return tv_tensors.wrap((inpt * params["gain"]).clamp_(0, 255).to(torch.uint8), like=inpt)


class RandomNoise(v2.Transform):
    """Gaussian noise of a random strength up to 5 % of the value range."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"sigma": 12.75 * torch.rand(()).item()}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if isinstance(inpt, tv_tensors.Mask):
            return inpt
        noisy = inpt + params["sigma"] * torch.randn(inpt.shape)
        return tv_tensors.wrap(noisy.clamp(0, 255).to(torch.uint8), like=inpt)


class TrainingTransform:
    """What a training sample goes through; deterministic for a given seed.

    Args:
        augment: strengths and probabilities.
        crop: height and width of the result.
        ignore_index: label of filled regions.
    """

    def __init__(self, augment: Augment, crop: Sequence[int], *, ignore_index: int) -> None:
        steps: list[v2.Transform] = []
        if augment.elastic:
            steps.append(RandomElastic(augment.elastic))
        if augment.rotate:
            fill = {tv_tensors.Image: 124, tv_tensors.Mask: ignore_index}
            rotation = v2.RandomRotation(augment.rotate, interpolation=v2.InterpolationMode.BILINEAR, fill=fill)
            steps.append(v2.RandomApply([rotation], p=0.5))
        steps.append(RandomScaleCrop(crop, augment.scale, ignore_index=ignore_index))
        if augment.flip:
            steps.append(v2.RandomHorizontalFlip(augment.flip))
        if augment.vertical_flip:
            steps.append(v2.RandomVerticalFlip(augment.vertical_flip))
        if augment.brightness or augment.contrast or augment.saturation or augment.hue:
            steps.append(v2.ColorJitter(augment.brightness, augment.contrast, augment.saturation, augment.hue))
        if augment.tint:
            steps.append(RandomTint(augment.tint))
        if augment.gamma:
            steps.append(RandomGamma(augment.gamma))
        if augment.blur:
            steps.append(v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], p=augment.blur))
        if augment.noise:
            steps.append(v2.RandomApply([RandomNoise()], p=augment.noise))
        self._pipeline = v2.Compose(steps)
        self._keeps_size = not augment.rotate and tuple(augment.scale) == (1, 1)
        self._crop = tuple(crop)

    def repeats(self, height: int, width: int) -> bool:
        """Whether a label map of this size always comes out as it is, but for flips."""
        return self._keeps_size and (height, width) == self._crop

    def __call__(self, image: NDArray[np.uint8], target: NDArray[Any], seed: int) -> tuple[Tensor, Tensor]:
        """Transform one sample.

        Args:
            image: (H, W, 3) uint8.
            target: (H, W) labels.
            seed: the same seed gives the same result, in any process.

        Returns:
            (h, w, 3) uint8 and (h, w) labels (uint8, or int32 for 16-bit label maps).
        """
        labels = torch.from_numpy(_owned(target if target.dtype == np.uint8 else target.astype(np.int32)))
        picture = torch.from_numpy(_owned(image)).permute(2, 0, 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            out, mask = self._pipeline(tv_tensors.Image(picture), tv_tensors.Mask(labels[None]))
        return out.as_subclass(Tensor).permute(1, 2, 0).contiguous(), mask.as_subclass(Tensor)[0]


def _owned(array: NDArray[Any]) -> NDArray[Any]:
    """Contiguous and writable, as tensors need their memory to be; copied only if it is not."""
    return np.require(array, requirements=["C", "W"])
