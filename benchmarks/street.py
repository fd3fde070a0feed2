"""Street networks from 480x384 pixels to logits, by processor time of one thread: ours against another's ONNX file.

Weights are random, as they do not change the time. Without a peer's file the bundled street's network is the peer. A
peer's licence may ask for an environment of its own: export its file there, with one input of a fixed size.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import alternate, arguments, compare, report
from torch import Tensor, nn

from intarsia.models import SegmentationModel, build
from intarsia.recipe import Recipe
from intarsia.zoo import find_recipe

CLASSES, SIZE = 11, (384, 480)
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddrnet, width 16": ("ddrnet", {"width": 16, "context_channels": 64}),
    "street-fast's ladder on efficientnet_lite0": (
        "swiftnet",
        {
            "encoder": "efficientnet_lite0",
            "channels": [64, 64, 64, 32, 16],
            "grids": [1],
            "finest": 2,
            "separable": True,
        },
    ),
    "bisenetv2, width 0.5": ("bisenetv2", {"width": 0.5, "head_channels": 128}),
    "ddrnet-23-slim": ("ddrnet", {}),
    "lraspp on efficientnet_lite0": ("lraspp", {"encoder": "efficientnet_lite0"}),
}


class Logits(nn.Module):
    """A network's logits at its own stride, as they are exported."""

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.logits(x)


def exported(model: SegmentationModel, file: Path) -> Path:
    example = (torch.rand(1, 3, *SIZE),)
    with torch.no_grad():
        torch.onnx.export(Logits(model).eval(), example, file, dynamo=True, opset_version=18, verbose=False)
    return file


def shipped(name: str) -> SegmentationModel:
    """The network of a bundled recipe."""
    recipe = Recipe.load(find_recipe(name))
    return build(recipe.model.architecture, classes=CLASSES, **recipe.model.options)


def runner(runtime: str, file: Path) -> Callable[[], float]:
    """What runs a file once in one thread, and gives the milliseconds of processor time that it took."""
    x = np.random.default_rng(0).random((1, 3, *SIZE), dtype=np.float32)
    if runtime == "ONNX Runtime":
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def run() -> None:
            session.run(None, {name: x})
    else:
        import openvino

        settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        request = openvino.Core().compile_model(str(file), "CPU", settings).create_infer_request()

        def run() -> None:
            request.infer([x])

    def milliseconds() -> float:
        start = time.process_time()
        run()
        return 1000 * (time.process_time() - start)

    return milliseconds


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--peer", type=Path, metavar="FILE.onnx", help="another network; default: the bundled street's")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = {"street-fast": shipped("street-fast")}
    if options.peer:
        chosen["street"] = shipped("street-camvid")
    if not options.quick:
        chosen |= {name: build(kind, classes=CLASSES, **given) for name, (kind, given) in NETWORKS.items()}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        peer = options.peer or exported(shipped("street-camvid"), Path(folder) / "peer.onnx")
        for number, (name, model) in enumerate(chosen.items()):
            file = exported(model, Path(folder) / f"{number}.onnx")
            for runtime in ("ONNX Runtime", "OpenVINO"):
                times = alternate(5 if options.quick else 30, runner(runtime, file), runner(runtime, peer))
                rows.append(compare(name, runtime, "ms", *times, options.peer.stem if options.peer else "street"))
    report("Street networks, 480x384, float32", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
