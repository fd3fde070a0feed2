"""What stands in for a deep result between ticks: the last one as it is, moved along the flow, or by learned kernels.

A propagation keeps an anchor, tensors that lead from the present frame back to the one whose deep result is held.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.models.layers import conv_norm_act
from intarsia.models.video.flow import compose, photometric_change, resize_flow, warp
from intarsia.models.video.parts import FRAME, Maps, Parts
from intarsia.models.video.state import Tensors

Motion = Callable[[], Tensor]


class Propagation(nn.Module):
    """Base of all ways to carry a deep result on.

    Attributes:
        uses_flow: whether it asks for the motion between frames.
    """

    uses_flow = False

    def anchor(self, low: Maps, parts: Parts) -> Tensors:
        """Begin at a frame whose deep part runs."""
        raise NotImplementedError

    def follow(self, anchor: Tensors, low: Maps, motion: Motion) -> Tensors:
        """Go on to the next frame; `motion` gives the flow from it to the one before."""
        return anchor

    def carry(self, high: Tensor, anchor: Tensors, low: Maps) -> Tensor:
        """The deep result of the anchored frame as it may look on the present one."""
        raise NotImplementedError

    def change(self, anchor: Tensors, low: Maps, parts: Parts) -> float:
        """How much the frame differs from the anchored one, from 0 (equal)."""
        raise NotImplementedError


class Hold(Propagation):
    """The last deep result as it is (Clockwork Convnets, section 4).

    The change is the share of early labels that differ, or one minus the cosine between early features.
    """

    def anchor(self, low: Maps, parts: Parts) -> Tensors:
        return {"early": parts.early(low)}

    def carry(self, high: Tensor, anchor: Tensors, low: Maps) -> Tensor:
        return high

    def change(self, anchor: Tensors, low: Maps, parts: Parts) -> float:
        return feature_change(parts.early(low), anchor["early"])


class FlowWarp(Propagation):
    """The last deep result, fetched along the flow (Zhu et al. 2017, Deep Feature Flow, arXiv:1611.07715).

    Flows of successive frames are chained, which stays exact where one flow over many frames does not, and the result
    is fetched once, which does not blur it. The change is the mean difference between the frame and the moved key
    frame, in deviations of a pixel.
    """

    uses_flow = True

    def anchor(self, low: Maps, parts: Parts) -> Tensors:
        return {"frame": low[FRAME]}

    def follow(self, anchor: Tensors, low: Maps, motion: Motion) -> Tensors:
        recent = motion()
        return {**anchor, "flow": compose(recent, anchor["flow"]) if "flow" in anchor else recent}

    def carry(self, high: Tensor, anchor: Tensors, low: Maps) -> Tensor:
        if "flow" not in anchor:
            return high
        return warp(high, resize_flow(anchor["flow"], (high.shape[2], high.shape[3])))

    def change(self, anchor: Tensors, low: Maps, parts: Parts) -> float:
        moved = warp(anchor["frame"], anchor["flow"]) if "flow" in anchor else anchor["frame"]
        return float(photometric_change(low[FRAME], moved).mean())


class SpatiallyVariant(Propagation):
    """Kernels, predicted for each place from both frames' early maps, move the deep result (Li et al. 2018, 3.3).

    What kernels cannot bring, new things above all, is added from the present early maps. Both start as "nothing
    moves, nothing is added". The published predictor works on 256 channels; here early maps are first reduced.

    Args:
        early: channels of the early map.
        channels: channels of the deep result.
        width: channels of the predictor.
        kernel: side of the kernels, odd: how many cells far a value can move is half of it.
    """

    def __init__(self, *, early: int, channels: int, width: int = 64, kernel: int = 9) -> None:
        super().__init__()
        self.kernel = kernel
        self.reduce = conv_norm_act(early, width, 1)
        self.shared = conv_norm_act(width, width)
        self.mix = conv_norm_act(2 * width, width)
        self.kernels = nn.Conv2d(width, kernel * kernel, 1)
        self.adapt = nn.Sequential(conv_norm_act(width, width), conv_norm_act(width, width))
        self.correction = nn.Conv2d(width, channels, 3, padding=1)
        with torch.no_grad():
            for zero in (self.kernels.weight, self.kernels.bias, self.correction.weight, self.correction.bias):
                nn.init.zeros_(zero)  # type: ignore[arg-type]
            self.kernels.bias[kernel * kernel // 2] = _STAY  # type: ignore[index]

    def anchor(self, low: Maps, parts: Parts) -> Tensors:
        return {"early": parts.early(low)}

    def carry(self, high: Tensor, anchor: Tensors, low: Maps) -> Tensor:
        size = high.shape[2:]
        now, then = (self._reduced(low[max(low)], size), self._reduced(anchor["early"], size))
        kernels = self.kernels(self.mix(torch.cat([self.shared(now), self.shared(then)], 1))).float().softmax(1)
        moved: Tensor = spatially_variant(high.float(), kernels) + self.correction(self.adapt(now))
        return moved

    def change(self, anchor: Tensors, low: Maps, parts: Parts) -> float:
        return feature_change(parts.early(low), anchor["early"])

    def _reduced(self, early: Tensor, size: torch.Size) -> Tensor:
        reduced: Tensor = self.reduce(F.adaptive_avg_pool2d(early.float(), (size[0], size[1])))
        return reduced


# The softmax then leaves 0.974 of 81 weights at the centre.
_STAY = 8.0


class Deviation(nn.Module):
    """Predicts from two frames' early maps what share of the labels differ (Li et al. 2018, section 3.4).

    Args:
        early: channels of the early map.
        width: channels of the predictor.
    """

    def __init__(self, *, early: int, width: int = 64) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(early, width, 1)
        self.mix = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True))
        self.last = nn.Linear(width, 1)

    def forward(self, now: Tensor, then: Tensor) -> Tensor:
        """Early maps (N, C, h, w), twice -> (N,) shares; 0 for equal maps, below 1 for all."""
        difference = self.reduce(now.float() - then.float()) - self.reduce.bias[:, None, None]  # type: ignore[index]
        still = self.mix(torch.zeros_like(difference)).mean((2, 3))
        seen = self.mix(difference).mean((2, 3))
        share: Tensor = 1 - torch.exp(-F.softplus(self.last(seen)) + F.softplus(self.last(still)))
        return share[:, 0]


def spatially_variant(x: Tensor, kernels: Tensor) -> Tensor:
    """Convolution with kernels of their own at each place, shared by all channels; zeros around the map.

    ``out[c, p] = sum_q kernels[q, p] x[c, p + q]``, summed shift by shift: unfolding would take k * k times the memory.

    Args:
        x: (N, C, h, w).
        kernels: (N, k * k, h, w), rows of the kernel first.

    Returns:
        (N, C, h, w).
    """
    height, width = x.shape[2:]
    side = round(kernels.shape[1] ** 0.5)
    padded = F.pad(x, [side // 2] * 4)
    total = torch.zeros_like(x)
    for index in range(side * side):
        row, column = divmod(index, side)
        shifted = padded[:, :, row : row + height, column : column + width]
        total = total.addcmul_(shifted, kernels[:, index : index + 1])
    return total


def feature_change(now: Tensor, then: Tensor) -> float:
    """Share of integer labels that differ, or one minus the mean cosine between features: 0 for equal maps."""
    if not now.is_floating_point():
        return float((now != then).float().mean())
    apart = F.normalize(now.float(), dim=1) - F.normalize(then.float(), dim=1)
    return float(apart.square().sum(1).mean() / 2)
