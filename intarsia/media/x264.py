"""What libx264 needs to be told so that the same frames become the same bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np


@cache
def repeatable() -> dict[str, str]:
    """Options of libx264 under which its output depends on the frames alone; {} where it does so anyway.

    Its lookahead in AVX-512 reads memory that nobody has written, beyond the macroblocks of a row; what lies there
    decides some quantisers. The same in AVX2 does not.
    """
    config: Any = np.show_config(mode="dicts")
    known = config.get("SIMD Extensions", {})
    names = [*known.get("baseline", ()), *known.get("found", ())]
    return {"x264-params": "asm=AVX2"} if any(name.startswith(("AVX512", "X86_V4")) for name in names) else {}
