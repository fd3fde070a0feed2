"""Rendered roads whose lanes are known: curved, in shadow, worn, by night, without paint."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive import Camera
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("Sky", "Road", "Grass", "Car", "Pedestrian"))
SKY, ROAD, GRASS = range(3)
CAMERA = Camera(height=1.3, focal=600, size=(640, 360), pitch=3)
KINDS = ("plain", "shadows", "dappled", "worn", "night", "none")
LANES = (-5.25, -1.75, 1.75, 5.25)  # metres right of the camera
_PAINT, _HALF_ROAD = 0.15, 7.0
_SHADOWS = {"shadows": (3.0, 0.3), "dappled": (0.7, 0.05)}  # metres: size of the patches, and of their soft edges


@dataclass(frozen=True)
class Road:
    """A picture, its labels, and the column of every lane in `rows` (NaN outside of the picture).

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) of SPACE.
        rows: (R,).
        columns: (lanes, R).
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """Where a road runs: radians to the right of the view, 1 / metres of radius, metres of the lanes at the camera."""

    heading: float = 0.0
    bend: float = 0.0
    shift: float = 0.0
    lanes: tuple[float, ...] = field(default=LANES)

    def across(self, ahead: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres to the right of the view, some metres ahead."""
        return self.shift + self.heading * ahead + self.bend * ahead**2 / 2


def draw_road(kind: str = "plain", course: Course = Course(), *, dashed: bool = True, seed: int = 0) -> Road:
    """Draw a road as a camera sees it: noise, texture, dashes of 3 m every 9 m inside and lines at the sides."""
    width, height = CAMERA.size
    ground, random = CAMERA.ground(width, height), np.random.default_rng(seed)
    rows = np.arange(int(ground.y) + 5, height)
    ahead = np.array([ground.distance(row) for row in rows])
    metre = np.array([ground.across(1.0, row) for row in rows])  # of a pixel
    side = (np.arange(width) - ground.x) * metre[:, None] - course.across(ahead)[:, None]  # from the road's middle
    along = np.broadcast_to(ahead[:, None], side.shape)
    light = np.where(np.abs(side) < _HALF_ROAD, 95.0, 70.0)
    light += 6 * cv2.GaussianBlur(random.standard_normal(side.shape), (0, 0), 1.2) * 2
    for number, lane in enumerate(course.lanes if kind != "none" else ()):
        cover = np.clip((_PAINT / 2 - np.abs(side - lane)) / metre[:, None] + 0.5, 0, 1)
        cover *= np.clip(_PAINT / metre[:, None], 0, 1)
        if dashed and 0 < number < len(course.lanes) - 1:
            cover *= (along + 9 * random.random()) % 9 < 3
        if kind == "worn":
            cover *= 0.3 * (cv2.GaussianBlur(random.random(side.shape), (0, 0), 3) > 0.49)
        light += cover * 115
    if kind in _SHADOWS:
        light *= _shade(side, along, *_SHADOWS[kind], np.random.default_rng(seed + 1))
    if kind == "night":
        light *= 0.6 * np.exp(-along / 22) + 0.04
    image = np.full((height, width, 3), (150, 180, 220) if kind != "night" else (6, 6, 12), np.float64)
    image[rows] = light[..., None]
    image += random.normal(0, 3, image.shape)
    labels = np.full((height, width), SKY, np.uint8)
    labels[rows] = np.where(np.abs(side) < _HALF_ROAD, ROAD, GRASS)
    columns = np.stack([ground.x + (course.across(ahead) + lane) / metre for lane in course.lanes])
    columns[(columns < 0) | (columns >= width)] = np.nan
    return Road(np.clip(image, 0, 255).astype(np.uint8), labels, rows.astype(np.float64), columns)


def _shade(
    side: NDArray[np.float64], along: NDArray[np.float64], patch: float, soft: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Light that comes through trees: 1 in the sun, 0.4 in their shade."""
    trees = cv2.GaussianBlur(random.random((400, 400)), (0, 0), 2)  # a patch is some cells
    cells = (np.asarray(one * 4 / patch % 400, np.float32) for one in (side + 100, along))
    field = cv2.remap(trees, *cells, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    slope = (trees.max() - trees.min()) / patch  # of the field, a metre
    return 0.4 + 0.6 * np.clip((field - np.median(trees)) / (slope * soft) + 0.5, 0, 1)


def lateral_errors(road: Road, columns: NDArray[np.float64], *, nearest: float = 0.25) -> tuple[float, int, int]:
    """Compare found lanes (P, R) with a road's, in the rows between 7 and 40 metres ahead.

    Returns:
        Median distance in pixels of the lanes that were found, how many were not, and how many found ones are none:
        farther than `nearest` of the distance between two lanes from all.
    """
    ground = CAMERA.ground(*CAMERA.size)
    ahead = np.array([ground.distance(row) for row in road.rows])
    seen = (ahead > 7) & (ahead < 40)
    truth = [lane for lane in road.columns if np.isfinite(lane[seen]).sum() > 10]
    if not len(columns):
        return np.nan, len(truth), 0
    apart = 3.5 / np.array([ground.across(1.0, row) for row in road.rows])  # pixels between two lanes
    missed = np.array(
        [[np.nanmean(np.abs(found - lane)[seen] / apart[seen]) for found in columns] for lane in truth]
    )  # fmt: skip
    hits = missed.argmin(1)
    right = missed.min(1) < nearest
    errors = [
        np.nanmedian(np.abs(columns[hit] - lane)[seen]) for lane, hit, ok in zip(truth, hits, right, strict=True) if ok
    ]
    extra = int((missed.min(0) >= nearest).sum()) if truth else len(columns)
    return float(np.median(errors)) if errors else np.nan, int((~right).sum()), extra
