"""Quality of the bundled street model on CamVid's validation drive, 11 classes without void, plain and with --tta.

$INTARSIA_DATA holds `camvid`.
"""

from __future__ import annotations

import os

from common import DATA, Row, arguments, report

import intarsia
from intarsia.recipe import ReadOptions


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    if not (DATA / "camvid").is_dir():
        raise SystemExit(f"no CamVid at {DATA / 'camvid'}: set INTARSIA_DATA to the folder that holds it")
    rows = []
    for case, tta in (("street", False),) if options.quick else (("street", False), ("street, tta", True)):
        model = intarsia.load("street", tta=tta)
        found = intarsia.evaluate(model, DATA / "camvid", options=ReadOptions(layout="camvid"), split="val")
        case = f"{case}, {len(found.images)} pictures"
        rows.append(Row(case, "mIoU", "", found.scores.miou, None, "", None))
        rows.append(Row(case, "pixel accuracy", "", found.scores.pixel_accuracy, None, "", None))
    report("Bundled models", rows, options.json, threads=os.cpu_count() or 1)


if __name__ == "__main__":
    main()
