"""What a GPU gives: prediction and training beside smp and torchvision, eager and compiled, the CRF, a huge raster.

    python benchmarks/gpu.py --json gpu.json        # at most 8 minutes
    python benchmarks/gpu.py --device cpu --quick   # only to see that it runs

Every side computes in the precision that it would take by itself: ours in bfloat16 where the GPU has it, the peers in
what their manuals write, autocast to bfloat16. The first calls, which compile or choose kernels, are not counted.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import AS_SMP, Row, alternate, arguments, compare, report
from torch import Tensor, nn
from torch.nn import functional as F

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets import open_dataset
from intarsia.datasets.synthetic import draw_scene, write_scenes
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.preprocessing import Preprocessing
from intarsia.recipe import Recipe
from intarsia.refine import dense_crf
from intarsia.training import train

CLASSES, HALF = 19, (0.5, 0.5, 0.5)
# Options that make ours the peer's network, and how the peer is built.
NETWORKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "DeepLabv3+, ResNet-50": (
        "deeplabv3plus", {"encoder": "resnet50", "dilate_first_block": True, **AS_SMP}, "smp",
    ),
    "DeepLabv3, ResNet-50": (
        "deeplabv3", {"encoder": "resnet50", "output_stride": 8, "post_conv": True, "dropout": 0.5}, "torchvision",
    ),
}  # fmt: skip


def peer_of(name: str) -> nn.Module:
    """The same network as another package builds it."""
    if name == "smp":
        import segmentation_models_pytorch as smp

        made: nn.Module = smp.DeepLabV3Plus("resnet50", encoder_weights=None, classes=CLASSES)
        return made
    from torchvision.models.segmentation import deeplabv3_resnet50

    return deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES)


def finished(device: str) -> float:
    """The time when all that was given to the device is computed."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def rate(device: str, call: Callable[[], Any], images: int = 1, seconds: float = 3.0) -> float:
    """Images a second of some seconds of calls."""
    start, count = finished(device), 0
    while time.perf_counter() - start < seconds:
        call()
        count += images
    return count / (finished(device) - start)


def logits_of(found: Any) -> Tensor:
    out: Tensor = found["out"] if isinstance(found, dict) else found
    return out


def predictions(device: str, size: tuple[int, int], rounds: int) -> list[Row]:
    """Pixels to labels, one picture at a time."""
    picture, _ = draw_scene(size, np.random.default_rng(0))
    rows = []
    for name, (architecture, options, other) in NETWORKS.items():
        model = build(architecture, classes=CLASSES, **options)
        space = LabelSpace(tuple(f"class {index}" for index in range(CLASSES)))
        bundle = Bundle(architecture, options, space, Preprocessing(mean=HALF, std=HALF), model.state_dict())
        ours = partial(Predictor(bundle, device=device).segment, picture)
        peer = peer_of(other).to(device).eval()
        for form, network in (("eager", peer), ("compiled", torch.compile(peer))):

            @torch.inference_mode()
            def plain(network: Any = network) -> np.ndarray:
                x = (torch.from_numpy(picture).to(device).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
                with torch.autocast(device, dtype=torch.bfloat16):
                    logits = logits_of(network(x))
                return logits.argmax(1)[0].to(torch.uint8).cpu().numpy()

            pair = alternate(rounds, partial(rate, device, ours), partial(rate, device, plain))
            title = f"{name}, {size[1]}x{size[0]}"
            rows.append(compare(title, "prediction", "images/s", *pair, f"{other}, {form}", higher_is_better=True))
    return rows


def trained(device: str, epochs: int) -> list[Row]:
    """Training of DeepLabv3+ over ResNet-50: ours with everything that a run does, the peer the bare step."""
    crop, batch = (512, 512), 8
    with tempfile.TemporaryDirectory() as folder:
        data = write_scenes(Path(folder) / "data", 64, (540, 720))
        recipe = Recipe.from_dict(
            {
                "model": {"architecture": "deeplabv3plus", "options": NETWORKS["DeepLabv3+, ResNet-50"][1]},
                "input": {"crop": crop},
                "training": {"epochs": epochs, "batch_size": batch, "validate_every": epochs, "samples": 0},
            }
        )
        train(recipe, open_dataset(data), Path(folder) / "run")
        lines = (Path(folder) / "run" / "log.jsonl").read_text("utf-8").splitlines()
    ours = float(np.median([json.loads(line)["images_per_second"] for line in lines[1:]]))
    rows = []
    peer = peer_of("smp").to(device).train()
    images, target = (
        torch.rand(batch, 3, *crop, device=device),
        torch.zeros(batch, *crop, dtype=torch.long, device=device),
    )
    for form, network in (("eager", peer), ("compiled", torch.compile(peer))):
        optimizer = torch.optim.AdamW(peer.parameters(), lr=1e-4, foreach=True)

        def step(network: Any = network, optimizer: torch.optim.Optimizer = optimizer) -> None:
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = F.cross_entropy(network(images), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        step()
        theirs = rate(device, step, batch, 10.0)
        case = f"DeepLabv3+, ResNet-50, {batch} of {crop[1]}x{crop[0]}, ours with loading"
        rows.append(Row(case, "training", "images/s", ours, theirs, f"smp, {form}, without loading", ours / theirs))
    return rows


def refined(device: str, rounds: int) -> list[Row]:
    """The dense CRF, 500x375, 21 classes: PyTorch on the device beside compiled loops on the processor."""
    picture, _ = draw_scene((375, 500), np.random.default_rng(0))
    probs = torch.softmax(torch.randn(21, 375, 500, generator=torch.Generator().manual_seed(0)), dim=0)
    moved = probs.to(device)

    def seconds(given: Tensor, backend: Any) -> float:
        start = finished(device)
        dense_crf(given, picture, backend=backend)
        return finished(device) - start

    pair = alternate(rounds, lambda: seconds(moved, "torch"), lambda: seconds(probs, "numba"))
    return [compare("dense CRF, 500x375, 21 classes", "time", "s", *pair, "numba on the processor")]


def huge(device: str, side: int) -> list[Row]:
    """A raster of side x side pixels, from pixels to labels in memory, and the device's peak."""
    model = intarsia.load("street", runtime="torch", device=device)
    pixels = np.tile(draw_scene((500, 500), np.random.default_rng(0))[0], (side // 500, side // 500, 1))
    start = finished(device)
    model.segment(pixels)
    rows = [Row(f"street, {side}x{side}", "pixels to labels", "s", finished(device) - start, None, "", None)]
    if device != "cpu":
        peak = torch.cuda.max_memory_allocated() / 2**30
        rows.append(Row(f"street, {side}x{side}", "peak on the GPU", "GiB", peak, None, "", None))
    return rows


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if options.device != "cpu" and not torch.cuda.is_available():
        parser.exit(0, "PyTorch sees no GPU here: nothing was measured.\n")
    quick, device = options.quick, options.device
    rows = predictions(device, (128, 160) if quick else (1024, 1024), 1 if quick else 5)
    rows += refined(device, 1 if quick else 5)
    rows += huge(device, 1000 if quick else 20_000)
    rows += trained(device, 2 if quick else 12)
    name = torch.cuda.get_device_name() if device != "cpu" else "a processor"
    report(f"On {name}", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
