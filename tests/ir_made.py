"""Networks for OpenVINO, built layer by layer, so that tests need no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from intarsia.bundle import Description
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing

SPACE = LabelSpace(("dark", "bright"))
PLAIN = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def threshold() -> openvino.Model:
    """Every fourth pixel of every fourth row; what is brighter than one half is "bright"."""
    image = ops.parameter([-1, 3, -1, -1], np.float32, name="image")
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[0], weight[1] = -1 / 3, 1 / 3
    scores = ops.convolution(image, ops.constant(weight), [4, 4], [0, 0], [0, 0], [1, 1])
    biased = ops.add(scores, ops.constant(np.array([0.5, -0.5], np.float32).reshape(1, 2, 1, 1)))
    return openvino.Model([ops.result(biased, name="logits")], [image], "network")


def write_ir(path: Path, *, network: openvino.Model | None = None, **exported: Any) -> Path:
    """Write a described network as FILE.xml and FILE.bin."""
    use = {
        "stride": 4, "align_corners": False, "margin": 0, "precision": "fp32", "origin": "", "agreement": 1.0,
        **exported,
    }  # fmt: skip
    made = threshold() if network is None else network
    made.set_rt_info(Description("threshold", {}, SPACE, PLAIN).to_metadata(), ["intarsia"])
    made.set_rt_info(json.dumps(use), ["intarsia.runtime"])
    openvino.save_model(made, str(path), compress_to_fp16=False)
    return path
