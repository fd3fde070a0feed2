"""Lanes on roads that are drawn, by the TuSimple rule on a few real frames, and the time of every stage.

    python benchmarks/uses_drive.py

$INTARSIA_DATA holds ``lanes/tusimple`` (images, instance: a value a lane) and ``camvid/val``; without it only drawn
roads are measured. Six frames are a smoke test: their mean has the interval that is told, and proves nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from common import DATA, Row, arguments, report
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from roads import CAMERA, KINDS, SPACE, Course, draw_road, lateral_errors

import intarsia
from intarsia.apps.drive import Driver, Scene
from intarsia.apps.drive.hud import draw_scene
from intarsia.inference import VideoPredictor
from intarsia.media.images import open_image, read_mask
from intarsia.metrics.lanes import lane_scores

ROWS = np.arange(160, 720, 10)  # of TuSimple's pictures of 1280x720
SIZE = (640, 360)  # at which stages are timed


def drawn_roads(count: int) -> Iterator[Row]:
    """Lateral error of every kind of road, and how many lanes are not found, or are none."""
    for camera in (CAMERA, None):
        for kind in KINDS:
            errors, missed, extra, places = [], 0, 0, []
            for seed in range(count):
                random = np.random.default_rng(seed + 1000)  # others than those that the steps were made on
                bend = random.choice([-1, 0, 1]) * random.uniform(0, 1 / 150)
                course = Course(random.uniform(-0.03, 0.03), bend, random.uniform(-1, 1))
                road = draw_road(kind, course, seed=seed + 1000)
                scene = Driver(camera).look(road.image, road.labels, SPACE)
                found = np.array([scene.column(lane, road.rows) for lane in scene.lanes]).reshape(-1, len(road.rows))
                error, lost, none = lateral_errors(road, found)
                errors.append(error)
                missed, extra = missed + lost, extra + (none if kind != "none" else len(found))
                if scene.position_cm is not None:
                    middle = float(course.across(np.array(scene.ground.distance(scene.row))))
                    places.append(abs(scene.position_cm + 100 * middle))
            case = f"{kind}, {'camera known' if camera else 'no camera'}"
            if kind != "none":
                yield Row(case, "lateral error", "px", float(np.nanmedian(errors)), None, "", None)
                yield Row(case, f"lanes missed of {4 * count}", "", float(missed), None, "", None)
            yield Row(case, "lanes that are none", "", float(extra), None, "", None)
            if places:
                yield Row(case, "error of the position", "cm", float(np.median(places)), None, "", None)


def tusimple(folder: Path) -> Iterator[Row]:
    """Accuracy by the official rule, with a bootstrap interval over the pictures."""
    video = VideoPredictor(intarsia.load("street"))
    scores = []
    for file in sorted((folder / "images").glob("*.jpg")):
        image = open_image(file).read()
        numbers = read_mask(folder / "instance" / f"{file.stem}.png")
        result, _ = video.step(image)
        scene = Driver().look(image, result.segmentation.labels, video.space)
        scores.append(lane_scores(_columns(scene), _truth(numbers), ROWS))
    for name in ("accuracy", "false_positives", "false_negatives"):
        values = np.array([getattr(one, name) for one in scores])
        means = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(1)
        low, high = np.quantile(means, (0.025, 0.975))
        yield Row(
            f"TuSimple rule, n = {len(values)}", f"{name} (95 % {low:.2f} to {high:.2f})", "", float(values.mean()),
            None, "", None,
        )  # fmt: skip


def _columns(scene: Scene) -> NDArray[np.float64]:
    """The lanes as the rule wants them: columns in a picture of 1280x720."""
    scale = scene.size[0] / 1280
    rows = ROWS * scale
    found = []
    for lane in scene.lanes:
        columns = scene.column(lane, np.maximum(rows, scene.ground.y + 1))
        shown = (rows > scene.ground.y + 0.02 * scene.size[1]) & (columns >= 0) & (columns < scene.size[0])
        found.append(np.where(shown, columns / scale, -2))
    return np.array(found).reshape(-1, len(ROWS))


def _truth(numbers: NDArray[np.integer]) -> NDArray[np.float64]:
    scale = numbers.shape[1] / 1280
    lanes = []
    for value in np.unique(numbers[numbers > 0]):
        places = [np.flatnonzero(numbers[min(len(numbers) - 1, int(row * scale))] == value) for row in ROWS]
        lanes.append([float(one.mean()) / scale if len(one) else -2.0 for one in places])
    return np.array(lanes)


def stages(folder: Path, count: int) -> Iterator[Row]:
    """Milliseconds of every stage on a drive: the smallest and the median, because other work makes them longer."""
    files = sorted(folder.glob("*.jpg"))[:count]
    video, driver = VideoPredictor(intarsia.load("street")), Driver()
    took: dict[str, list[float]] = {}
    for file in files:
        image = np.asarray(cv2.resize(open_image(file).read(), SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        result, _ = video.step(image)
        took.setdefault("network (street)", []).append(result.seconds)
        start = time.perf_counter()
        scene = driver.look(image, result.segmentation.labels, video.space)
        seen = time.perf_counter()
        draw_scene(image, scene)
        took.setdefault("road, lanes and things", []).append(seen - start)
        took.setdefault("drawing", []).append(time.perf_counter() - seen)
    for name, seconds in took.items():
        for word, value in (("least", min(seconds)), ("median", float(np.median(seconds)))):
            yield Row(f"{SIZE[0]}x{SIZE[1]}, {name}", word, "ms", 1000 * value, None, "", None)


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    data = DATA
    rows = list(drawn_roads(4 if options.quick else 25))
    if data.is_dir():
        rows += tusimple(data / "lanes" / "tusimple")
        rows += stages(data / "camvid" / "val", 8 if options.quick else 60)
    report("Driving", rows, options.json, threads=cv2.getNumThreads())


if __name__ == "__main__":
    main()
