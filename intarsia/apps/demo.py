"""The whole walk on real photographs, offline: annotate, train, measure, report, predict.

The photograph (Greek coins from Pompeii, Brooklyn Museum collection, as bundled with scikit-image) is cut in two: the
upper half is trained on, the lower half measured on. Its annotation, `coins.json`, was drawn for this package and is in
LabelMe's format.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import intarsia
from intarsia.datasets import open_dataset
from intarsia.errors import UsageError, require
from intarsia.files import write_json
from intarsia.media.images import write_image
from intarsia.recipe import Recipe
from intarsia.reports import write_report
from intarsia.zoo import bundled_recipe

if TYPE_CHECKING:
    from intarsia.training import Run

_ANNOTATION = Path(__file__).parent / "coins.json"
_MIDDLE = 151  # no coin lies across this row
_TILE, _STEP = 128, 16


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    run: Run
    report: Path
    street_overlay: Path
    street_areas: dict[str, float]
    seconds: float


def demo(folder: Path, *, overwrite: bool = False, console: Console | None = None) -> Demo:
    """Run the demo.

    Args:
        folder: gets `data/`, `run/` (with `report.html`) and the overlay of a second photo.
        overwrite: replace what an earlier demo left there.
        console: told about each step; none: silent.

    Raises:
        UsageError: scikit-image is missing, or the folder holds an earlier demo.
    """
    from intarsia.training import train

    def say(text: str) -> None:
        if console is not None:
            console.print(text, highlight=False, markup=False, soft_wrap=True)

    started = time.monotonic()
    photos = require("skimage.data", "demo")
    if (folder / "run").exists():
        if not overwrite:
            raise UsageError(f"{folder} holds an earlier demo; give another folder (-o), or --overwrite")
        for name in ("data", "run"):
            shutil.rmtree(folder / name, ignore_errors=True)
    say("1. Data: a photograph of coins with a LabelMe annotation; upper half to train on, lower half to measure on.")
    write_coins(folder / "data", np.asarray(photos.coins(), dtype=np.uint8))
    recipe = Recipe.load(bundled_recipe("demo-coins")).override({"data.path": str(folder / "data")})
    dataset = open_dataset(folder / "data")
    say(f"2. Training: {recipe.model.architecture}, {recipe.training.epochs} epochs.")
    run = train(recipe, dataset, folder / "run", console=console)
    say(f"3. Measured on the other half: coin IoU {run.scores['iou/coin']:.3f}, mIoU {run.scores['miou']:.3f}.")
    report = write_report(run.folder, recipe, dataset, intarsia.load(run.best))
    say(f"4. Report: {report}")
    overlay = folder / "street.overlay.jpg"
    result = intarsia.segment(np.asarray(photos.rocket(), dtype=np.uint8), "street")
    write_image(overlay, result.overlay())
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in list(result.areas().items())[:3])
    say(f"5. A second photo with the bundled street model: {shares}; see {overlay}")
    return Demo(run, report, overlay, result.areas(), time.monotonic() - started)


def write_coins(folder: Path, photo: NDArray[np.uint8]) -> None:
    """Write the photograph's halves with their annotations: overlapping cut-outs in train/, one picture in val/.

    Args:
        folder: data set folder to make.
        photo: (303, 384) gray.
    """
    annotation = json.loads(_ANNOTATION.read_text(encoding="utf-8"))
    height, width = photo.shape
    for left in range(0, width - _TILE + 1, _STEP):
        _cut(folder / "train" / f"upper-{left:03d}", photo, annotation, (left, 0, left + _TILE, _MIDDLE))
    _cut(folder / "val" / "lower", photo, annotation, (0, _MIDDLE, width, height))


def _cut(stem: Path, photo: NDArray[np.uint8], annotation: dict[str, Any], box: tuple[int, int, int, int]) -> None:
    """Write one cut-out of photo and annotation; `box` is left, top, right, bottom."""
    left, top, right, bottom = box
    shapes = []
    for shape in annotation["shapes"]:
        x, y = np.array(shape["points"]).T
        if x.max() > left and x.min() < right and y.max() > top and y.min() < bottom:
            moved = [[round(px - left, 1), round(py - top, 1)] for px, py in shape["points"]]
            shapes.append({**shape, "points": moved})
    picture = photo[top:bottom, left:right]
    write_image(stem.with_suffix(".png"), np.repeat(picture[..., None], 3, axis=2))
    size = {"imageHeight": bottom - top, "imageWidth": right - left}
    write_json(stem.with_suffix(".json"), {**annotation, **size, "shapes": shapes, "imagePath": f"{stem.name}.png"})
