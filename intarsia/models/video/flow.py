"""Optical flow and what is done with it.

A flow (N, 2, H, W) lies on the current frame's grid and points, in pixels (x, then y), to where each pixel was in an
earlier frame: backward warping.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import cv2
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError, UsageError, suggest

Preset = Literal["ultrafast", "fast", "medium"]

# Normalised pixels span about -2.1..2.6; this maps them to 8 bits almost without loss, whatever the normalisation.
_GREY_CENTRE, _GREY_SCALE = 112.0, 52.0
_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# DIS works on patches of a pyramid, which smaller pictures do not fill.
_SMALLEST = 64


class Flow(nn.Module):
    """Base of flow estimators."""

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        """Normalised frames (N, C, H, W), twice -> flow (N, 2, H, W) from `current` to `previous`."""
        raise NotImplementedError


class DISFlow(Flow):
    """Dense inverse search (Kroeger et al. 2016, arXiv:1603.03590) as in OpenCV: a few milliseconds on one core.

    Args:
        preset: "ultrafast", "fast" (for models) or "medium" (slower, for measuring).

    Raises:
        UsageError: no such preset.
    """

    def __init__(self, preset: Preset = "fast") -> None:
        super().__init__()
        if preset not in _PRESETS:
            raise UsageError(f"no preset of the flow is named {preset!r}.{suggest(preset, _PRESETS)}")
        self.preset = preset

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        height, width = current.shape[2:]
        sides = (max(height, _SMALLEST), max(width, _SMALLEST))
        # A new one each time: it keeps buffers, and changes its own scales for good when it meets a small picture.
        estimator = cv2.DISOpticalFlow.create(_PRESETS[self.preset])
        flows = []
        for now, before in zip(_grey(current, sides), _grey(previous, sides), strict=True):
            found = estimator.calc(now.numpy(), before.numpy(), None)  # type: ignore[call-overload]  # None: no guess
            flows.append(torch.from_numpy(found))
        flow = torch.stack(flows).permute(0, 3, 1, 2).contiguous().to(current.device)
        return resize_flow(flow, (height, width))


def _grey(frames: Tensor, sides: tuple[int, int]) -> Tensor:
    grey = frames.float().mean(1, keepdim=True)
    if tuple(grey.shape[2:]) != sides:
        grey = F.interpolate(grey, size=list(sides), mode="bilinear")
    return grey.mul(_GREY_SCALE).add_(_GREY_CENTRE).clamp_(0, 255).to("cpu", torch.uint8)[:, 0]


class RAFTFlow(Flow):
    """RAFT-small (Teed and Deng 2020, arXiv:2003.12039) as in torchvision: slower and more exact than DIS.

    Args:
        weights: file of torchvision's ``raft_small`` weights; nothing is downloaded.
        mean: what the frames' normalisation subtracted, RGB in 0..1.
        std: what it divided by.
        updates: refinement steps.

    Raises:
        ModelError: the file cannot be read, or holds other weights.
    """

    _MULTIPLE, _SMALLEST = 8, 128
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        weights: str | os.PathLike[str],
        *,
        mean: tuple[float, ...] = (0.485, 0.456, 0.406),
        std: tuple[float, ...] = (0.229, 0.224, 0.225),
        updates: int = 12,
    ) -> None:
        super().__init__()
        from torchvision.models.optical_flow import raft_small

        self.network: nn.Module = raft_small(weights=None).eval().requires_grad_(False)
        self.updates = updates
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        try:
            self.network.load_state_dict(torch.load(Path(weights), map_location="cpu", weights_only=True))
        except Exception as error:  # unpickling, zip files and state dicts each raise their own
            raise ModelError(
                f"{weights}: not the weights of torchvision's raft_small ({str(error).splitlines()[0]}); "
                "save them with torch.save(raft_small(weights='DEFAULT').state_dict(), file)"
            ) from error

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        size = current.shape[2:]
        sides = [max(self._SMALLEST, -(-side // self._MULTIPLE) * self._MULTIPLE) for side in size]
        pair = []
        for frame in (current, previous):
            pixels = (frame.float() * self.std + self.mean) * 2 - 1
            pair.append(F.interpolate(pixels, size=sides, mode="bilinear"))
        with torch.no_grad():
            flow: Tensor = self.network(*pair, num_flow_updates=self.updates)[-1]
        return resize_flow(flow, (size[0], size[1]))


def warp(x: Tensor, flow: Tensor, *, mode: Literal["bilinear", "nearest"] = "bilinear") -> Tensor:
    """Fetch, for each cell, the value that lay where the flow points to; outside, that of the nearest border cell.

    Args:
        x: (N, C, H, W), of the earlier frame.
        flow: (N, 2, H, W) in cells of that grid.
        mode: how values between cells are found.

    Returns:
        (N, C, H, W) of the type of `x`.
    """
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device, dtype=torch.float32)
    columns = torch.arange(width, device=x.device, dtype=torch.float32)
    across = (2 * (columns + flow[:, 0].float()) + 1) / width - 1
    down = (2 * (rows[:, None] + flow[:, 1].float()) + 1) / height - 1
    grid = torch.stack((across, down), dim=3)
    moved = F.grid_sample(x.float(), grid, mode=mode, padding_mode="border", align_corners=False)
    return moved.to(x.dtype)


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """A flow on another grid: averaged where it shrinks, and in that grid's cells."""
    height, width = flow.shape[2:]
    if (height, width) == tuple(size):
        return flow
    if size[0] <= height and size[1] <= width:
        resized = F.adaptive_avg_pool2d(flow, size)
    else:
        resized = F.interpolate(flow, size=list(size), mode="bilinear")
    scale = resized.new_tensor((size[1] / width, size[0] / height))
    return resized * scale[:, None, None]


def compose(recent: Tensor, earlier: Tensor) -> Tensor:
    """The flow over two steps: `recent` leads from t to t - 1, `earlier` from t - 1 to any frame before."""
    return recent + warp(earlier, recent)


def flip_flow(flow: Tensor) -> Tensor:
    """The flow of mirrored frames: mirrored itself, with its x component negated."""
    return flow.flip(3) * flow.new_tensor((-1.0, 1.0))[:, None, None]


def photometric_change(frame: Tensor, moved: Tensor) -> Tensor:
    """Mean absolute difference over the channels, in deviations of a pixel: two (N, C, H, W) -> (N, 1, H, W)."""
    return (frame.float() - moved.float()).abs().mean(1, keepdim=True)
