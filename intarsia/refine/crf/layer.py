"""The dense CRF as a layer of a network, trained with it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intarsia.errors import DataError, UsageError
from intarsia.refine.checks import check_image
from intarsia.refine.crf import tensors
from intarsia.refine.crf.inference import picture_terms
from intarsia.refine.crf.presets import Preset, find


class CRFLayer(nn.Module):
    """Mean field iterations as a recurrent layer: CRF-as-RNN (Zheng et al., ICCV 2015).

    Kernel widths are fixed. Learned are how much each kernel counts for each class, and what each class gains from each
    other one nearby. Gradients flow to both and to the logits.

    Args:
        classes: C.
        preset: the kernels, and the weights to start from.
        iterations: updates instead of the preset's; Zheng et al. train with 5 and test with 10.

    Attributes:
        weights: (kernels, C), how much each kernel's message counts for a class.
        affinity: (C, C), what class i gains from class j nearby; the identity to start from (Potts). The paper's
            compatibility is its negative.

    Raises:
        UsageError: no such preset, or a number out of range.
    """

    def __init__(self, classes: int, *, preset: str | Preset = "crf-as-rnn", iterations: int = 5) -> None:
        super().__init__()
        if classes < 1:
            raise UsageError(f"classes is at least 1, not {classes}")
        self.preset = find(preset, iterations=iterations)
        weights = [w for w in (self.preset.spatial_weight, self.preset.bilateral_weight) if w]
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float32)[:, None].repeat(1, classes))
        self.affinity = nn.Parameter(torch.eye(classes))

    def forward(self, logits: Tensor, image: Tensor | NDArray[np.uint8]) -> Tensor:
        """Refine logits.

        Args:
            logits: (N, C, H, W) of the network.
            image: the pictures (N, H, W, 3), uint8 RGB, at the size of the logits.

        Returns:
            Logits (N, C, H, W), for any loss that takes logits.

        Raises:
            DataError: logits of another number of classes, or pictures that are not uint8 RGB or of another size.
        """
        if logits.ndim != 4 or logits.shape[1] != self.weights.shape[1] or len(image) != len(logits):
            raise DataError(
                f"expected logits (N, {self.weights.shape[1]}, H, W) and pictures (N, H, W, 3), not "
                f"{tuple(logits.shape)} and {tuple(image.shape)}"
            )
        pictures = image.cpu().numpy() if isinstance(image, Tensor) else image
        return torch.stack([self._one(one, picture) for one, picture in zip(logits, pictures, strict=True)])

    def _one(self, logits: Tensor, picture: NDArray[np.uint8]) -> Tensor:
        size = (int(logits.shape[1]), int(logits.shape[2]))
        check_image(picture, size)
        # Half precision is too coarse for sums over whole pictures.
        with torch.autocast(logits.device.type, enabled=False):
            unary = logits.flatten(1).T.to(torch.promote_types(logits.dtype, torch.float32))
            kernels = [tensors.build(k, unary.device, unary.dtype) for k, _ in picture_terms(picture, self.preset)]
            refined = unary
            for _ in range(self.preset.iterations):
                marginals = refined.softmax(1)
                terms = zip(self.weights.to(unary.dtype), kernels, strict=True)
                message = torch.stack([weight * kernel(marginals) for weight, kernel in terms]).sum(0)
                refined = unary + message @ self.affinity.T.to(unary.dtype)
            return refined.T.reshape(-1, *size)
