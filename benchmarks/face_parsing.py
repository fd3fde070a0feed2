"""The parts of faces: F1 of each class of a model that the recipe `face-parsing` trained, plain and with --tta.

    python benchmarks/face_parsing.py runs/face-parsing/best.safetensors --json face_parsing.json

Measures on the last 100 pictures by name of $INTARSIA_DATA/faces_celebamask (images/ and masks/, CelebAMask-HQ), which
the training must not have seen. F1 counts the pixels of all pictures together, at the pictures' own size; the mean is
that of the 18 parts, without background.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from common import DATA, Row, arguments, report

import intarsia
from intarsia.recipe import ReadOptions

LAST, FEW = 100, 10


def last_faces(source: Path, folder: Path, count: int) -> None:
    """Link the last pictures by name, and their masks, as the split `test`."""
    for part in ("images", "masks"):
        (folder / "test" / part).mkdir(parents=True)
        for file in sorted((source / part).iterdir())[-count:]:
            (folder / "test" / part / file.name).symlink_to(file.resolve())


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("model", help="bundle file or run folder")
    options = parser.parse_args()
    source = DATA / "faces_celebamask"
    if not source.is_dir():
        raise SystemExit(f"no faces at {source}: set INTARSIA_DATA to the folder that holds them")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        last_faces(source, Path(folder), FEW if options.quick else LAST)
        for case, tta in (("plain", False), ("tta", True)):
            model = intarsia.load(options.model, tta=tta)
            reading = ReadOptions(classes=list(model.space.names))
            scores = intarsia.evaluate(model, folder, options=reading, split="test").scores
            f1 = dict(zip(model.space.names, scores.f1, strict=True))
            parts = [value for name, value in f1.items() if name != "background"]
            rows.append(Row(case, "mean F1 of 18 parts", "", float(np.nanmean(parts)), None, "", None))
            rows += [Row(case, f"F1 {name}", "", float(value), None, "", None) for name, value in f1.items()]
    report("Parts of faces", rows, options.json, threads=os.cpu_count() or 1)


if __name__ == "__main__":
    main()
