"""What the bundled street model gets wrong on CamVid's validation drive: class by class, by size, and with RankSEG.

$INTARSIA_DATA holds `camvid`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np
from common import DATA, Row, arguments, report

import intarsia
from intarsia.datasets import ReadOptions, Split, open_dataset
from intarsia.metrics import ConfusionMatrix
from intarsia.metrics.confusion import Scores

SIZES = (640, 800, 960)


def scores(matrices: Iterable[ConfusionMatrix]) -> Scores:
    """Those of all counts together."""
    first, *others = matrices
    total = ConfusionMatrix(first.classes, ignore_index=first.ignore_index)
    for one in (first, *others):
        total.merge(one)
    return total.compute()


def measured(split: Split, indices: Sequence[int], **options: object) -> list[ConfusionMatrix]:
    """A matrix for each picture."""
    model = intarsia.load("street", precision="fp32", **options)
    found = []
    for index in indices:
        picture, target = split.read(index)
        matrix = ConfusionMatrix(len(split.space), ignore_index=split.space.ignore_index)
        matrix.update(model.segment(picture).labels, target)
        found.append(matrix)
    return found


def row(case: str, metric: str, ours: float, peer: float | None = None) -> Row:
    return Row(case, metric, "", float(ours), peer, "" if peer is None else "argmax", None)


def by_class(matrices: Sequence[ConfusionMatrix], names: Sequence[str]) -> list[Row]:
    """IoU, recall and precision of each class, on every fifth picture."""
    found = scores(matrices[::5])
    rows = [row("every fifth", "mIoU", found.miou)]
    for name, iou, recall, precision in zip(names, found.iou, found.accuracy, found.precision, strict=True):
        case = f"every fifth, {name}"
        rows += [row(case, "IoU", iou), row(case, "recall", recall), row(case, "precision", precision)]
    return rows


def decided(argmax: Sequence[ConfusionMatrix], rankseg: Sequence[ConfusionMatrix], names: Sequence[str]) -> list[Row]:
    """What RankSEG changes: of all pixels, and of the pictures' own scores."""
    old, new = scores(argmax), scores(rankseg)
    rows = [row("RankSEG, all pixels", "mIoU", new.miou, old.miou)]
    rows.append(row("RankSEG, all pixels", "pixel accuracy", new.pixel_accuracy, old.pixel_accuracy))
    for metric in ("miou", "mean_f1"):
        pairs = [
            (getattr(a.compute(), metric), getattr(b.compute(), metric)) for a, b in zip(argmax, rankseg, strict=True)
        ]
        gains = [after - before for before, after in pairs]
        case = f"RankSEG, pictures' own {metric}"
        rows.append(row(case, "mean", statistics.fmean(b for _, b in pairs), statistics.fmean(a for a, _ in pairs)))
        rows.append(row(case, "standard error of the gain", statistics.stdev(gains) / len(gains) ** 0.5))
        rows.append(row(case, "share that gains", float(np.mean([gain > 0 for gain in gains]))))
    for name, before, after in zip(names, old.iou, new.iou, strict=True):
        rows.append(row(f"RankSEG, {name}", "IoU", after, float(before)))
    return rows


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    if not (DATA / "camvid").is_dir():
        raise SystemExit(f"no CamVid at {DATA / 'camvid'}: set INTARSIA_DATA to the folder that holds it")
    split = open_dataset(DATA / "camvid", ReadOptions(layout="camvid")).split("val")
    names, every = split.space.names, range(0, len(split), 10 if options.quick else 1)
    argmax = measured(split, every)
    rows = by_class(argmax, names) + decided(argmax, measured(split, every, decide="rankseg"), names)
    for side in SIZES[: 1 if options.quick else None]:
        found = scores(measured(split, range(0, len(split), 10), long_side=side))
        rows.append(row(f"every tenth, long side {side}", "mIoU", found.miou))
        rows.append(row(f"every tenth, long side {side}", "IoU of Pole", found.iou[names.index("Pole")]))
    report("Street, what is wrong", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
