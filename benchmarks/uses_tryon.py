"""Try-on: whether only the garment changes, whether its folds stay, and what a photo takes.

    python benchmarks/uses_tryon.py [--data path/to/ccp]

Masks are the data's own, merged as in the recipe `clothes`, so that this measures what is done to a garment and not how
well it is found; `intarsia evaluate clothes path/to/ccp` measures that. The largest garment of each photo gets four
colours and a texture. Beside it: hue and saturation replaced in HSV, which is what is done most often.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import DATA, Row, arguments, least, report
from numpy.typing import NDArray

from intarsia.apps.tryon import GARMENTS, Wish, wear
from intarsia.apps.tryon.shading import likeness
from intarsia.datasets import open_dataset
from intarsia.media.oklab import colour, to_oklab
from intarsia.recipe import ReadOptions, Recipe
from intarsia.result import Segmentation
from intarsia.zoo import bundled_recipe

COLOURS = ("#1040c0", "#aa0000", "white", "black")
TIMED = 5  # photos
PEER = "hue and saturation in HSV"


class Known:
    """Stands for a model that finds everything."""

    def __init__(self, labels: Any, space: Any) -> None:
        self.labels, self.space = labels, space

    def segment(self, source: Any) -> Segmentation:
        return Segmentation(self.labels, self.space)


def in_hsv(photo: NDArray[np.uint8], mask: NDArray[np.bool_], wanted: tuple[int, int, int]) -> NDArray[np.uint8]:
    hue, saturation, _ = cv2.cvtColor(np.array([[wanted]], np.uint8), cv2.COLOR_RGB2HSV)[0, 0]
    hsv = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)
    hsv[mask, 0], hsv[mask, 1] = hue, saturation
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def checks() -> NDArray[np.uint8]:
    odd = (np.add.outer(np.arange(128) // 16, np.arange(128) // 16) % 2)[..., None]
    return np.where(odd, (180, 30, 40), (240, 240, 240)).astype(np.uint8)


def off(pixels: NDArray[np.uint8], wanted: tuple[int, int, int]) -> float:
    """Distance in OKLab of a garment's middle colour from the wanted one."""
    middle = np.median(to_oklab(pixels), axis=0)
    return float(np.linalg.norm(middle - to_oklab(np.array(wanted, np.uint8))))


def share(values: list[float]) -> float:
    return float(np.mean(np.array(values) >= 0.95))


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument(
        "--data", type=Path, default=DATA / "clothes_ccp",
        help="Clothing Co-Parsing: images/, masks/, labels.txt; default: in $INTARSIA_DATA",
    )  # fmt: skip
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no data at {options.data} (--data, or set INTARSIA_DATA)")
    recipe = Recipe.load(bundled_recipe("clothes"))
    data = open_dataset(options.data, ReadOptions(remap=recipe.data.remap))
    split = next(iter(data.splits.values()))
    found: dict[str, list[float]] = {
        name: [] for name in ("background", "identity", "shading", "off", "hsv", "hsv off")
    }
    printed, took = [], []
    for index in range(len(split) - (5 if options.quick else 80), len(split)):
        photo, labels = split.read(index)
        known = Known(labels, split.space)
        garment = max(GARMENTS, key=lambda name: int((labels == split.space.index(name)).sum()))
        for wanted in COLOURS:
            made = wear(photo, labels, Wish(garment, colour=wanted), known)
            sure = made.alpha == 1
            if sure.sum() < 100:
                continue
            lab = to_oklab(np.array(colour(wanted), np.uint8))
            for name in ("background", "identity", "shading"):
                found[name].append(made.axes[name])
            peer = in_hsv(photo, made.alpha > 0, colour(wanted))
            found["hsv"].append(likeness(photo[sure], peer[sure], lab))
            found["off"].append(off(made.image[sure], colour(wanted)))
            found["hsv off"].append(off(peer[sure], colour(wanted)))
        texture = Wish(garment, texture=checks())
        printed.append(wear(photo, labels, texture, known).axes["shading"])
        if len(took) < TIMED:
            job = partial(wear, photo, labels, texture, known)
            took.append(least(job, 5))
    low = {name: (min(values), float(np.median(values))) for name, values in found.items()}
    case = f"{len(printed)} photos, {len(COLOURS)} colours"
    rows = [
        Row(case, "background unchanged, worst", "", low["background"][0], None, "", None),
        Row(case, "skin and hair unchanged, worst", "", low["identity"][0], None, "", None),
        Row(case, "correlation of folds, worst", "", low["shading"][0], low["hsv"][0], PEER, None),
        Row(
            case,
            "correlation of folds, share from .95 on",
            "",
            *(share(found[name]) for name in ("shading", "hsv")),
            PEER,
            None,
        ),
        Row(case, "correlation of folds, median", "", low["shading"][1], low["hsv"][1], PEER, None),
        Row(case, "OKLab distance from the colour, median", "", low["off"][1], low["hsv off"][1], PEER, None),
        Row(f"{len(printed)} photos, a texture", "correlation of folds, worst", "", min(printed), None, "", None),
        Row("one photo of 576 pixels, a texture", "time, median", "ms", float(np.median(took)), None, "", None),
    ]
    report("Try-on", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
