"""What a driver sees: the road that is free, vehicles and people on it, and where the lane lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive.camera import Ground
from intarsia.apps.drive.lanes import Curve
from intarsia.errors import DataError
from intarsia.labels import LabelArray, LabelSpace

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

ROLES = {
    "road": frozenset({"road", "lane", "lane marking", "lanemarking", "roadmarking", "drivable"}),
    "vehicle": frozenset({"car", "truck", "bus", "vehicle", "van", "train", "caravan", "trailer", "suv"}),
    "person": frozenset({"pedestrian", "person", "bicyclist", "rider", "cyclist", "motorcycle", "bicycle", "child"}),
}
"""What classes are to a driver, by their names in lower case."""

_COLUMNS = 320  # at which regions are looked at
_WIDEST = 3.0  # camera heights to the border of the own lane
_CORRIDOR = 0.6  # camera heights that the own way is wide to each side
_LEAST_THING = 0.0004  # of the picture
_MOST_THINGS = 20
LEAST_ROAD = 0.01  # of the picture: less is no road


@dataclass(frozen=True)
class Lane:
    """One marking of the road.

    Attributes:
        number: of its track: the same while it is followed.
        curve: where it lies.
        seen: whether it was seen in this very frame; else it is held from those before.
        side: of the own lane, whose border it is; "" for the others.
    """

    number: int
    curve: Curve
    seen: bool = True
    side: Literal["left", "right", ""] = ""

    def scaled(self, factor: float) -> Lane:
        """The same lane in a picture that is larger by a factor."""
        curve = self.curve
        near = (curve.near[0] * factor, curve.near[1] * factor)
        return replace(
            self, curve=replace(curve, turn=curve.turn * factor, bend=curve.bend * factor**2, near=near)
        )  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """A vehicle or a person (or several that touch).

    Attributes:
        kind: "vehicle" or "person".
        box: left, top, width, height in pixels.
        metres: along the road to its foot; None without a camera.
    """

    kind: str
    box: Box
    metres: float | None


@dataclass(frozen=True)
class Scene:
    """What is seen in one picture.

    Attributes:
        size: width and height of the picture.
        ground: where its pixels lie.
        lanes: from left to right.
        lost: numbers of lanes that were followed until now.
        row: where the position across is measured: the lowest row of the road, in pixels.
        road: share of the picture that is road.
        free: (h, w) the piece of the road that the vehicle stands on, at a size of its own.
        free_row: row up to which the own way is free; None where it is not at all.
        things: the largest first.
        hidden: (h, w) where vehicles and people stand before the road, at the size of `free`.
    """

    size: tuple[int, int]
    ground: Ground
    lanes: tuple[Lane, ...]
    lost: tuple[int, ...]
    row: float
    road: float
    free: Mask
    free_row: float | None
    things: tuple[Thing, ...]
    hidden: Mask

    def lane(self, side: str) -> Lane | None:
        """The border of the own lane on one side ("left" or "right"); None where there is none."""
        return next((lane for lane in self.lanes if lane.side == side), None)

    def column(self, lane: Lane, row: NDArray[np.floating] | float) -> NDArray[np.floating]:
        """The columns of a lane in rows below the horizon, in pixels."""
        return self.ground.x + lane.curve.offset(np.asarray(row, np.float64) - self.ground.y)

    @property
    def position(self) -> float | None:
        """Pixels by which the vehicle drives right of the middle of its lane, in `row`; None unless both sides show."""
        left, right = self.lane("left"), self.lane("right")
        if left is None or right is None:
            return None
        return self.ground.ahead - float(self.column(left, self.row) + self.column(right, self.row)) / 2

    @property
    def position_cm(self) -> float | None:
        """Centimetres by which the vehicle's middle is right of that of its lane; None without a camera."""
        pixels = self.position
        metres = None if pixels is None else self.ground.across(pixels, self.row)
        return None if metres is None else 100 * (metres - self.ground.offset)

    @property
    def status(self) -> str:
        """In a word or two: "no road", "no lane", "one side" or "lane"."""
        if self.road < LEAST_ROAD:
            return "no road"
        sides = sum(self.lane(side) is not None for side in ("left", "right"))
        return ("no lane", "one side", "lane")[sides]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form; pixels of the picture, metres and centimetres where a camera is known, else null."""
        return {
            "status": self.status,
            "lanes": [self._lane_json(lane) for lane in self.lanes],
            "lost": list(self.lost),
            "position": {"row": round(self.row, 1), "px": _round(self.position), "cm": _round(self.position_cm)},
            "free": {
                "share": round(float(self.free.mean()), 4), "row": _round(self.free_row),
                "metres": None if self.free_row is None else _round(self.ground.distance(self.free_row)),
            },
            "road": round(self.road, 4),
            "horizon": {"x": round(self.ground.x, 1), "y": round(self.ground.y, 1)},
            "things": [{"kind": one.kind, "box": list(one.box), "metres": _round(one.metres)} for one in self.things],
        }  # fmt: skip

    def _lane_json(self, lane: Lane) -> dict[str, Any]:
        rows = np.linspace(self.ground.y + lane.curve.near[0], self.row, 8)
        columns = self.column(lane, rows)
        return {
            "number": lane.number, "side": lane.side or None, "seen": lane.seen, "paint": lane.curve.rows,
            "points": [[round(float(x), 1), round(float(y), 1)] for x, y in zip(columns, rows, strict=True)],
        }  # fmt: skip


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


@dataclass(frozen=True)
class Regions:
    """Where the classes' roles are, reduced to 320 columns.

    Attributes:
        scale: columns of theirs for each of the picture.
        road: (h, w).
        free: the piece of the road that the vehicle stands on.
        things: vehicles and people, by kind.
    """

    scale: float
    road: Mask
    free: Mask
    things: dict[str, Mask]

    @property
    def share(self) -> float:
        """Of the picture that is road."""
        return float(self.road.mean())

    @property
    def hidden(self) -> Mask:
        """Where vehicles and people stand before the road."""
        return self.things["vehicle"] | self.things["person"]

    @property
    def lowest(self) -> float:
        """The lowest row of the road, in pixels of the picture; the last row where there is none."""
        rows = np.flatnonzero(self.road.any(1))
        return (float(rows[-1]) if len(rows) else len(self.road) - 1) / self.scale


def find_regions(labels: LabelArray, space: LabelSpace) -> Regions:
    """Find what a driver looks for in labels (H, W) of `space`.

    Raises:
        DataError: no class is a road.
    """
    height, width = labels.shape
    scale = _COLUMNS / width
    size = (_COLUMNS, max(1, round(height * scale)))
    small = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), space.dtype)
    masks = {role: table[small] for role, table in _roles(space).items()}
    road = masks.pop("road")
    return Regions(scale, road, _underneath(road), masks)


def _roles(space: LabelSpace) -> dict[str, Mask]:
    """For each role, which labels have it.

    Raises:
        DataError: no class is a road.
    """
    found = {}
    for role, names in ROLES.items():
        table = np.zeros(np.iinfo(space.dtype).max + 1, bool)
        table[[index for index, name in enumerate(space.names) if name.lower().replace("_", " ") in names]] = True
        found[role] = table
    if not found["road"].any():
        raise DataError(
            f"the model knows no road: its classes are {', '.join(space.names[:12])}; use a street model (-m street)"
        )
    return found


def _underneath(road: Mask) -> Mask:
    """The piece of the road that the vehicle stands on: the one with most of the lowest middle of the picture."""
    count, parts = cv2.connectedComponents(road.view(np.uint8), connectivity=4)
    height, width = road.shape
    here = np.bincount(parts[height // 2 :, width // 4 : -width // 4 or None].ravel(), minlength=count)
    here[0] = 0
    return np.equal(parts, int(here.argmax())) if here.any() else np.zeros_like(road)


def way_ahead(regions: Regions, ground: Ground) -> float | None:
    """The row up to which the way straight ahead is free, from the bottom of the free road; None if nothing is."""
    free, ground = regions.free, ground.scaled(regions.scale)
    height, width = free.shape
    rows = np.arange(height - 1, max(0, int(ground.y) + 2), -1)
    if not len(rows):
        return None
    columns = ground.ahead + (ground.x - ground.ahead) * (rows[0] - rows[:, None]) / max(1, rows[0] - rows[-1])
    columns = columns + np.linspace(-_CORRIDOR, _CORRIDOR, 9) * (rows[:, None] - ground.y)
    open_ = free[rows[:, None], np.clip(columns, 0, width - 1).astype(np.intp)].mean(1) > 0.5
    if not open_.any():
        return None
    first = int(open_.argmax())  # below it is the bonnet
    shut = np.flatnonzero(~open_[first:])
    last = rows[first + int(shut[0]) - 1] if len(shut) else rows[-1]
    return float(last) / regions.scale


def find_things(regions: Regions, ground: Ground) -> tuple[Thing, ...]:
    """Vehicles and people as connected regions, the largest first."""
    found: list[tuple[int, Thing]] = []
    for kind, mask in regions.things.items():
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
        for *sides, area in stats[1:].tolist():
            if area >= _LEAST_THING * mask.size:
                left, top, width, height = (round(side / regions.scale) for side in sides)
                found.append((area, Thing(kind, (left, top, width, height), ground.distance(top + height))))
    found.sort(key=lambda one: (-one[0], one[1].box))
    return tuple(thing for _, thing in found[:_MOST_THINGS])


def with_sides(lanes: Sequence[Lane], ground: Ground, down: float) -> tuple[Lane, ...]:
    """Say which lanes are the borders of the own one: the nearest on each side, `down` rows below the horizon."""
    places = [(ground.x + float(lane.curve.offset(down)) - ground.ahead) / down for lane in lanes]
    left = max((place for place in places if -_WIDEST < place <= 0), default=None)
    right = min((place for place in places if 0 < place < _WIDEST), default=None)
    sides: dict[float | None, Literal["left", "right"]] = {left: "left", right: "right"}
    sides.pop(None, None)
    return tuple(replace(lane, side=sides.get(place, "")) for lane, place in zip(lanes, places, strict=True))
