"""What a deep result becomes given those before it: NetWarp's flow-warped memory, and recurrent heads."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError, UsageError
from intarsia.models.video.flow import resize_flow, warp
from intarsia.models.video.parts import FRAME, Maps
from intarsia.models.video.propagation import Motion
from intarsia.models.video.state import Tensors

Cell = Literal["lstm", "gru"]


class Mixer(nn.Module):
    """Base: combines a deep result with a memory of earlier ones.

    Attributes:
        uses_flow: whether it asks for the motion since the frame before, so that it has to run on every frame.
    """

    uses_flow = False

    def forward(self, high: Tensor, memory: Tensors, low: Maps, motion: Motion) -> tuple[Tensor, Tensors]:
        """Deep result (N, C, h, w) and memory, empty at the start -> the result to be used, and the next memory."""
        raise NotImplementedError


class NetWarp(Mixer):
    """The frame before's deep result, moved along a corrected flow, is added channel by channel (Gadde et al. 2017).

    ``w1 * z_t + w2 * warp(z_(t-1))`` with a weight for each channel (arXiv:1708.03088, section 3). It starts as the
    image model: w1 = 1, w2 = 0, and a correction of zero. What is remembered is the raw result, so that memory spans
    one frame. The released code reduces the flow by the largest value of each 8 x 8 block and keeps its unit; here it
    is averaged and counted in cells.

    Args:
        channels: of the deep result.
    """

    uses_flow = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Flow, frame, the frame before as the flow moves it, and their difference.
        self.correct = nn.Sequential(
            nn.Conv2d(2 + 3 * 3, 16, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(32, 2, 3, padding=1),
        )  # fmt: skip
        for parameter in (self.correct[4].weight, self.correct[4].bias):
            nn.init.zeros_(parameter)  # type: ignore[arg-type]
        self.w1 = nn.Parameter(torch.ones(channels, 1, 1))
        self.w2 = nn.Parameter(torch.zeros(channels, 1, 1))

    @property
    def contribution(self) -> float:
        """Mean of |w2|: near 0, the module has learned to be the image model."""
        return float(self.w2.detach().abs().mean())

    def forward(self, high: Tensor, memory: Tensors, low: Maps, motion: Motion) -> tuple[Tensor, Tensors]:
        now, raw = low[FRAME], high.float()
        if not memory:
            return high, {"high": raw, "frame": now}
        size = (high.shape[2], high.shape[3])
        before = warp(memory["frame"], motion())
        small = [_shrunk(picture, size) for picture in (now, before, now - before)]
        flow = resize_flow(motion(), size)
        flow = flow + self.correct(torch.cat([flow, *small], dim=1))
        mixed = self.w1 * raw + self.w2 * warp(memory["high"], flow)
        return mixed, {"high": raw, "frame": now}


def _shrunk(frame: Tensor, size: tuple[int, int]) -> Tensor:
    grey_or_colour = frame.float().expand(-1, 3, -1, -1)
    return nn.functional.adaptive_avg_pool2d(grey_or_colour, size)


class RecurrentHead(Mixer):
    """An LSTM or GRU over time at each cell of the deep result, added through a gate that starts at zero.

    STFCN (Fayyaz et al. 2016, arXiv:1608.05971) gives each cell an LSTM of its own (`cells`), which ties the network to
    one picture size; recurrent FCNs (Siam et al. 2016, arXiv:1606.00487) convolve instead. The gate is ours: the
    network starts exactly as the image model that it is trained on.

    Args:
        channels: of the deep result.
        hidden: of the memory; 30 (VGG16) or 100 (AlexNet) in STFCN.
        cell: "lstm" or "gru".
        kernel: side of the convolutions.
        cells: (h, w) of the deep result for weights of their own at each cell, as STFCN has; None to convolve.

    Raises:
        UsageError: no such cell.
    """

    def __init__(
        self,
        channels: int,
        *,
        hidden: int = 64,
        cell: Cell = "lstm",
        kernel: int = 3,
        cells: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if cell not in ("lstm", "gru"):
            raise UsageError(f"a recurrent head's cell is 'lstm' or 'gru', not {cell!r}")
        self.hidden, self.cell = hidden, cell
        if cells is None:
            self.gates: nn.Module = nn.Conv2d(channels + hidden, _GATES[cell] * hidden, kernel, padding=kernel // 2)
            self.candidate: nn.Module = (
                nn.Conv2d(channels + hidden, hidden, kernel, padding=kernel // 2) if cell == "gru" else nn.Identity()
            )
        else:
            self.gates = PerCell(channels + hidden, _GATES[cell] * hidden, cells)
            self.candidate = PerCell(channels + hidden, hidden, cells) if cell == "gru" else nn.Identity()
        self.project = nn.Conv2d(hidden, channels, 1)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, high: Tensor, memory: Tensors, low: Maps, motion: Motion) -> tuple[Tensor, Tensors]:
        x = high.float()
        hidden = memory["hidden"] if memory else x.new_zeros(x.shape[0], self.hidden, *x.shape[2:])
        if self.cell == "lstm":
            carried = memory["cell"] if memory else torch.zeros_like(hidden)
            entry, forget, out, new = self.gates(torch.cat([x, hidden], 1)).chunk(4, dim=1)
            carried = forget.sigmoid() * carried + entry.sigmoid() * new.tanh()
            hidden = out.sigmoid() * carried.tanh()
            following = {"hidden": hidden, "cell": carried}
        else:
            reset, update = self.gates(torch.cat([x, hidden], 1)).sigmoid().chunk(2, dim=1)
            new = self.candidate(torch.cat([x, reset * hidden], 1)).tanh()
            hidden = (1 - update) * hidden + update * new
            following = {"hidden": hidden}
        return x + self.gate * self.project(hidden), following


_GATES = {"lstm": 4, "gru": 2}


class PerCell(nn.Module):
    """A linear layer with weights of its own at each cell of a map of one fixed size.

    Args:
        inputs: channels of the map.
        outputs: channels of the result.
        cells: (h, w) of the map.
    """

    def __init__(self, inputs: int, outputs: int, cells: tuple[int, int]) -> None:
        super().__init__()
        self.cells = tuple(cells)
        self.weight = nn.Parameter(torch.empty(*cells, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs, *cells))
        nn.init.normal_(self.weight, std=inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[2:]) != self.cells:
            raise ModelError(
                f"this head has weights for {self.cells[0]}x{self.cells[1]} cells, and the picture gives "
                f"{x.shape[2]}x{x.shape[3]}; use pictures of the size that it was made for, or a convolutional head"
            )
        out: Tensor = torch.einsum("hwoi,nihw->nohw", self.weight, x) + self.bias
        return out
