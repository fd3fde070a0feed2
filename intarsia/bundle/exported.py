"""Exported: what a file of an exported network tells of it besides the description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intarsia.bundle.forms import form_of
from intarsia.errors import ModelError

EXPORTED_KEY = "intarsia.runtime"
"""Under which a file's metadata hold it."""
_MAX_STRIDE, _MAX_MARGIN = 64, 8192  # beyond any network's: tiles grow with both


class Exported(BaseModel):
    """What a predictor has to know of an exported network, and how it was made.

    Attributes:
        stride: pixels per logit.
        align_corners: the convention by which logits are resized.
        margin: pixels on each side of an output that may decide it.
        precision: the arithmetic that it was exported for.
        sizes: (height, width) that it takes; None: any.
        origin: checksum of the bundle that it was made from (`Description.checksum`).
        agreement: share of labels that are those of the network it was made from.
        gflop_per_megapixel: operations, in thousand millions, that a million pixels of input take, two a
            multiply-accumulate; None if unknown.
        record: how it was made and what it was compared with, for people and for reports.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stride: int = Field(ge=1, le=_MAX_STRIDE)
    align_corners: bool
    margin: int = Field(ge=0, le=_MAX_MARGIN)
    precision: str
    sizes: tuple[tuple[int, int], ...] | None = None
    origin: str
    agreement: float = Field(ge=0, le=1)
    gflop_per_megapixel: float | None = Field(default=None, ge=0)
    record: dict[str, Any] = {}

    def require_size(self, height: int, width: int, file: Path) -> None:
        """Refuse a size that the network was not exported for.

        Raises:
            ModelError: there are sizes, and this is none of them.
        """
        if self.sizes is not None and (height, width) not in self.sizes:
            said = ", ".join(f"{columns}x{rows}" for rows, columns in self.sizes)
            raise ModelError(
                f"{file}: it was exported for pictures of {said} pixels, not {width}x{height}; export it again without "
                "sizes, or use the bundle it was made from"
            )

    @classmethod
    def load(cls, file: Path) -> Exported:
        """Read it from a file.

        Raises:
            ModelError: the file is missing or damaged, or holds nothing of it.
        """
        text = form_of(file).metadata(file).get(EXPORTED_KEY)
        try:
            return cls.model_validate(json.loads(text or "null"))
        except (ValidationError, ValueError, RecursionError):
            raise ModelError(
                f"{file}: it does not tell how its network is to be used; export it again with this version: "
                "intarsia export MODEL -o FILE.onnx (unless it is one step of several, as those of face and body are)"
            ) from None
