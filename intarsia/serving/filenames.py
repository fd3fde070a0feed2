"""Under which name an answer is kept by whoever downloads it."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import quote

_RISKY = re.compile(r"[^A-Za-z0-9 ._()+-]")


def disposition(name: str, how: Literal["attachment", "inline"] = "attachment") -> str:
    """Make a Content-Disposition: the name twice (RFC 6266), as `curl -OJ` reads no other form than plain ASCII.

    Args:
        name: of the file, without folders.
        how: "inline" shows it where that can be done.
    """
    return f"{how}; filename=\"{_RISKY.sub('_', name)}\"; filename*=UTF-8''{quote(name)}"
