"""Arrays as users hold them: lists, PIL images, and tensors of any device and type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, counted


def as_array(values: Any, what: str) -> NDArray[Any]:
    """The array of what is given; a tensor's without its gradient, bfloat16 as float32.

    Args:
        values: an array, a tensor, a PIL image, a number, or nested lists.
        what: what it should be, in the plural, for messages.

    Raises:
        DataError: rows of unequal lengths, or a masked array that hides elements: what stands below the mask is not
            meant, and what is meant instead only the user knows.
    """
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        hidden = counted(int(np.ma.getmaskarray(values).sum()), "element")
        raise DataError(
            f"{what} are a masked array that hides {hidden}; say what is there instead, by array.filled(VALUE): of "
            "labels the ignored one, 255"
        )
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} are no array: {error}") from error
