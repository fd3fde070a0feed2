"""Networks for video as files: each frame as the network sees a single one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import small  # noqa: F401 - registers test_plain
import torch
from torch import nn

from intarsia.bundle import Bundle, Exported
from intarsia.exporting.comparing import compare, random_inputs
from intarsia.exporting.graph import require_exportable, to_onnx
from intarsia.exporting.writing import write_onnx
from intarsia.inference import Predictor, VideoPredictor
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.runtimes.torch import TorchRuntime


def test_a_network_with_memory_segments_every_frame_by_itself(tmp_path: Path) -> None:
    options = {"image_options": {"encoder": "test_plain", "channels": 16}, "hidden": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("stfcn", classes=3, **options).eval()
        nn.init.constant_(model.mixer.gate, 0.5)  # type: ignore[union-attr, arg-type]  # what it adds counts
    original = TorchRuntime(model, precision="fp32", device="cpu")
    told = Exported(
        stride=original.stride, align_corners=original.align_corners, margin=0, precision="fp32", origin="", agreement=1
    )
    network = to_onnx(require_exportable(model, "net"))
    assert any("gates" in tensor.name for tensor in network.graph.initializer)
    write_onnx(network, {"intarsia.runtime": told.model_dump_json()}, tmp_path / "net.onnx")
    made = OnnxRuntime(tmp_path / "net.onnx", 3)
    found = compare(made, original, random_inputs(3), 3)
    assert found.agreement >= 0.9999 and found.difference < 1e-4
    bundle = Bundle("stfcn", options, LabelSpace(("a", "b", "c")), Preprocessing(), model.state_dict())
    predictor = Predictor(bundle, runtime=made)
    frames = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)
    results = list(VideoPredictor(predictor).stream(frames))
    assert [(result.key, result.ran) for result in results] == [(True, ("deep",))] * 2
    whole = Predictor(bundle, precision="fp32", runtime=original)
    for result, frame in zip(results, frames, strict=True):
        assert (result.segmentation.labels == whole.segment(frame).labels).mean() >= 0.9999
