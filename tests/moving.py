"""Frames that move in a known way, and a flow that says how."""

from __future__ import annotations

import torch
from torch import Tensor

from intarsia.models.video import Flow

SIZE = (64, 80)


class KnownFlow(Flow):
    """The same motion everywhere, whatever the frames show."""

    def __init__(self, x: float = 0.0, y: float = 0.0) -> None:
        super().__init__()
        self.motion = (x, y)

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        return torch.tensor(self.motion)[None, :, None, None].expand(len(current), 2, *current.shape[2:]).clone()


def smooth_frames(count: int, *, shift: float = 2.0, size: tuple[int, int] = SIZE, seed: int = 0) -> list[Tensor]:
    """A picture of soft waves that moves to the left by `shift` pixels a frame; (1, 3, H, W) each."""
    generator = torch.Generator().manual_seed(seed)
    phases = torch.rand(3, 4, generator=generator) * 6.28
    rates = 0.05 + 0.3 * torch.rand(3, 4, 2, generator=generator)
    rows = torch.arange(size[0], dtype=torch.float32)[:, None]
    frames = []
    for index in range(count):
        columns = torch.arange(size[1], dtype=torch.float32) + shift * index
        waves = torch.sin(rates[..., :1, None] * columns + rates[..., 1:, None] * rows + phases[..., None, None])
        frames.append(waves.mean(1)[None].contiguous(memory_format=torch.channels_last))
    return frames
