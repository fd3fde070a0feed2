"""Networks whose answers are known, and real predictors around them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from intarsia.models import ImageModel
from intarsia.preprocessing import Preprocessing

PLAIN = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class Constant(ImageModel):
    """The same logits everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor([0.25, 0.75, 0.5]))

    def logits(self, x: Tensor) -> Tensor:
        height, width = -(-x.shape[2] // 4), -(-x.shape[3] // 4)
        return self.values[None, :, None, None].expand(len(x), -1, height, width)


class Local(ImageModel):
    """Random convolutions with zero padding and a receptive field of 15 pixels."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.body = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(),
                nn.Conv2d(8, 5, 3, padding=1),
            )  # fmt: skip

    def logits(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out
