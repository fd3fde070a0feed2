"""K-means, random forest and SVMs beside U-Net, on CamVid and on electron microscopy: scores, seconds and bytes.

Classical models are fitted as their recipes say. U-Nets take long to train, so their rows need finished runs (--unet).
Runs are kept in the work folder, so that the same command goes on where it was interrupted; all predictions are timed
at the end, one model after the other.
"""

from __future__ import annotations

import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import arguments, write_results
from PIL import Image
from rich.console import Console
from rich.table import Table

from intarsia.bundle import Bundle
from intarsia.datasets import Dataset, ReadOptions, Split, open_dataset
from intarsia.evaluation import evaluate
from intarsia.files import write_text
from intarsia.inference import Predictor
from intarsia.recipe import Recipe
from intarsia.training import train
from intarsia.zoo import find_recipe

DATA: dict[str, dict[str, Any]] = {
    "camvid": {"data.layout": "camvid"},
    # Slices have no up and down, and no colour.
    "isbi_em": {
        "data.classes": ["membrane", "cell"],
        "model.options.in_channels": 1,
        "model.options.position": False,
    },
}
STROKES, LENGTH, WIDTH = 12, 100, 3


@dataclass(frozen=True)
class Entry:
    """One row: a recipe and what is changed in it."""

    name: str
    recipe: str
    changes: dict[str, Any]


ENTRIES = [
    Entry("k-means, 64 clusters", "kmeans", {}),
    Entry("linear SVM", "svm", {"model.options.kernel": "linear"}),
    Entry("RBF SVM, 300 landmarks", "svm", {}),
    Entry("random forest, 50 trees", "random_forest", {}),
]
# Strokes have no shares of classes to speak of.
SCRIBBLES = Entry(
    f"random forest, {STROKES} strokes on one picture",
    "random_forest",
    {"training.class_weights": "median_frequency", "data.ignore": [0]},
)


def recipe_of(entry: Entry, data: str, path: Path, *, quick: bool) -> Recipe:
    """The shipped recipe for one data set."""
    recipe = Recipe.load(find_recipe(entry.recipe)).override({"data.path": str(path), "training.samples": 0})
    changes = DATA[data] | entry.changes
    if entry.recipe == "kmeans" and "model.options.position" in changes:
        changes = changes | {"model.options.position": 0}
    if entry is SCRIBBLES and data == "camvid":
        changes = changes | {"data.layout": "auto"}
    if quick:
        changes = changes | {"training.pixels": 5000}
    return recipe.override(changes)


def opened(recipe: Recipe) -> Dataset:
    """The recipe's data."""
    data = recipe.data
    return open_dataset(data.path, ReadOptions(layout=data.layout, classes=data.classes, ignore=data.ignore))


def fit(recipe: Recipe, folder: Path) -> None:
    """Fit one model and note how long it took, reading and validation included."""
    dataset = opened(recipe)
    start = time.perf_counter()
    train(recipe, dataset, folder)
    write_text(folder / "seconds", str(time.perf_counter() - start))


def scribbled(dataset: Dataset, folder: Path) -> Path:
    """One training picture of which only some strokes are labelled, and the whole validation split; 0: not labelled."""
    if folder.exists():
        return folder
    random = np.random.default_rng(0)
    train_split, val = dataset.splits["train"], dataset.splits["val"]
    write_text(folder / "classes.txt", "\n".join(dataset.space.names) + "\n")
    for name, split, indices in (("train", train_split, [0]), ("val", val, range(len(val)))):
        for index in indices:
            image, target = split.read(index)
            mask = np.where(target < len(dataset.space), target + 1, 0).astype(np.uint8)
            if name == "train":
                kept = np.zeros(mask.shape, bool)
                for top, left in random.integers(0, np.array(mask.shape) - (WIDTH, LENGTH), (STROKES, 2)):
                    kept[top : top + WIDTH, left : left + LENGTH] = True
                mask[~kept] = 0
            for kind, picture in (("images", image), ("masks", mask)):
                target_folder = folder / kind / name
                target_folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(target_folder / f"{index:04d}.png")
    return folder


def measured(name: str, run: Path, data: str, split: Split) -> dict[str, Any]:
    """One row: what a run reached, and what it costs."""
    bundle = Bundle.load(run / "best.safetensors")
    predictor = Predictor(bundle)
    if (run / "seconds").exists():
        scores = {key: bundle.metrics[f"val_{key}"] for key in ("miou", "pixel_accuracy")}
        seconds = float((run / "seconds").read_text(encoding="utf-8"))
    else:
        found = evaluate(predictor, split).matrix.compute()
        scores = {"miou": found.miou, "pixel_accuracy": found.pixel_accuracy}
        seconds = logged_seconds(run)
    return {
        "data": data,
        "name": name,
        **scores,
        "train_seconds": seconds,
        "predict_ms": predict_milliseconds(predictor, split),
        "megabytes": (run / "best.safetensors").stat().st_size / 1e6,
    }


def logged_seconds(run: Path) -> float:
    """Seconds that a network was trained for, from its log; without validation."""
    batch = Recipe.load(run / "recipe.yaml").training.batch_size
    seconds, before = 0.0, 0
    with (run / "log.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            seconds += (int(row["step"]) - before) * batch / float(row["images_per_second"])
            before = int(row["step"])
    return seconds


def predict_milliseconds(predictor: Predictor, split: Split) -> float:
    """Median over a few pictures, pixels to labels."""
    pictures = [split.read(index % len(split))[0] for index in range(8)]
    seconds = []
    for picture in pictures:
        start = time.perf_counter()
        predictor.segment(picture)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[2:]))


def show(results: list[dict[str, Any]]) -> None:
    table = Table(title=f"Validation scores at native size ({torch.get_num_threads()} threads)")
    for column in ("data", "model", "mIoU", "pixel accuracy", "training, s", "prediction, ms/image", "file, MB"):
        table.add_column(column, justify="left" if column in ("data", "model") else "right")
    for row in results:
        table.add_row(
            row["data"], row["name"], f"{row['miou']:.3f}", f"{row['pixel_accuracy']:.3f}",
            f"{row['train_seconds']:.0f}", f"{row['predict_ms']:.0f}", f"{row['megabytes']:.3f}",
        )  # fmt: skip
    Console(width=130).print(table)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--work", type=Path, default=Path("runs/classical"), help="folder of the fitted models")
    parser.add_argument("--data", nargs="*", choices=list(DATA), default=list(DATA))
    parser.add_argument(
        "--unet",
        nargs=3,
        action="append",
        default=[],
        metavar=("DATA", "NAME", "RUN"),
        help="a finished run to compare",
    )
    options = parser.parse_args()
    root = Path(os.environ.get("INTARSIA_DATA", "../shared/data"))
    rows: list[tuple[str, Path, str, Split]] = []
    for data in options.data:
        if not (root / data).is_dir():
            raise SystemExit(f"no {data} at {root} (set INTARSIA_DATA)")
        dataset = opened(recipe_of(ENTRIES[0], data, root / data, quick=options.quick))
        for entry in (*ENTRIES, SCRIBBLES):
            path = scribbled(dataset, options.work / f"{data}-scribbles") if entry is SCRIBBLES else root / data
            run = options.work / data / "-".join(entry.name.replace(",", "").split())
            if not (run / "seconds").exists():
                fit(recipe_of(entry, data, path, quick=options.quick), run)
                print(f"{data}: {entry.name}: {(run / 'seconds').read_text(encoding='utf-8')} s", flush=True)
            rows.append((entry.name, run, data, dataset.splits["val"]))
        rows += [(name, Path(run), data, dataset.splits["val"]) for kind, name, run in options.unet if kind == data]
    results = [measured(name, run, data, split) for name, run, data, split in rows]
    show(results)
    if options.json is not None:
        write_results(options.json, results)


if __name__ == "__main__":
    main()
