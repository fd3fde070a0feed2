"""Bundles as ONNX files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from intarsia.bundle import METADATA_KEY, Bundle
from intarsia.errors import ModelError
from intarsia.exporting.graph import OPSET, to_onnx
from intarsia.files import atomic_path
from intarsia.models import SegmentationModel
from intarsia.models.contract import image_model
from intarsia.models.restore import restore

RUNTIME_KEY = "intarsia.runtime"
_PROBE = 64


def export_onnx(bundle: Bundle, path: str | os.PathLike[str]) -> None:
    """Write a bundle's network and description as one ONNX file, whole or not at all.

    Args:
        bundle: the trained model.
        path: a name that ends in .onnx.

    Raises:
        ModelError: another suffix, or a network that cannot be exported.
        DataError: the disk is full, or the folder cannot be written.
    """
    target = Path(path)
    if target.suffix != ".onnx":
        raise ModelError(f"{target}: the name of an ONNX file ends in .onnx")
    model = restore(bundle)
    proto = to_onnx(model)
    for key, value in ((METADATA_KEY, bundle.to_metadata()), (RUNTIME_KEY, json.dumps(_runtime(model)))):
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    with atomic_path(target) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))


def _runtime(model: SegmentationModel) -> dict[str, Any]:
    """What the file's reader has to know of the network."""
    network = image_model(model)
    with torch.inference_mode():
        cells = network.logits(torch.zeros(1, network.in_channels, _PROBE, _PROBE)).shape[2]
    return {
        "stride": _PROBE // cells, "align_corners": network.align_corners, "margin": network.margin,
        "precision": "fp32", "sizes": None, "opset": OPSET,
    }  # fmt: skip
