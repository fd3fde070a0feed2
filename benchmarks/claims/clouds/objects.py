"""The sixteen caps of ShapeNet part that are at hand, networks trained on half of them, and scores on the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.claims.scenes import data_folder
from intarsia.losses import CrossEntropy
from intarsia.media.clouds import PointCloud
from intarsia.models.cloud.layers import CloudModel
from intarsia.models.cloud.running import as_function
from intarsia.preprocessing import CloudPreprocessing
from intarsia.recipe import CloudAugment
from intarsia.runtimes.torch import has_bf16
from intarsia.training.loop.supervision import supervised_loss
from intarsia.transforms.clouds.augment import CloudTransform
from intarsia.transforms.clouds.categories import CATEGORIES, part_names
from intarsia.transforms.clouds.geometry import upwards
from intarsia.transforms.clouds.objects import ObjectSampler, ObjectScene, object_probabilities, prepare_object

NAMES = part_names("cap")
POINTS = 1024
BATCH = 4
_FIRST_PART = 6  # of a cap, among the 50 of the data set
_NORMALS = ("nx", "ny", "nz")
_AUGMENT = CloudAugment(rotate=0, mirror=0, jitter=0.01, scale=(0.8, 1.25), drop=0)
Change = Callable[[PointCloud, int], PointCloud]


@lru_cache(maxsize=1)
def caps() -> tuple[PointCloud, ...]:
    """The caps, with the normals of the file."""
    found = []
    with np.load(data_folder("clouds/shapenetpart_cap") / "cap_val_test.npz", allow_pickle=False) as stored:
        for split in ("val", "test"):
            limits = stored[f"{split}_ptr"].tolist()
            for start, end in pairwise(limits):
                normals = stored[f"{split}_normal"][start:end]
                label = stored[f"{split}_label"][start:end].astype(np.int64) - _FIRST_PART
                cap = PointCloud(stored[f"{split}_xyz"][start:end].astype(np.float64), {}, label)
                cap = with_normals(cap, normals)
                cap.fields["category"] = np.full(len(label), CATEGORIES.index("cap"))
                found.append(cap)
    return tuple(found)


def normals_of(cap: PointCloud) -> NDArray[Any]:
    """(N, 3) as stored."""
    return np.stack([cap.fields[name] for name in _NORMALS], axis=1)


def with_normals(cap: PointCloud, normals: NDArray[Any]) -> PointCloud:
    """The cap with other normals (N, 3)."""
    return replace(cap, fields={**cap.fields, **dict(zip(_NORMALS, normals.T, strict=True))})


def unchanged(cap: PointCloud, place: int) -> PointCloud:
    """The cap as the file has it."""
    return cap


def turned(cap: PointCloud) -> PointCloud:
    """The cap, all its normals turned to one side, as estimated ones are."""
    return with_normals(cap, upwards(normals_of(cap).astype(np.float64)))


def posed(cap: PointCloud, place: int) -> PointCloud:
    """The cap with a heading of its own: turned about y, which is its vertical."""
    angle = np.random.default_rng(500 + place).uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return with_normals(replace(cap, xyz=cap.xyz @ turn), normals_of(cap) @ turn)


def scenes(change: Change, features: tuple[str, ...]) -> list[ObjectScene]:
    """What a network sees of the caps, each changed by `change` with its number."""
    settings = CloudPreprocessing(features=features, optional=features[-1:], block=2.0, points=POINTS, whole=True)
    return [prepare_object(change(cap, place), settings, target=cap.label) for place, cap in enumerate(caps())]


def halves(seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Both ways to train on a random half of the caps and measure on the other."""
    order = np.random.default_rng(100 + seed).permutation(len(caps()))
    first, second = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    return [(first, second), (second, first)]


def fit(model: CloudModel, known: Sequence[ObjectScene], features: tuple[str, ...], *, steps: int, seed: int) -> None:
    """Train in place: Adam, whose rate falls from 0.001 along half a cosine; the model is then in eval mode.

    The arithmetic is bfloat16 where the processor has it.
    """
    random = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    sampler = ObjectSampler(known, points=POINTS, balance=0, classes=len(NAMES))
    change, loss, half = CloudTransform(_AUGMENT, features), CrossEntropy(), has_bf16("cpu")
    model.train()
    for _ in range(steps):
        blocks, labels = [], []
        for _ in range(BATCH):
            block, label = sampler.sample(random)
            block, kept = change(block, random)
            blocks.append(block)
            labels.append(label[kept].astype(np.int64))
        x, target = torch.from_numpy(np.stack(blocks)).transpose(1, 2), torch.from_numpy(np.stack(labels))
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            value = supervised_loss(loss, model.supervised(x), target)
        value.backward()
        optimizer.step()
        schedule.step()
    model.eval()


def part_iou(model: CloudModel, scene: ObjectScene) -> float:
    """The mean IoU of both parts, as ShapeNet part counts it: a part that neither has counts 1."""
    network = as_function(model, torch.device("cpu"))
    labels = object_probabilities(scene, network, points=POINTS, names=NAMES, batch=BATCH).argmax(1)
    found = []
    for part in range(len(NAMES)):
        mine, true = labels == part, scene.target == part
        union = int((mine | true).sum())
        found.append(int((mine & true).sum()) / union if union else 1.0)
    return float(np.mean(found))


def cross_validated(
    make: Callable[[], CloudModel], change: Change, features: tuple[str, ...], *, steps: int, seed: int
) -> dict[str, float]:
    """Train on each half and measure on the other: the mean IoU of the parts, over all sixteen caps."""
    seen = scenes(change, features)
    found = []
    for train, test in halves(seed):
        torch.manual_seed(seed)
        model = make()
        fit(model, [seen[place] for place in train], features, steps=steps, seed=seed)
        found += [part_iou(model, seen[place]) for place in test]
    return {"miou": float(np.mean(found))}
