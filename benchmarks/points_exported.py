"""One block of points, networks that search neighbours: exported for ONNX Runtime beside PyTorch.

An exported network finds neighbours by all distances, whose number grows with the square of the points, and PyTorch by
trees. Rounds are in turns, in processor time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import Row, arguments, compare, report

from intarsia.bundle import Exported
from intarsia.exporting.comparing import compare as compared
from intarsia.exporting.comparing import random_blocks
from intarsia.exporting.graph import require_exportable, to_onnx
from intarsia.exporting.writing import write_onnx
from intarsia.models import build
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.runtimes.torch import TorchRuntime
from intarsia.threads import cores

CLASSES, EXTENT = 6, 2.0
NETWORKS: dict[str, dict[str, Any]] = {
    "acnn": {"in_channels": 8, "spacing": 0.1},
    "pointnet2": {"in_channels": 5, "radius": 0.4, "width": 0.25},
    "pointnext": {"in_channels": 5},
    "randlanet": {"in_channels": 5},
    "pointnet": {"in_channels": 5},
}


def milliseconds(work: Callable[[], object]) -> float:
    """Of processors."""
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def measure(name: str, points: int, rounds: int, file: Path) -> list[Row]:
    """Export one network for blocks of `points`, and compare its speed and labels with PyTorch's."""
    torch.manual_seed(0)
    model = require_exportable(build(name, classes=CLASSES, **NETWORKS[name]), name).eval()
    original = TorchRuntime(model, precision="fp32", device="cpu")
    told = Exported(
        stride=original.stride, align_corners=original.align_corners, margin=original.margin, precision="fp32",
        origin="", agreement=0,
    )  # fmt: skip
    write_onnx(to_onnx(model, points), {"intarsia.runtime": told.model_dump_json()}, file)
    exported = OnnxRuntime(file, CLASSES)
    block = next(one for one in random_blocks(model.in_channels, points, EXTENT) if one.shape[2] == points)[:1]
    pairs = [
        (milliseconds(partial(exported.logits, block)), milliseconds(partial(original.logits, block)))
        for _ in range(rounds + 1)
    ][1:]
    ours, theirs = zip(*pairs, strict=True)
    same = compared(exported, original, [block], CLASSES).agreement
    where = f"{name}, a block of {points} points"
    return [
        compare(where, "processor time", "ms/block", ours, theirs, "PyTorch, the same network"),
        Row(where, "labels as PyTorch's", "", same, None, "", None),
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--points", type=int, default=4096, help="of a block")
    parser.add_argument("names", nargs="*", help=f"networks; default: {', '.join(NETWORKS)}")
    options = parser.parse_args()
    torch.set_num_threads(cores())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or NETWORKS:
            rows += measure(name, options.points, 3 if options.quick else 10, Path(folder) / f"{name}.onnx")
            print(f"{name}: {rows[-2].ours:.0f} ms, PyTorch {rows[-2].peer:.0f} ms", flush=True)
    report("Networks of points, exported", rows, options.json, threads=cores())


if __name__ == "__main__":
    main()
