"""Take the loss of a model's logits, auxiliary ones included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from intarsia.models import Penalty, Queries, SegmentationModel, Supervised


class SupervisedPass(nn.Module):
    """A model as training calls it (and as data-parallel wrappers have to): all the logits that have a loss."""

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Supervised | Penalty, ...]:
        """Pictures (N, C, H, W), or clips (T, N, C, H, W) of which most models see each frame by itself."""
        if x.ndim == 5 and not self.model.takes_clips:
            x = x.flatten(0, 1)
        return self.model.supervised(x)


def supervised_loss(
    loss: Callable[[Tensor, Tensor, Mapping[str, Tensor] | None, Queries | None], Tensor],
    outputs: Sequence[Supervised | Penalty],
    target: Tensor,
    *,
    maps: Mapping[str, Tensor] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """Weighted sum of the loss over all outputs; where logits are smaller, labels are shrunk, never interpolated.

    Args:
        loss: of (N, C, h, w) logits, (N, h, w) labels, the labels' maps, and the queries that the logits are made of.
        outputs: what the model's `supervised` returns; penalties are added as they are.
        target: (N, H, W) labels.
        maps: what the loss derives from the target; None, and for shrunk labels, the loss computes them itself.
        align_corners: the model's resize convention, which says where its logits lie.
    """
    terms = []
    for output in outputs:
        if isinstance(output, Penalty):
            terms.append(output.weight * output.value)
            continue
        labels = shrink_labels(target, output.logits.shape[2:], align_corners=align_corners)
        own = maps if labels is target else None
        terms.append(output.weight * loss(output.logits, labels, own, output.queries))
    return torch.stack(terms).sum()


def shrink_labels(target: Tensor, size: Sequence[int], *, align_corners: bool) -> Tensor:
    """(N, H, W) labels -> (N, *size): for each cell the label of the pixel nearest to the cell's centre.

    With `align_corners` the centres of an 8k + 1 grid are every eighth pixel, as DeepLab shrinks its labels.
    """
    if tuple(target.shape[1:]) == tuple(size):
        return target
    rows, columns = (
        _centres(length, cells, align_corners).to(target.device)
        for length, cells in zip(target.shape[1:], size, strict=True)
    )
    return target[:, rows[:, None], columns]


def _centres(length: int, cells: int, align_corners: bool) -> Tensor:
    index = torch.arange(cells, dtype=torch.float64)
    if align_corners:
        return (index * ((length - 1) / max(cells - 1, 1))).round().long()
    return ((index + 0.5) * (length / cells)).floor().long()
