"""Peak memory of `intarsia segment` on very large pictures, 19 classes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import STREET, Row, arguments, report
from PIL import Image

from intarsia.bundle import Bundle
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.preprocessing import Preprocessing

CLASSES = 19


def write_bundle(path: Path) -> None:
    options = {"encoder": "efficientnet_lite0", **STREET}
    torch.manual_seed(0)
    model = build("deeplabv3plus", classes=CLASSES, **options)
    space = LabelSpace(tuple(f"class {index}" for index in range(CLASSES)))
    Bundle("deeplabv3plus", options, space, Preprocessing(), model.state_dict()).save(path)


def write_picture(path: Path, height: int, width: int) -> None:
    """A smooth texture, so that the file is neither trivial nor huge."""
    small = np.random.default_rng(0).integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR).save(path, quality=90)


def segment(picture: Path, bundle: Path, out: Path) -> tuple[float, float]:
    """(peak resident megabytes, seconds) of the command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "intarsia", "segment", str(picture), "-m", str(bundle), "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - start


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    width, heights = (4000, (2000, 4000, 8000)) if options.quick else (10_000, (5000, 10_000, 20_000))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bundle(folder / "model.safetensors")
        for height in heights:
            picture = folder / f"{height}.jpg"
            subprocess.run([sys.executable, __file__, "--write", str(picture), str(height), str(width)], check=True)
            peak, elapsed = segment(picture, folder / "model.safetensors", folder / f"out-{height}")
            whole = height * width * CLASSES * 4 / 2**20
            case = f"{width}x{height}, {CLASSES} classes"
            rows.append(
                Row(
                    case,
                    "peak RSS",
                    "MB",
                    peak,
                    whole,
                    "float32 logits of the whole picture alone (computed)",
                    whole / peak,
                )
            )
            rows.append(Row(case, "time", "s", elapsed, None, "", None))
    report("intarsia segment", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write_picture(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
