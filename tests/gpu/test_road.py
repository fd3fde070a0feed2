"""The whole road on a GPU: training, resuming, prediction of every medium, the CRF, and the memory that it takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TINY, TinyRun

import intarsia
from intarsia.bundle import Bundle
from intarsia.inference import VideoPredictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud
from intarsia.models import build
from intarsia.preprocessing import CloudPreprocessing
from intarsia.refine import dense_crf

pytestmark = pytest.mark.gpu


def picture(height: int, width: int) -> np.ndarray:
    values = np.random.default_rng(0).random((height // 16, width // 16, 3))
    return np.kron(255 * values, np.ones((16, 16, 1))).astype(np.uint8)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean(one == other))


def test_training_and_going_on(tiny_run: TinyRun, tmp_path: Path, device: str) -> None:
    settings = [*TINY, "training.precision=auto"]
    intarsia.train(tiny_run.data, tmp_path / "run", changes=settings, progress=False)
    longer = [*settings, "training.epochs=4"]
    more = intarsia.train(tiny_run.data, tmp_path / "run", changes=longer, resume=True, progress=False)
    losses = [json.loads(line)["loss"] for line in (more.folder / "log.jsonl").read_text("utf-8").splitlines()]
    assert len(losses) == 4 and np.isfinite(losses).all() and losses[-1] < losses[0]
    image = picture(64, 80)
    there = intarsia.load(more.best, device=device, precision="fp32").segment(image).labels
    assert agreement(there, intarsia.load(more.best, device="cpu", precision="fp32").segment(image).labels) >= 0.999


def test_pictures_of_any_size_in_tiles_and_turned(tiny_run: TinyRun, device: str) -> None:
    for tta in (False, True):
        here, there = (
            intarsia.load(tiny_run.run.best, device=one, precision="fp32", tta=tta) for one in ("cpu", device)
        )
        for size in ((32, 48), (304, 400), (640, 16)):
            image = picture(*size)
            assert agreement(here.segment(image).labels, there.segment(image).labels) >= 0.999


def test_half_precision_is_taken_and_told(tiny_run: TinyRun, device: str) -> None:
    if not torch.cuda.is_bf16_supported():
        pytest.skip("this GPU does not compute in bfloat16")
    model = intarsia.load(tiny_run.run.best, device=device)
    assert model.identity().runtime["precision"] == "bf16"
    exact = intarsia.load(tiny_run.run.best, device="cpu", precision="fp32")
    image = picture(304, 400)
    assert agreement(model.segment(image).labels, exact.segment(image).labels) >= 0.95


@pytest.mark.parametrize("method", ["flow", "clockwork"])
def test_frames(method: str, device: str) -> None:
    frames = [np.roll(picture(64, 80), 2 * index, axis=1) for index in range(6)]
    found = []
    for one in ("cpu", device):
        model = VideoPredictor(intarsia.load("street", runtime="torch", device=one, precision="fp32"), method=method)
        found.append(np.stack([result.segmentation.labels for result in model.stream(frames)]))
    assert agreement(*found) >= 0.99


def test_points(device: str) -> None:
    torch.manual_seed(0)
    model = build("pointnet2", classes=3, in_channels=4)
    settings = CloudPreprocessing(features=("height",), block=8.0, points=512, voxel=0.0)
    bundle = Bundle("pointnet2", {"in_channels": 4}, LabelSpace(("a", "b", "c")), settings, model.state_dict())
    xyz = np.random.default_rng(0).uniform(0, (20, 20, 6), (3000, 3))
    labels = [
        CloudPredictor(bundle, device=one).segment(PointCloud(xyz, source="made")).labels for one in ("cpu", device)
    ]
    assert agreement(*labels) >= 0.98


def test_the_dense_crf(device: str) -> None:
    image = picture(64, 96)
    probs = torch.softmax(torch.randn(4, 64, 96, generator=torch.Generator().manual_seed(0)), dim=0)
    found = dense_crf(probs.to(device), image, backend="torch", prune=0)
    assert found.device.type == torch.device(device).type
    expected = dense_crf(probs, image, backend="torch", prune=0)
    assert (found.cpu() - expected).abs().max() < 1e-3


def test_memory_follows_the_tile_and_not_the_picture(tiny_run: TinyRun, device: str) -> None:
    model = intarsia.load(tiny_run.run.best, device=device, precision="fp32")
    peaks = []
    for side in (1024, 4096):
        torch.cuda.reset_peak_memory_stats()
        model.segment(picture(side, side))
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] <= 1.5 * peaks[0]
