"""The driver: looks at one picture after the other, and remembers what it saw."""

from __future__ import annotations

from collections import Counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive.camera import Camera, Ground
from intarsia.apps.drive.hud import draw_scene
from intarsia.apps.drive.lanes import Curve, fit_lanes, horizon_error
from intarsia.apps.drive.markings import Points, find_markings
from intarsia.apps.drive.scene import (
    LEAST_ROAD,
    Lane,
    Regions,
    Scene,
    find_regions,
    find_things,
    way_ahead,
    with_sides,
)
from intarsia.apps.drive.tracking import LaneTracker
from intarsia.apps.drive.vanishing import expected, find_vanishing_point, steadied
from intarsia.errors import DataError, NothingFound, UsageError
from intarsia.jobs.timing import Times
from intarsia.labels import LabelArray, LabelSpace
from intarsia.result import Render, Style

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WORKING = 640  # columns at which a picture is looked at
_LEAST_SIDE = 64
_RIM = 2  # pixels of the regions around the road, where the paint of its border lies
_LOOK_AGAIN = 3  # frames from one look for the vanishing point to the next
_LOWEST = 0.9  # of the height: a horizon below it leaves no road
_SLIP = 0.04  # of the height: most by which lanes move the horizon at once


class Driver:
    """Sees road, lanes, vehicles and people in the labels of a street model; of a video, frame after frame.

    Args:
        camera: makes metres of pixels, and knows the horizon. Without it, the horizon is looked for.
        seed: of the random choices: equal pictures are seen equally.
    """

    def __init__(self, camera: Camera | None = None, *, seed: int = 0) -> None:
        self.camera, self.seed = camera, seed
        self.times = Times()
        self._tracker = LaneTracker()
        self._ground: Ground | None = None
        self._scene: Scene | None = None
        self._seen: Counter[str] = Counter()

    def look(self, image: Pixels, labels: LabelArray, space: LabelSpace) -> Scene:
        """See what one picture shows.

        Args:
            image: (H, W, 3) uint8 RGB.
            labels: (H, W) of `space`.
            space: the classes; one of them is a road.

        Returns:
            The scene; without a road it has no lanes, and says so.

        Raises:
            DataError: the picture is too small, or no class is a road.
            UsageError: the camera has its horizon below the picture.
        """
        height, width = labels.shape
        if min(height, width) < _LEAST_SIDE:
            raise DataError(f"a picture of {width}x{height} shows no lanes; {_LEAST_SIDE} pixels a side are the least")
        with self.times("regions"):
            regions = find_regions(labels, space)
        ground, lanes, lost = self._lanes(image, regions)
        with self.times("things"):
            row = max(regions.lowest, ground.y + 2)
            lanes = with_sides(lanes, ground, row - ground.y)
            ahead, things = way_ahead(regions, ground), find_things(regions, ground)
        self._scene = Scene(
            (width, height), ground, lanes, lost, row, regions.share, regions.free, ahead, things, regions.hidden
        )  # fmt: skip
        self._seen[self._scene.status] += 1
        return self._scene

    def draw(self, pixels: Pixels, labels: LabelArray, style: Style) -> Pixels:
        """See, and draw what is seen over the picture (H, W, 3)."""
        scene = self.look(pixels, labels, style.space)
        with self.times("drawing"):
            return draw_scene(pixels, scene)

    def facts(self) -> dict[str, Any]:
        """What the last picture showed, as plain JSON."""
        return {} if self._scene is None else self._scene.to_json()

    def summary(self) -> dict[str, Any]:
        """What all pictures showed.

        Raises:
            NothingFound: there was no road in any of them.
        """
        pictures = sum(self._seen.values())
        if pictures and self._seen["no road"] == pictures:
            raise NothingFound(
                "it shows no road: drive is for pictures from behind a windscreen, by day; another model (--model) "
                "may know other roads"
            )
        told = {"scenes": dict(self._seen), "milliseconds": self.times.to_json()}
        return self.facts() | told if pictures == 1 else told

    def _lanes(self, image: Pixels, regions: Regions) -> tuple[Ground, tuple[Lane, ...], tuple[int, ...]]:
        """Where the ground lies and the lanes on it, in pixels of the picture; and the numbers of lost lanes."""
        scale = WORKING / image.shape[1]
        if regions.share < LEAST_ROAD:
            ground = self._ground or expected(regions.road).scaled(scale / regions.scale)
            lanes, lost = self._tracker.update((), ground)
            return ground.scaled(1 / scale), tuple(lane.scaled(1 / scale) for lane in lanes), lost
        with self.times("horizon"):
            small, near = _reduced(image, regions)
            ground = self._horizon(small, near, regions)
        with self.times("markings"):
            points = find_markings(small, near, ground)
        with self.times("lanes"):
            curves = fit_lanes(points, WORKING, seed=self.seed, before=self._tracker.shape)
            if self.camera is None:
                ground, curves = self._levelled(ground, points, curves, len(small))
            lanes, lost = self._tracker.update(curves, ground)
        return ground.scaled(1 / scale), tuple(lane.scaled(1 / scale) for lane in lanes), lost

    def _horizon(self, image: Pixels, near: Mask, regions: Regions) -> Ground:
        """The ground by the camera; else by what is seen, and was seen before."""
        if self.camera is not None:
            ground = self.camera.ground(image.shape[1], image.shape[0])
            if ground.y > _LOWEST * len(image):
                raise UsageError(
                    f"the camera file puts the horizon at {100 * ground.y / len(image):.0f} % of the picture's height, "
                    "so no road is below it; pitch is in degrees downwards, focal in pixels of pictures of size"
                )
            return ground
        before = self._ground
        if before is not None and sum(self._seen.values()) % _LOOK_AGAIN:
            return before
        guess = before or expected(regions.road).scaled(WORKING / regions.road.shape[1])
        found = find_vanishing_point(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), near, guess)
        return found if before is None else steadied(before, found)

    def _levelled(self, ground: Ground, points: Points, curves: list[Curve], height: int) -> tuple[Ground, list[Curve]]:
        """Correct the horizon by the lanes that were found: of a first picture at once, later little by little."""
        error = float(np.clip(horizon_error(points, curves), -_SLIP * height, _SLIP * height))
        if self._ground is None and error:  # there may be no next picture
            error = max(error, 1 - float(points.down.min()))
            points, ground = points.raised(error), ground.at(ground.x, ground.y - error)
            curves, error = fit_lanes(points, WORKING, seed=self.seed), 0.0
        self._ground = steadied(ground, ground.at(ground.x, ground.y - error))
        return ground, curves


def drive_render(camera: Camera | None = None) -> Render:
    """A render "drive" that draws what a driver sees; of a video it follows the lanes from frame to frame."""
    return Render(
        "drive", lambda pixels, labels, style: Driver(camera).draw(pixels, labels, style), whole=True,
        follow=lambda: Driver(camera),
    )  # fmt: skip


def _reduced(image: Pixels, regions: Regions) -> tuple[Pixels, Mask]:
    """The picture as wide as it is looked at, and where paint may be: on the road and its rim, not on things."""
    height, width = image.shape[:2]
    size = (WORKING, max(1, round(height * WORKING / width)))
    way = cv2.INTER_AREA if width > WORKING else cv2.INTER_LINEAR
    rim = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    things = np.logical_or.reduce(list(regions.things.values()))
    road, above = (np.asarray(cv2.dilate(mask.view(np.uint8), rim), np.uint8) for mask in (regions.road, things))
    near = cv2.resize(road & ~above, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8), np.asarray(near, np.uint8).view(np.bool_)
