"""The dense CRF without approximation: all pairs of elements, for tests and for small pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.errors import UsageError
from intarsia.refine.crf.kernels import Grid, Kernel, sides
from intarsia.refine.crf.tensors import Filter

# The work grows with the square of this: one step at the limit takes minutes.
MOST_ELEMENTS = 65_536
_VALUES = 1_000_000  # kernel values in memory at a time
_NOTHING = -60.0  # the logarithm of a kernel value that is beyond every digit of float32, and far from subnormal


def build(kernel: Kernel, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Filter:
    """The normalised filter for a kernel, summed over all pairs.

    Raises:
        UsageError: more than `MOST_ELEMENTS` elements.
    """
    if kernel.count > MOST_ELEMENTS:
        raise UsageError(
            f"the exact backend compares all pairs, of at most {MOST_ELEMENTS} elements; this has {kernel.count}; "
            "use backend='auto'"
        )
    features = kernel.features() if isinstance(kernel, Grid) else kernel
    values = torch.from_numpy(features.values).to(device, dtype).T.contiguous()

    rows = max(1, _VALUES // len(values))

    def summed(inputs: Tensor) -> Tensor:
        parts = []
        for first in range(0, len(values), rows):
            # Not by a matrix product, which loses digits where two elements lie close.
            far = torch.cdist(values[first : first + rows], values, compute_mode="donot_use_mm_for_euclid_dist")
            logarithm = F.threshold(far.square_().mul_(-0.5), _NOTHING, -torch.inf)
            parts.append(logarithm.exp_() @ inputs)
        return torch.cat(parts)

    total = summed(torch.ones(len(values), 1, device=device, dtype=dtype)).cpu().numpy()
    before, after = (torch.from_numpy(side).to(device, dtype) for side in sides(total, features.normalisation))
    return lambda inputs: after * summed(before * inputs)
