"""Lanes from frame to frame: each keeps its number, is smoothed, held for a moment where no paint shows, then lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from intarsia.apps.drive.camera import Ground
from intarsia.apps.drive.lanes import APART, Curve
from intarsia.apps.drive.scene import Lane

_GAIN = 0.5  # of a new frame
_NEAR = 0.45  # camera heights between a lane and itself one frame later, at most
_HITS = 2  # frames until a new lane is believed
_MISSES = 6  # frames until one that is not seen is lost


@dataclass
class _Track:
    number: int
    curve: Curve
    hits: int
    misses: int = 0


class LaneTracker:
    """Follows the lanes of one source.

    The lanes of its first picture are believed at once, later ones when they are seen again.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._ground: Ground | None = None
        self._numbers = 0

    @property
    def shape(self) -> tuple[float, float] | None:
        """Turn and bend that the lanes share, for the search in the next frame."""
        best = max(self._tracks, key=lambda track: track.curve.rows, default=None)
        return None if best is None else (best.curve.turn, best.curve.bend)

    def update(self, found: Sequence[Curve], ground: Ground) -> tuple[tuple[Lane, ...], tuple[int, ...]]:
        """Take what was found in the next frame.

        Returns:
            The lanes that are believed, from left to right, and the numbers of those that were lost.
        """
        first = self._ground is None
        self._move(ground)
        free = list(found)
        for track in sorted(self._tracks, key=lambda track: -track.hits):
            near = min(free, key=lambda curve: abs(curve.across - track.curve.across), default=None)
            if near is not None and abs(near.across - track.curve.across) < _NEAR:
                free.remove(near)
                track.curve, track.misses, track.hits = _blended(track.curve, near), 0, track.hits + 1
            else:
                track.misses += 1
        lost = [track for track in self._tracks if track.misses > (_MISSES if track.hits >= _HITS else 0)]
        self._tracks = [track for track in self._tracks if track not in lost]
        for curve in free:
            if all(abs(curve.across - track.curve.across) > 0.8 * APART for track in self._tracks):
                self._numbers += 1
                self._tracks.append(_Track(self._numbers, curve, _HITS if first else 1))
        believed = sorted((t for t in self._tracks if t.hits >= _HITS), key=lambda track: track.curve.across)
        return (
            tuple(Lane(track.number, track.curve, track.misses == 0) for track in believed),
            tuple(track.number for track in lost if track.hits >= _HITS),
        )

    def _move(self, ground: Ground) -> None:
        """Say the curves, which stay where they are in the picture, in the terms of a new vanishing point."""
        if self._ground is not None:
            x, y = ground.x - self._ground.x, ground.y - self._ground.y
            for track in self._tracks:
                track.curve = replace(track.curve, turn=track.curve.turn - x + track.curve.across * y)
        self._ground = ground


def _blended(old: Curve, new: Curve) -> Curve:
    mixed = {name: (1 - _GAIN) * getattr(old, name) + _GAIN * getattr(new, name) for name in ("across", "turn", "bend")}
    return Curve(**mixed, near=new.near, rows=new.rows)
