"""The driver: looks at one picture after the other, and remembers what it saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive.camera import Camera, Ground
from intarsia.apps.drive.hud import draw_scene
from intarsia.apps.drive.lanes import fit_lanes, horizon_error
from intarsia.apps.drive.markings import find_markings
from intarsia.apps.drive.scene import (
    LEAST_ROAD,
    Lane,
    Scene,
    Thing,
    find_things,
    free_road,
    mask_of,
    role_table,
    way_ahead,
    with_sides,
)
from intarsia.apps.drive.tracking import LaneTracker
from intarsia.apps.drive.vanishing import expected, find_vanishing_point, steadied
from intarsia.errors import DataError
from intarsia.jobs.timing import Times
from intarsia.labels import LabelArray, LabelSpace
from intarsia.result import Render, Style

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WORKING = 640  # columns at which a picture is looked at
_LEAST_SIDE = 64
_RIM = 4  # pixels around the road, where the paint of its border lies
_LOOK_AGAIN = 3  # frames from one look for the vanishing point to the next
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
        """
        height, width = labels.shape
        if min(height, width) < _LEAST_SIDE:
            raise DataError(f"a picture of {width}x{height} shows no lanes; {_LEAST_SIDE} pixels a side are the least")
        scale = WORKING / width
        size = (WORKING, max(1, round(height * scale)))
        with self.times("regions"):
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            kinds = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), space.dtype)
            masks = {role: mask_of(kinds, table) for role, table in role_table(space).items()}
            road = masks.pop("road")
            share = float(road.mean())
            free = free_road(road)
        if share < LEAST_ROAD:
            ground = self._ground or expected(road)
            lanes, lost = self._tracker.update((), ground)
        else:
            ground, lanes, lost = self._lanes(np.asarray(small, np.uint8), road, masks)
        with self.times("things"):
            things = find_things(masks, ground)
            ahead = way_ahead(free, ground)
        bottom = np.flatnonzero(road.any(1))
        row = float(bottom[-1]) if len(bottom) else size[1] - 1.0
        row = max(row, ground.y + 2)
        lanes = with_sides(lanes, ground, row - ground.y)
        scene = Scene(size, ground, lanes, lost, row, share, free, ahead, things)
        return self._remember(_enlarged(scene, (width, height), 1 / scale))

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
            DataError: there was no road in any of them.
        """
        pictures = sum(self._seen.values())
        if pictures and self._seen["no road"] == pictures:
            raise DataError(
                "it shows no road: drive is for pictures from behind a windscreen, by day; another model (--model) "
                "may know other roads"
            )
        if pictures == 1:
            return self.facts()
        return {"scenes": dict(self._seen), "milliseconds": self.times.to_json()}

    def _lanes(
        self, image: Pixels, road: Mask, things: dict[str, Mask]
    ) -> tuple[Ground, tuple[Lane, ...], tuple[int, ...]]:
        """Where the ground lies, and its lanes."""
        near = _grown(road, _RIM) & ~_grown(np.logical_or.reduce(list(things.values())), _RIM)
        with self.times("horizon"):
            ground = self._horizon(image, road, near)
        with self.times("markings"):
            points = find_markings(image, near, ground)
        with self.times("lanes"):
            curves = fit_lanes(points, WORKING, seed=self.seed, before=self._tracker.shape)
            if self.camera is None and len(points):
                most = _SLIP * len(image)
                error = max(float(np.clip(horizon_error(points, curves), -most, most)), 1 - float(points.down.min()))
                if self._ground is None and error:  # there may be no next picture
                    points, ground = points.raised(error), ground.at(ground.x, ground.y - error)
                    curves = fit_lanes(points, WORKING, seed=self.seed)
                    error = 0.0
                self._ground = steadied(ground, ground.at(ground.x, ground.y - error))
            lanes, lost = self._tracker.update(curves, ground)
        return ground, lanes, lost

    def _horizon(self, image: Pixels, road: Mask, near: Mask) -> Ground:
        """The ground by the camera; else by what is seen, and was seen before."""
        if self.camera is not None:
            return self.camera.ground(image.shape[1], image.shape[0])
        before = self._ground
        if before is not None and sum(self._seen.values()) % _LOOK_AGAIN:
            return before
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        found = find_vanishing_point(np.asarray(gray, np.uint8), near, before or expected(road))
        return found if before is None else steadied(before, found)

    def _remember(self, scene: Scene) -> Scene:
        self._scene = scene
        self._seen[scene.status] += 1
        return scene


def drive_render(camera: Camera | None = None) -> Render:
    """A render "drive" that draws what a driver sees; of a video it follows the lanes from frame to frame."""
    return Render(
        "drive", lambda pixels, labels, style: Driver(camera).draw(pixels, labels, style), whole=True,
        follow=lambda: Driver(camera),
    )  # fmt: skip


def _grown(mask: Mask, by: int) -> Mask:
    side = 2 * by + 1
    return cv2.dilate(mask.view(np.uint8), np.ones((side, side), np.uint8)).view(np.bool_)


def _enlarged(scene: Scene, size: tuple[int, int], factor: float) -> Scene:
    """The scene in the picture's own pixels."""
    lanes = tuple(
        replace(
            lane,
            curve=replace(
                lane.curve, turn=lane.curve.turn * factor, bend=lane.curve.bend * factor**2,
                near=(lane.curve.near[0] * factor, lane.curve.near[1] * factor),
            ),
        )
        for lane in scene.lanes
    )  # fmt: skip
    things = tuple(_enlarged_thing(thing, factor) for thing in scene.things)
    ahead = None if scene.free_row is None else scene.free_row * factor
    return replace(
        scene, size=size, ground=scene.ground.scaled(factor), lanes=lanes, row=scene.row * factor, free_row=ahead,
        things=things,
    )  # fmt: skip


def _enlarged_thing(thing: Thing, factor: float) -> Thing:
    left, top, width, height = (round(side * factor) for side in thing.box)
    return replace(thing, box=(left, top, width, height))
