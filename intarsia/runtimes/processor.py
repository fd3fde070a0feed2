"""What this processor computes with; it decides how sums are rounded."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np


@cache
def feature() -> str:
    """Name the widest instructions here, for instance "X86_V3" (AVX2), "AVX512_ICL" or "ASIMDDP", as NumPy does."""
    config: Any = np.show_config(mode="dicts")
    known = config.get("SIMD Extensions", {})
    names = [*known.get("baseline", ()), *known.get("found", ())]
    return str(names[-1]) if names else "plain"
