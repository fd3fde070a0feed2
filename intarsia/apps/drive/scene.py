"""What a driver sees: the road that is free, vehicles and people on it, and where the lane lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
        free: (h, w) the road that can be driven on from here, at the working size.
        free_row: row up to which the own way is free; None where it is not at all.
        things: the largest first.
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


def role_table(space: LabelSpace) -> dict[str, NDArray[np.uint8]]:
    """For each role, 1 for each label that has it, 0 for the others.

    Raises:
        DataError: no class is a road.
    """
    size = np.iinfo(space.dtype).max + 1
    found = {}
    for role, names in ROLES.items():
        table = np.zeros(size, np.uint8)
        table[[index for index, name in enumerate(space.names) if name.lower().replace("_", " ") in names]] = 1
        found[role] = table
    if not found["road"].any():
        raise DataError(
            f"the model knows no road: its classes are {', '.join(space.names[:12])}; use a street model (-m street)"
        )
    return found


def mask_of(labels: LabelArray, table: NDArray[np.uint8]) -> Mask:
    """Where labels (H, W) have a role."""
    looked: NDArray[np.uint8] = cv2.LUT(labels, table) if labels.dtype == np.uint8 else table[labels]  # type: ignore[assignment]
    return looked.view(np.bool_)


def free_road(road: Mask) -> Mask:
    """The piece of the road that the vehicle stands on: the one with most of the lowest middle of the picture."""
    count, parts = cv2.connectedComponents(road.view(np.uint8), connectivity=4)
    height, width = road.shape
    here = np.bincount(parts[height // 2 :, width // 4 : -width // 4 or None].ravel(), minlength=count)
    here[0] = 0
    return np.equal(parts, int(here.argmax())) if here.any() else np.zeros_like(road)


def way_ahead(free: Mask, ground: Ground) -> float | None:
    """The row up to which the way straight ahead is free, from the bottom of the free road; None if nothing is."""
    height, width = free.shape
    rows = np.arange(height - 1, max(0, int(ground.y) + 2), -1)
    if not len(rows):
        return None
    columns = ground.ahead + (ground.x - ground.ahead) * (rows[-1] - rows[:, None]) / max(1, rows[-1] - rows[0])
    columns = columns + np.linspace(-_CORRIDOR, _CORRIDOR, 9) * (rows[:, None] - ground.y)
    open_ = free[rows[:, None], np.clip(columns, 0, width - 1).astype(np.intp)].mean(1) > 0.5
    if not open_.any():
        return None
    first = int(open_.argmax())  # below it is the bonnet
    shut = np.flatnonzero(~open_[first:])
    return float(rows[first + int(shut[0]) - 1] if len(shut) else rows[-1])


def find_things(masks: dict[str, Mask], ground: Ground) -> tuple[Thing, ...]:
    """Vehicles and people as connected regions, the largest first."""
    found: list[tuple[int, Thing]] = []
    for kind, mask in masks.items():
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
        for left, top, width, height, area in stats[1:].tolist():
            if area >= _LEAST_THING * mask.size:
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
    return tuple(
        Lane(lane.number, lane.curve, lane.seen, sides.get(place, ""))
        for lane, place in zip(lanes, places, strict=True)
    )
