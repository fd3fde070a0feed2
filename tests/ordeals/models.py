"""Weight files: bundles, networks of the runtimes, checkpoints, search indices."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ordeals.targets import Target, digest

PHOTO = np.linspace(0, 1, 3 * 16 * 16, dtype=np.float32).reshape(1, 3, 16, 16)

_TORCH = 8 << 30  # bytes of address space that its libraries are mapped to


def _bundle(folder: Path) -> Path:
    from networks import PLAIN, Local

    from intarsia.bundle import Bundle
    from intarsia.labels import LabelSpace

    Bundle("none", {}, LabelSpace(("dark", "bright")), PLAIN, dict(Local().state_dict())).save(folder / "a.safetensors")
    return folder / "a.safetensors"


def _read_bundle(path: Path) -> str:
    from intarsia.bundle import Bundle

    found = Bundle.load(path)
    return digest(found.checksum(), found.to_metadata())


def _onnx(folder: Path) -> Path:
    from onnx_made import write_onnx

    return write_onnx(folder / "a.onnx")


def read_onnx(path: Path) -> str:
    """Open an exported network, and compute by it."""
    from intarsia.bundle import Description
    from intarsia.runtimes.onnx import OnnxRuntime

    description = Description.load(path)
    runtime = OnnxRuntime.of(description, path, "auto")
    return digest(description.checksum(), runtime.logits(PHOTO), description.to_metadata())


def _openvino(folder: Path) -> Path:
    from ir_made import write_ir

    return write_ir(folder / "a.xml")


def _read_openvino(path: Path) -> str:
    from intarsia.bundle import Description
    from intarsia.runtimes.openvino import OpenVinoRuntime

    description = Description.load(path)
    runtime = OpenVinoRuntime.of(description, path, "auto")
    return digest(description.checksum(), runtime.logits(PHOTO))


def _checkpoint(folder: Path) -> Path:
    import torch

    from intarsia.training.loop.checkpoint import Checkpoint, save_checkpoint

    tensors = {"model": {"weight": torch.arange(60.0).reshape(6, 10)}, "optimizer": {"0.step": torch.tensor(7.0)}}
    save_checkpoint(folder / "checkpoints", 7, Checkpoint(tensors, {"step": 7, "epoch": 1}))
    return folder / "checkpoints"


def _read_checkpoint(path: Path) -> str:
    from intarsia.training.loop.checkpoint import load_checkpoint

    found = load_checkpoint(path)
    if found is None:
        return "none"
    groups = {name: {key: value.tolist() for key, value in group.items()} for name, group in found[0].tensors.items()}
    return repr((groups, found[0].state))


def _index(folder: Path) -> Path:
    from intarsia.apps.search.index import Index, Item

    items = [Item(f"{number}.jpg", 9, 5, "", "dress", "clothes") for number in range(3)]
    random = np.random.default_rng(0)
    index = Index(
        folder / "photos.index", "model", True, items, random.random((3, 8)).astype(np.float32),
        random.integers(0, 255, (3, 2, 3)).astype(np.float32), np.full((3, 2), 0.5, np.float32),
        np.arange(3, dtype=np.uint64),
    )  # fmt: skip
    index.save()
    return folder / "photos.index"


def _read_index(path: Path) -> str:
    from intarsia.apps.search.index import Index

    found = Index.load(path)
    return digest(found.vectors, found.colours, found.shares, found.numbers, found.items)


def targets() -> Iterator[Target]:
    """Every form of weight file."""
    if importlib.util.find_spec("torch"):
        yield Target("bundle.safetensors", _bundle, _read_bundle, heavy=True, greed=_TORCH)
        yield Target("checkpoint", _checkpoint, _read_checkpoint, sealed=True, heavy=True, greed=_TORCH)
    yield Target("network.onnx", _onnx, read_onnx)
    if importlib.util.find_spec("openvino"):
        yield Target("network.xml", _openvino, _read_openvino, heavy=True)
    yield Target("search.index", _index, _read_index)
