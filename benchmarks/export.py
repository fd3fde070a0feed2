"""Every registered network of pictures, video and points, translated: logits and labels beside torch's, at many sizes.

Weights are random, statistics of norms too, so that every layer counts. A size that gives other labels is named.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import arguments, write_results
from rich.console import Console
from rich.table import Table
from torch import nn

from intarsia.bundle import Exported
from intarsia.errors import IntarsiaError
from intarsia.exporting.comparing import compare, random_blocks, random_inputs
from intarsia.exporting.graph import require_exportable, to_onnx
from intarsia.exporting.writing import write_onnx
from intarsia.models import architecture, architectures_by_medium, build
from intarsia.models.cloud.layers import CloudModel
from intarsia.models.contract import SegmentationModel
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.runtimes.openvino import OpenVinoRuntime
from intarsia.runtimes.torch import TorchRuntime

CLASSES = 5
ENCODER = "efficientnet_lite0"
SIZES = ((2, 2), (7, 300), (64, 31), (70, 91), (257, 130))
POINTS, EXTENT = 1024, 2.0
QUICK = ("deeplabv3plus", "lraspp", "pspnet", "pointnet")


@dataclass(frozen=True)
class Row:
    """One architecture on one runtime."""

    architecture: str
    runtime: str
    difference: float | None
    agreement: float | None
    seconds: float
    problem: str


def inputs(model: SegmentationModel) -> list[Floats]:
    """Noise: what every export is compared on, and pictures of more sides."""
    channels = model.in_channels
    if isinstance(model, CloudModel):
        return random_blocks(channels, POINTS, EXTENT)
    generator = np.random.default_rng(1)
    more = [generator.normal(0, 1, (1, channels, *size)).astype(np.float32) for size in SIZES]
    return [*random_inputs(channels), *more]


def measure(name: str, folder: Path) -> list[Row]:
    """Translate one architecture, and compare it on each runtime."""
    torch.manual_seed(0)
    known = architecture(name).options
    options: dict[str, Any] = {"encoder": ENCODER} if "encoder" in known else {}
    if "image_options" in known:
        options = {"image_options": {"encoder": ENCODER}}
    start = time.process_time()
    try:
        model = require_exportable(build(name, classes=CLASSES, **options), name).eval()
        for module in model.modules():
            if (
                isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
                and module.running_mean is not None
                and module.running_var is not None
            ):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
        original = TorchRuntime(model, precision="fp32", device="cpu")
        network = to_onnx(model, POINTS)
    except Exception as error:
        return [Row(name, "", None, None, time.process_time() - start, f"{type(error).__name__}: {str(error)[:200]}")]
    seconds = time.process_time() - start
    told = Exported(
        stride=original.stride, align_corners=original.align_corners, margin=original.margin, precision="fp32",
        origin="", agreement=0,
    )  # fmt: skip
    file = folder / f"{name}.onnx"
    write_onnx(network, {"intarsia.runtime": told.model_dump_json()}, file)
    rows = []
    for kind in (OnnxRuntime,) if isinstance(model, CloudModel) else (OnnxRuntime, OpenVinoRuntime):
        runtime = kind(file, CLASSES)
        for x in inputs(model):
            size = "x".join(map(str, reversed(x.shape[2:])))
            try:
                found = compare(runtime, original, [x], CLASSES)
                problem = "" if found.agreement >= 0.9999 else f"{size}: {100 * found.agreement:.2f} %"
                rows.append(Row(name, kind.name, found.difference, found.agreement, seconds, problem))
            except IntarsiaError as error:
                rows.append(Row(name, kind.name, None, None, seconds, f"{size}: {error}"))
    file.unlink()
    return rows


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("names", nargs="*", help="architectures; default: all")
    given = parser.parse_args()
    media = architectures_by_medium()
    every = [
        name for medium in ("image", "video", "cloud") for name, found in media[medium].items() if not found.fitted
    ]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names or (QUICK if given.quick else every):
            rows += measure(name, Path(folder))
            print(name, *(row.problem for row in rows if row.architecture == name and row.problem), flush=True)
    table = Table(title=f"Exported networks beside torch ({torch.get_num_threads()} threads)")
    for column in ("architecture", "runtime", "largest difference", "least agreement", "translated in s", "problems"):
        table.add_column(column, overflow="fold")
    for name, runtime in dict.fromkeys((row.architecture, row.runtime) for row in rows):
        mine = [row for row in rows if (row.architecture, row.runtime) == (name, runtime)]
        differences = [row.difference for row in mine if row.difference is not None]
        agreements = [row.agreement for row in mine if row.agreement is not None]
        table.add_row(
            name, runtime, f"{max(differences, default=float('nan')):.2g}",
            f"{100 * min(agreements, default=float('nan')):.3f} %", f"{mine[0].seconds:.1f}",
            "; ".join(row.problem for row in mine if row.problem),
        )  # fmt: skip
    Console(width=140).print(table)
    if given.json is not None:
        write_results(given.json, [asdict(row) for row in rows])


if __name__ == "__main__":
    main()
