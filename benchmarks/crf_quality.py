"""What refinement gains or costs a trained model: settings of the literature, and tuned on the model's train split.

By default the bundled street model on CamVid; --model and --data name others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, write_results
from rich.console import Console
from rich.table import Table

import intarsia
from intarsia.datasets import ReadOptions, Split, open_dataset
from intarsia.inference import Predictor
from intarsia.metrics import ConfusionMatrix
from intarsia.refine import PRESETS, Preset, Refinement, tune

# Coarse, then around the best.
ROUNDS: list[dict[str, tuple[float, ...]]] = [
    {"bilateral_weight": (1, 2, 4, 8), "bilateral_xy": (5, 10, 30, 67), "bilateral_rgb": (3, 6, 12)},
    {"spatial_weight": (0, 1, 2, 3), "spatial_xy": (1, 2)},
]


def samples(predictor: Predictor, split: Split, step: int) -> Iterator[tuple[Any, Any, Any]]:
    """Probabilities, picture and target (in the model's labels) of every `step`-th picture."""
    lookup = predictor.space.lookup_from(split.space)
    for index in range(0, len(split), step):
        image, target = split.read(index)
        yield predictor.probabilities(image), image, lookup[target]


def empty_matrix(predictor: Predictor) -> ConfusionMatrix:
    return ConfusionMatrix(len(predictor.space), ignore_index=predictor.space.ignore_index)


def tuned(predictor: Predictor, split: Split, step: int) -> Preset:
    best = replace(PRESETS["deeplabv2-resnet101"], source="tuned")
    held = list(samples(predictor, split, step))
    for grid in ROUNDS:
        found = tune(held, empty_matrix(predictor), grid=grid, preset=best)
        best = found.best
        print(
            f"{len(held)} pictures of train: unrefined {found.unrefined:.4f}, {found.score:.4f} with {best}", flush=True
        )
    return best


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", default="street", help="bundled model, bundle file or run folder")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("INTARSIA_DATA", "../shared/data")) / "camvid")
    parser.add_argument("--resize-masks", action="store_true")
    options = parser.parse_args()
    predictor = intarsia.load(options.model)
    dataset = open_dataset(options.data, ReadOptions(classes=predictor.space.names, resize_masks=options.resize_masks))
    tune_step = max(1, len(dataset.split("train")) // (10 if options.quick else 30))
    val_step = 20 if options.quick else 1
    best = tuned(predictor, dataset.split("train"), tune_step)
    numbers = {name: value for name, value in asdict(best).items() if name != "source"}
    methods: dict[str, Refinement | None] = {"none": None, "crf, tuned": Refinement("crf", numbers)}
    methods |= {f"crf, {preset}": Refinement("crf", {"preset": preset}) for preset in PRESETS}
    methods |= {name: Refinement(name) for name in ("guided", "bilateral", "regions")}
    matrices = {name: empty_matrix(predictor) for name in methods}
    times = dict.fromkeys(methods, 0.0)
    changed = dict.fromkeys(methods, 0.0)
    count = 0
    for probs, image, target in samples(predictor, dataset.split("val"), val_step):
        count += 1
        labels = probs.argmax(0)
        for name, method in methods.items():
            start = time.process_time()
            refined = labels if method is None else method(probs, image).argmax(0)
            times[name] += time.process_time() - start
            changed[name] += float((refined != labels).mean())
            matrices[name].update(refined, target)
    rows = []
    table = Table(title=f"{options.model} on {count} pictures of {options.data.name} val, one core")
    for column in ("refinement", "mIoU", "gain", "pixel accuracy", "labels changed", "ms a picture"):
        table.add_column(column)
    for name, matrix in matrices.items():
        scores = matrix.compute()
        gain = 100 * (scores.miou - matrices["none"].compute().miou)
        share, milliseconds = changed[name] / count, 1000 * times[name] / count
        accuracy = f"{scores.pixel_accuracy:.4f}"
        table.add_row(name, f"{scores.miou:.4f}", f"{gain:+.2f}", accuracy, f"{share:.2%}", f"{milliseconds:.0f}")
        iou = dict(zip(predictor.space.names, np.round(scores.iou, 4).tolist(), strict=True))
        rows.append({"refinement": name, "miou": scores.miou, "pixel_accuracy": scores.pixel_accuracy, "iou": iou})
    Console(width=140).print(table)
    per_class = Table(title="IoU by class")
    for column in ("class", *methods):
        per_class.add_column(column)
    for name in predictor.space.names:
        per_class.add_row(name, *(f"{row['iou'][name]:.3f}" for row in rows))
    Console(width=200).print(per_class)
    if options.json is not None:
        write_results(options.json, {"tuned": asdict(replace(best, source="")), "rows": rows})


if __name__ == "__main__":
    main()
