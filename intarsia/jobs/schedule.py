"""How work is spread over the frames of a video, as people say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def read_schedule(method: str | None, assignments: Sequence[str]) -> dict[str, Any]:
    """Read a method, and KEY=VALUE of its options (`--video` and `--video-set`).

    Raises:
        UsageError: no such option, or a value of the wrong kind.
    """
    chosen = {} if method is None else {"method": method}
    if not assignments:
        return chosen
    from intarsia.models.video import check_schedule
    from intarsia.recipe import read_assignments

    values = read_assignments(assignments)
    check_schedule(values)
    return values | chosen
