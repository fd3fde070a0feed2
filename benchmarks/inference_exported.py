"""One picture, pixels to labels: our network exported, by each runtime and precision, against the same one of smp.

Rounds are in turns, in wall-clock and in processor time, which says what the work costs on a machine that others use.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from common import AS_SMP, arguments, compare, report
from inference_peers import CLASSES, LITE, SMALL, plain

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets.synthetic import SCENE, draw_scene, write_scenes
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.contract import Precision
from intarsia.runtimes.openvino import has_bf16
from intarsia.threads import cores

CALIBRATION = 16  # pictures for int8


def write_bundle(file: Path) -> None:
    """The network of smp with random weights; its classes begin with those of our scenes, which int8 is measured on."""
    torch.manual_seed(0)
    model = build("deeplabv3plus", classes=CLASSES, encoder=LITE, **AS_SMP)
    names = (*SCENE.names, *(f"class {index}" for index in range(len(SCENE), CLASSES)))
    half = (0.5, 0.5, 0.5)
    options = {"encoder": LITE, **AS_SMP}
    bundle = Bundle("deeplabv3plus", options, LabelSpace(names), Preprocessing(mean=half, std=half), model.state_dict())
    bundle.save(file)


def predictors(folder: Path) -> dict[str, Predictor]:
    """The network by each runtime, exported where it has to be."""
    bundle = folder / "net.safetensors"
    write_bundle(bundle)
    scenes = write_scenes(folder / "scenes", CALIBRATION, size=SMALL)
    network, integers = folder / "net.onnx", folder / "net.xml"
    intarsia.export(bundle, network)
    # The weights are random: what int8 costs in accuracy is measured elsewhere, on trained ones.
    intarsia.export(bundle, integers, precision="int8", calibrate=scenes, max_drop=100)
    made: list[tuple[str, Path, str, Precision]] = [
        ("torch", bundle, "torch", "auto"), ("ONNX Runtime fp32", network, "onnx", "auto"),
        ("OpenVINO fp32", network, "openvino", "fp32"), ("OpenVINO int8", integers, "openvino", "auto"),
    ]  # fmt: skip
    if has_bf16():
        made.insert(3, ("OpenVINO bf16", network, "openvino", "bf16"))
    found = {}
    for name, file, runtime, precision in made:
        one = intarsia.load(file, runtime=runtime, precision=precision)
        assert isinstance(one, Predictor)
        found[name] = one
    return found


def took(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds on the wall, and of processors."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - busy)


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    import segmentation_models_pytorch as smp

    torch.set_num_threads(cores())
    peer = smp.DeepLabV3Plus(f"tu-{LITE}", encoder_weights=None, classes=CLASSES).eval()
    picture, _ = draw_scene(SMALL, np.random.default_rng(0))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, predictor in predictors(Path(folder)).items():
            rounds = range((5 if options.quick else 30) + 1)
            measured = [
                (took(partial(predictor.segment, picture)), took(partial(plain, peer, picture))) for _ in rounds
            ]
            for index, metric in enumerate(("pixels to labels", "processor time")):
                ours, theirs = ([one[index] for one in side] for side in zip(*measured[1:], strict=True))
                where = f"{SMALL[1]}x{SMALL[0]}: the same network, {name}"
                rows.append(compare(where, metric, "ms/image", ours, theirs, "smp DeepLabV3Plus, lite0, eager fp32"))
    report("Exported networks, batch 1", rows, options.json, threads=cores())


if __name__ == "__main__":
    main()
