"""Recorded frames at the pace at which they were taken, as a camera would give them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from intarsia.media.frames import Frame, FrameSource


def paced(source: FrameSource) -> Iterator[Frame]:
    """Yield a source's frames, none before its time after the first; a reader that is late is not made to wait."""
    begin: float | None = None
    for frame in source:
        due = float(frame.pts * source.time_base)
        begin = time.monotonic() - due if begin is None else begin
        time.sleep(max(0.0, begin + due - time.monotonic()))
        yield frame
