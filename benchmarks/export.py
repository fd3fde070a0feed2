"""Every registered network, and those with unusual settings, translated: logits and labels beside torch's.

Weights are random, statistics of norms too, so that every layer counts; two classes have the same weights, so that
labels are decided between equals, and no class is ahead of the others. A size that gives other labels is named.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from common import arguments, write_results
from export_cases import Case, unusual, usual
from rich.console import Console
from rich.table import Table
from torch import nn

from intarsia.bundle import Exported
from intarsia.errors import IntarsiaError
from intarsia.exporting.comparing import compare, random_blocks, random_inputs
from intarsia.exporting.graph import require_exportable, to_onnx
from intarsia.exporting.writing import write_onnx
from intarsia.models import build
from intarsia.models.cloud.layers import CloudModel
from intarsia.models.contract import SegmentationModel
from intarsia.runtimes.contract import Floats
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.runtimes.openvino import OpenVinoRuntime
from intarsia.runtimes.torch import TorchRuntime

SIZES = ((2, 2), (7, 300), (64, 31), (70, 91), (257, 130), (47, 33), (513, 1), (1, 513), (720, 1280))
FEW = ((1, 1), (47, 33), (513, 1), (1, 65), (96, 128), (257, 130))  # of unusual ones
POINTS, EXTENT = 1024, 2.0
QUICK = ("deeplabv3plus", "lraspp", "pspnet", "pointnet")


@dataclass(frozen=True)
class Row:
    """One network on one runtime, given one size."""

    network: str
    runtime: str
    difference: float | None
    agreement: float | None
    labels: int
    seconds: float
    problem: str


def inputs(model: SegmentationModel, case: Case) -> list[Floats]:
    """Noise: what every export is compared on, and pictures of more sides."""
    channels = model.in_channels
    if isinstance(model, CloudModel):
        return random_blocks(channels, POINTS, EXTENT)
    if not case.is_usual:
        return random_inputs(channels, FEW)
    return [*random_inputs(channels), *random_inputs(channels, SIZES)]


def made(case: Case) -> SegmentationModel:
    """A network with random weights and statistics, whose first two classes are the same."""
    torch.manual_seed(0)
    model = build(case.architecture, classes=case.classes, **case.options).eval()
    require_exportable(model, case.name)
    last: nn.Conv1d | nn.Conv2d | nn.Linear | None = None
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is not None:
                assert module.running_var is not None
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
            elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                if not module.weight.any():  # as FCN's scores start; logits that are all zero would pass anything
                    nn.init.normal_(module.weight, std=0.1)
                if len(module.weight) in (case.classes, case.classes + 1) and case.classes > 1:
                    last = module
                    module.weight[1] = module.weight[0]
                    if module.bias is not None:
                        module.bias[1] = module.bias[0]
        if last is not None and last.bias is not None and len(last.weight) == case.classes:
            (x,) = example(model)
            last.bias -= model.logits(torch.from_numpy(x)).transpose(0, 1).flatten(1).mean(dim=1)
    return model


def example(model: SegmentationModel) -> list[Floats]:
    """One input of middling size."""
    if isinstance(model, CloudModel):
        return random_blocks(model.in_channels, POINTS, EXTENT)[:1]
    return random_inputs(model.in_channels, [(96, 128)])


def measure(case: Case, folder: Path) -> list[Row]:
    """Translate one network, and compare it on each runtime."""
    start = time.process_time()
    try:
        model = made(case)
        original = TorchRuntime(model, precision="fp32", device="cpu")
        network = to_onnx(model, POINTS)
    except Exception as error:
        told = f"{type(error).__name__}: {str(error)[:200]}"
        return [Row(case.name, "", None, None, 0, time.process_time() - start, told)]
    seconds = time.process_time() - start
    described = Exported(
        stride=original.stride, align_corners=original.align_corners, margin=original.margin, precision="fp32",
        origin="", agreement=0,
    )  # fmt: skip
    file = folder / "network.onnx"
    write_onnx(network, {"intarsia.runtime": described.model_dump_json()}, file)
    rows = []
    for kind in (OnnxRuntime,) if isinstance(model, CloudModel) else (OnnxRuntime, OpenVinoRuntime):
        try:
            runtime = kind(file, case.classes)
        except IntarsiaError as error:
            rows.append(Row(case.name, kind.name, None, None, 0, seconds, str(error)))
            continue
        for x in inputs(model, case):
            size = "x".join(map(str, reversed(x.shape[2:])))
            try:
                labels = len(np.unique(original.logits(x).argmax(axis=1)))
                found = compare(runtime, original, [x], case.classes)
                problem = "" if found.agreement >= 0.9999 else f"{size}: {100 * found.agreement:.2f} %"
                rows.append(Row(case.name, kind.name, found.difference, found.agreement, labels, seconds, problem))
            except Exception as error:
                rows.append(
                    Row(case.name, kind.name, None, None, 0, seconds, f"{size}: {type(error).__name__} {error}")
                )
    return rows


def read_kept(file: Path | None) -> list[Row]:
    """Rows that a run before has kept, one a line."""
    if file is None or not file.exists():
        return []
    return [Row(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def keep(file: Path | None, rows: list[Row]) -> None:
    """Add the rows of one network to a file, in one write."""
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write("".join(json.dumps(asdict(row)) + "\n" for row in rows))


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("names", nargs="*", help="architectures; default: all")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="rows of what is done: added to, and gone on from")
    given = parser.parse_args()
    cases = [case for case in (*unusual(), *usual()) if not given.names or case.architecture in given.names]
    if given.quick:
        cases = [case for case in usual() if case.name in QUICK]
    rows = read_kept(given.kept)
    done = {row.network for row in rows}
    cases = [case for case in cases if case.name not in done]
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases, start=1):
            rows += measure(case, Path(folder))
            mine = [row for row in rows if row.network == case.name]
            keep(given.kept, mine)
            most = max(row.labels for row in mine)
            print(
                f"{number}/{len(cases)} {case.name}: {most} labels",
                *filter(None, (row.problem for row in mine)),
                flush=True,
            )
    table = Table(title=f"Exported networks beside torch ({torch.get_num_threads()} threads)")
    for column in ("network", "runtime", "largest difference", "least agreement", "translated in s", "problems"):
        table.add_column(column, overflow="fold")
    for name, runtime in dict.fromkeys((row.network, row.runtime) for row in rows):
        mine = [row for row in rows if (row.network, row.runtime) == (name, runtime)]
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
