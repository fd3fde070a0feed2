"""The options of `intarsia segment` that spread work over the frames of a video."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from intarsia.errors import UsageError, suggest


def read_schedule(method: str | None, assignments: Sequence[str]) -> dict[str, Any]:
    """Read --video and --video-set.

    Raises:
        UsageError: no such option, or a value of the wrong kind.
    """
    if not assignments:
        return {} if method is None else {"method": method}
    from intarsia.models.video import scheduled
    from intarsia.recipe import read_assignments

    values = read_assignments(assignments)
    known = [name for name in inspect.signature(scheduled).parameters if name not in ("model", "method")]
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"a schedule has no option {name!r}.{suggest(name, known)}")
        if name != "preset" and not isinstance(value, int | float):
            raise UsageError(f"{name} is a number, not {value!r}")
    return values | ({} if method is None else {"method": method})
