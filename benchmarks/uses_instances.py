"""Panoptic quality of things that touch: connected components beside cuts at necks, on pedestrians and cells.

    python benchmarks/uses_instances.py

$INTARSIA_DATA holds ``pedestrians`` (Penn-Fudan: images, masks of numbered people) and ``isbi_em`` (image, label: 255 a
cell).
Pedestrians are told apart in their true regions, and in those of the bundled model person; cells in the regions of a
random forest that is trained here on eight slices. Every second picture was used to choose the share of a neck; what
is told is of the others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import DATA, Row, arguments, report
from numpy.typing import NDArray

import intarsia
from intarsia.instances import NECK, number_instances
from intarsia.media.images import read_mask, write_image
from intarsia.metrics.panoptic import PanopticQuality

Case = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8]]
"""A predicted region, the true things, and where they are (255: unknown)."""

TRAINED = 8  # slices
LEAST_CELL, LEAST_PERSON = 60, 0.001  # pixels; share of the picture


def quality(cases: Iterable[Case], least: float, ways: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Panoptic quality of each way to tell things apart."""
    found = {name: PanopticQuality(2, things=[1]) for name in ways}
    for region, things, truth in cases:
        smallest = int(least) if least >= 1 else max(1, int(least * region.size))
        for name, way in ways.items():
            numbers = number_instances(region, [1], least=smallest, **way)
            found[name].update(
                (numbers > 0).astype(np.uint8), truth, prediction_instances=numbers, target_instances=things
            )
    return {name: float(one.compute().quality[1]) for name, one in found.items()}


def rows(case: str, scores: dict[str, float]) -> Iterator[Row]:
    peer = scores.pop("components")
    for name, score in scores.items():
        yield Row(case, f"PQ, {name}", "", score, peer, "connected components", score / peer)


def people(folder: Path, every: int, *, predicted: bool) -> Iterator[Case]:
    model = intarsia.load("person") if predicted else None
    for file in sorted((folder / "masks").glob("*.png"))[1::2][::every]:
        things = read_mask(file).astype(np.int32)
        truth = (things > 0).astype(np.uint8)
        if model is None:
            yield truth, things, truth
        else:
            result = model.segment(str(folder / "images" / f"{file.stem}.jpg"))
            yield (result.labels == 1).astype(np.uint8), things, truth


def cells(folder: Path, every: int) -> Iterator[Case]:
    names = sorted(int(file.stem) for file in (folder / "image").glob("*.png"))
    with tempfile.TemporaryDirectory() as place:
        for name in names[:TRAINED]:
            mask = (read_mask(folder / "label" / f"{name}.png") > 127).astype(np.uint8)
            (Path(place) / "data" / "masks").mkdir(parents=True, exist_ok=True)
            (Path(place) / "data" / "images").mkdir(exist_ok=True)
            write_image(Path(place) / "data" / "masks" / f"{name}.png", mask)
            write_image(Path(place) / "data" / "images" / f"{name}.png", read_mask(folder / "image" / f"{name}.png"))
        run = intarsia.train(Path(place) / "data", Path(place) / "run", recipe="random_forest", progress=False)
        model = intarsia.load(run.best)
    for name in names[TRAINED:][1::2][::every]:
        result = model.segment(str(folder / "image" / f"{name}.png"))
        inside = (read_mask(folder / "label" / f"{name}.png") > 127).astype(np.uint8)
        things = number_instances(inside, [1], neighbours=4, least=10)
        truth = np.where((inside > 0) & (things == 0), 255, inside).astype(np.uint8)
        yield (result.labels == 1).astype(np.uint8), things, truth


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    data = DATA
    if not data.is_dir():
        raise SystemExit(f"no data at {data} (set INTARSIA_DATA)")
    every = 8 if options.quick else 1
    plain: dict[str, dict[str, Any]] = {"components": {}, "necks of 0.45": {"neck": 0.45}}
    usual = {"components": {}, f"necks of {NECK}": {"neck": NECK}}
    pedestrians = data / "pedestrians"
    found = [
        *rows("pedestrians, true regions", quality(people(pedestrians, every, predicted=False), 1, plain)),
        *rows("pedestrians, person", quality(people(pedestrians, every, predicted=True), LEAST_PERSON, usual)),
        *rows("cells, random forest", quality(cells(data / "isbi_em", every), LEAST_CELL, usual)),
    ]
    report("Things that touch", found, options.json, threads=1)


if __name__ == "__main__":
    main()
