"""The contract of everything that computes a network: arrays in, logits out."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.media.source import Place

Floats = NDArray[np.float32]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("auto", "fp32", "bf16", "fp16", "int8")
"""Arithmetic of a network; "auto": what is best here. Which of them a runtime has, it says itself."""


class Runtime(Protocol):
    """A network made ready to compute, with what a predictor has to know of it.

    Attributes:
        name: which runtime it is.
        precision: the arithmetic that it computes in: "fp32", "bf16", ...
        processor: what computes and decides how sums are rounded, for instance "cpu AVX2".
        in_channels: channels of the input.
        stride: pixels per logit of a grid; 1 for points.
        align_corners: the convention by which logits are resized.
        margin: pixels on each side of an output that may decide it; see `ImageModel.margin`.
    """

    name: str
    precision: str
    processor: str
    in_channels: int
    stride: int
    align_corners: bool
    margin: int

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        """Compute the logits of a batch.

        Args:
            x: (N, in_channels, *S) float32, normalised: (H, W) of pictures, (P,) of points.
            place: the part of a picture that `x` shows; None: all of it.

        Returns:
            (N, C, *s) float32, where each side of a grid is ceil(S / stride).
        """


def identity(runtime: Runtime) -> dict[str, Any]:
    """Tell what of a runtime decides labels to the last bit, as plain JSON."""
    return {"name": runtime.name, "precision": runtime.precision, "processor": runtime.processor}
