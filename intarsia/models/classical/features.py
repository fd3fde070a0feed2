"""What classical methods know of a pixel: its colour, and the edges, lines and texture around it at several scales."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from intarsia.errors import ModelError
from intarsia.media.source import Place
from intarsia.models.classical.filters import GaussianDerivatives, Plane, eigenvalues, radius

GROUPS = ("pixel", "colour", "edges", "ridges", "structure", "texture", "position")
_LARGEST_SCALE = 64


class Features(nn.Module):
    """Multi-scale features as in pixel classification with ilastik (Berg et al. 2019, doi:10.1038/s41592-019-0582-9).

    Groups, each computed from the colours, or from the brightness, at every scale sigma:

    - ``pixel`` (once): the colour itself. Three channels are turned to CIE L*a*b*, in which brightness and colour are
      apart, so that a shadow moves one axis and not three; other numbers of channels are taken as they are.
    - ``colour``: the colours blurred; at large scales, what the surroundings look like.
    - ``edges``: the gradient's length.
    - ``ridges``: both eigenvalues of the Hessian, that tell dark from bright lines and blobs at any angle.
    - ``structure``: square roots of both eigenvalues of the structure tensor (Foerstner & Guelch 1987): flat, one
      direction, or many.
    - ``texture``: the root mean square of what the blur takes away, a texture energy (Laws 1980).
    - ``position`` (once): the pixel's place in the whole picture, 0 to 1 from top to bottom and from left to right.

    All but the last do not depend on where a tile is cut, and only position changes when a picture is turned by 90
    degrees. All lie roughly within -1 to 1.

    Args:
        in_channels: channels of the picture.
        scales: standard deviations in pixels.
        groups: which features.

    Attributes:
        groups: for each feature, the group it belongs to.
        margin: pixels on each side of a pixel that may decide its features.
    """

    def __init__(self, *, in_channels: int, scales: Sequence[float], groups: Sequence[str] = GROUPS) -> None:
        super().__init__()
        if in_channels < 1:
            raise ModelError(f"a picture has at least one channel, not {in_channels}")
        if not scales or not all(0.3 <= scale <= _LARGEST_SCALE for scale in scales):
            raise ModelError(
                f"scales are standard deviations from 0.3 to {_LARGEST_SCALE} pixels, at least one, not {list(scales)}"
            )
        self.in_channels, self.scales = in_channels, tuple(scales)
        self._wanted = frozenset(groups)
        sizes = {"pixel": in_channels, "colour": in_channels, "ridges": 2, "structure": 2, "position": 2}
        order = [(name, 1) for name in ("pixel",)] + [(name, len(scales)) for name in GROUPS[1:-1]] + [("position", 1)]
        self.groups = tuple(
            name for name, times in order if name in self._wanted for _ in range(times * sizes.get(name, 1))
        )
        # Structure and texture filter what was filtered before.
        twice = bool(self._wanted & {"structure", "texture"})
        self.margin = radius(max(scales)) * (2 if twice else 1) if self._wanted - {"pixel", "position"} else 0

    def __len__(self) -> int:
        return len(self.groups)

    def planes(self, picture: NDArray[np.float32], place: Place | None = None) -> NDArray[np.float32]:
        """The features of one picture, or of a part of it.

        Args:
            picture: (h, w, in_channels) in 0..1.
            place: which part of the whole picture it is; None for all of it.

        Returns:
            (features, h, w) in the order of `groups`.
        """
        colours = _colours(picture)
        brightness = colours[0] if self.in_channels in (1, 3) else np.mean(colours, axis=0)
        found: dict[str, list[Plane]] = {name: [] for name in GROUPS}
        found["pixel"] = colours
        for sigma in self.scales:
            self._at_scale(GaussianDerivatives(sigma), colours, brightness, found)
        if "position" in self._wanted:
            found["position"] = _position(picture.shape[:2], place)
        return np.stack([plane for name in GROUPS if name in self._wanted for plane in found[name]])

    def _at_scale(
        self, gaussian: GaussianDerivatives, colours: list[Plane], brightness: Plane, found: dict[str, list[Plane]]
    ) -> None:
        """Add one scale's features to each group."""
        if "colour" in self._wanted:
            found["colour"] += [gaussian(colour) for colour in colours]
        if self._wanted & {"edges", "structure"}:
            dx, dy = gaussian(brightness, across=1), gaussian(brightness, down=1)
            found["edges"].append(np.sqrt(dx**2 + dy**2))
            if "structure" in self._wanted:
                tensor = eigenvalues(gaussian(dx**2), gaussian(dx * dy), gaussian(dy**2))
                found["structure"] += [np.sqrt(np.maximum(value, 0)) for value in tensor]
        if "ridges" in self._wanted:
            dxy = gaussian(brightness, across=1, down=1)
            found["ridges"] += eigenvalues(gaussian(brightness, across=2), dxy, gaussian(brightness, down=2))
        if "texture" in self._wanted:
            detail = brightness - gaussian(brightness)
            found["texture"].append(np.sqrt(gaussian(detail**2)))

    def forward(self, x: torch.Tensor, place: Place | None = None) -> torch.Tensor:
        """(N, in_channels, H, W) in 0..1 -> features (N, F, H, W), computed on the CPU."""
        pictures = x.detach().float().permute(0, 2, 3, 1).cpu().contiguous().numpy()
        planes = [torch.from_numpy(self.planes(picture, place)) for picture in pictures]
        return torch.stack(planes).to(x.device)


def _colours(picture: NDArray[np.float32]) -> list[Plane]:
    if picture.shape[2] == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) / np.float32(100)
    return [np.ascontiguousarray(picture[..., channel]) for channel in range(picture.shape[2])]


def _position(size: tuple[int, ...], place: Place | None) -> list[Plane]:
    """Row and column of each pixel's centre as shares of the whole picture's height and width."""
    height, width = size
    place = place or Place((0, height), (0, width), (height, width))
    axes = []
    for (start, end), count, whole in zip((place.rows, place.columns), size, place.size, strict=True):
        centres = (start + (np.arange(count) + 0.5) * ((end - start) / count)) / whole
        axes.append(centres.astype(np.float32))
    return [np.broadcast_to(axes[0][:, None], (height, width)), np.broadcast_to(axes[1], (height, width))]
