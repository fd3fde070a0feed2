"""Training samples a second: our loader against torchvision's v2 transforms and albumentations in a plain Dataset.

All three read the same CamVid files (a photo and its label map) in two loading processes of one thread each, zoom by
0.5 to 2, cut 320 x 416, flip, change brightness, contrast and saturation by up to 30 %, and end with batches of
normalised float32 pictures and labels. The peers are written as their manuals do.

"Ten epochs" is what a training waits for its data, from the first file to the last batch: our loader decodes a data set
that fits into memory once, at the start, which counts; the plain Datasets decode every sample every time. "Decoding
every time" is the same without that memory (training.cache: false), in the middle of an epoch.

    INTARSIA_DATA=/folder/that/holds/camvid python benchmarks/data.py

Needs albumentations 2.0.8 (pip install albumentations==2.0.8), which is no dependency of the package.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from common import alternate, arguments, compare, report
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from intarsia.datasets import Split, open_dataset
from intarsia.preprocessing import Preprocessing
from intarsia.recipe import Augment
from intarsia.training.feeds.batches import SplitReader, StepBatches, TrainingSamples, batches
from intarsia.transforms.augment import TrainingTransform
from intarsia.transforms.preprocess import normalise

CROP, BATCH, WORKERS = (320, 416), 8, 2
SCALE, JITTER, VOID, GREY = (0.5, 2.0), 0.3, 11, 124
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WARM_UP = 10  # batches that the workers have ready before the clock starts
EPOCHS = 10

Pair = tuple[Tensor, Tensor]


class WithTorchvision(Dataset[Pair]):
    """Pillow and torchvision.transforms.v2, as in torchvision's own segmentation reference."""

    def __init__(self, split: Split) -> None:
        self.items = split.items
        self.transform = v2.Compose(
            [
                v2.ScaleJitter(target_size=(360, 480), scale_range=SCALE),
                v2.RandomCrop(CROP, pad_if_needed=True, fill={tv_tensors.Image: GREY, tv_tensors.Mask: VOID}),
                v2.RandomHorizontalFlip(),
                v2.ColorJitter(JITTER, JITTER, JITTER),
                v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Pair:
        item = self.items[index]
        image = tv_tensors.Image(v2.functional.pil_to_tensor(Image.open(str(item.input)).convert("RGB")))
        mask = tv_tensors.Mask(v2.functional.pil_to_tensor(Image.open(str(item.target))))
        image, mask = self.transform(image, mask)
        return image, mask[0]


class WithAlbumentations(Dataset[Pair]):
    """OpenCV and albumentations, as in its own segmentation examples."""

    def __init__(self, split: Split) -> None:
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its newest version otherwise
        import albumentations

        self.items = split.items
        around = (1 - JITTER, 1 + JITTER)
        self.transform = albumentations.Compose(
            [
                albumentations.RandomScale((SCALE[0] - 1, SCALE[1] - 1), p=1),
                albumentations.PadIfNeeded(*CROP, border_mode=cv2.BORDER_CONSTANT, fill=GREY, fill_mask=VOID),
                albumentations.RandomCrop(*CROP),
                albumentations.HorizontalFlip(),
                albumentations.ColorJitter(around, around, around, (0, 0), p=1),
                albumentations.Normalize(MEAN, STD),
                albumentations.ToTensorV2(),
            ]
        )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Pair:
        item = self.items[index]
        image = cv2.cvtColor(cv2.imread(str(item.input)), cv2.COLOR_BGR2RGB)
        mask = cv2.imread(str(item.target), cv2.IMREAD_UNCHANGED)
        done = self.transform(image=image, mask=mask)
        return done["image"], done["mask"]


def one_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def plain_batches(dataset: Dataset[Pair], steps: int) -> Iterable[Pair]:
    """A shuffled loader, epoch after epoch."""
    count = (steps + WARM_UP) * BATCH
    order = np.concatenate([np.random.permutation(len(dataset)) for _ in range(-(-count // len(dataset)))])  # type: ignore[arg-type]
    return DataLoader(
        dataset, BATCH, sampler=order[:count].tolist(), num_workers=WORKERS, prefetch_factor=4,
        worker_init_fn=one_thread, multiprocessing_context="fork",
    )  # fmt: skip


def our_batches(split: Split, steps: int, *, cache: bool) -> Iterable[Pair]:
    """The training loop's loader, normalised as in its step."""
    preprocessing = Preprocessing(mean=MEAN, std=STD)
    reader = SplitReader(split, preprocessing, resize_target=True)
    if cache and not reader.preload(1):
        raise SystemExit("the pictures do not fit into memory")
    transform = TrainingTransform(
        Augment(scale=SCALE, brightness=JITTER, contrast=JITTER, saturation=JITTER),
        CROP,
        ignore_index=split.space.ignore_index,
    )
    samples = TrainingSamples(reader, transform, 0, maps=lambda target: {})
    order = StepBatches(len(split), BATCH, 0, start=0, stop=steps + WARM_UP, rank=0, processes=1)
    for batch in batches(samples, order, WORKERS):
        images = normalise(batch.inputs, preprocessing).to(memory_format=torch.channels_last)
        yield images, batch.targets


def samples_per_second(make: Callable[[int], Iterable[Any]], steps: int, *, whole: bool) -> float:
    """Of `steps` batches after the loader is warm, or of the whole run, the loader's own start included."""
    start, counted = time.perf_counter(), 0
    for number, (images, targets) in enumerate(make(steps), start=1):
        assert images.shape == (BATCH, 3, *CROP) and images.dtype == torch.float32 and targets.shape[1:] == CROP
        counted += BATCH
        if number == WARM_UP and not whole:
            start, counted = time.perf_counter(), 0
    return counted / (time.perf_counter() - start)


def main() -> None:
    options = arguments(__doc__.partition("\n")[0] if __doc__ else "").parse_args()
    warnings.simplefilter("ignore")
    one_thread(0)
    data = os.environ.get("INTARSIA_DATA")
    if not data or not (Path(data) / "camvid").is_dir():
        raise SystemExit("set INTARSIA_DATA to the folder that holds camvid/")
    split = open_dataset(Path(data) / "camvid").split("train")
    epoch = len(split) // BATCH
    steps, rounds = (30, 3) if options.quick else (90, 7)
    peers = {"torchvision v2": WithTorchvision(split), "albumentations 2.0.8": WithAlbumentations(split)}
    cases = [
        (f"{EPOCHS} epochs, from the first file to the last batch", EPOCHS * epoch, True),
        ("decoding every time", steps, False),
    ]
    rows = []
    for case, count, whole in cases:
        for name, dataset in peers.items():
            mine = partial(samples_per_second, partial(our_batches, split, cache=whole), count, whole=whole)
            theirs = partial(samples_per_second, partial(plain_batches, dataset), count, whole=whole)
            measured = alternate(2 if whole else rounds, mine, theirs)
            rows.append(compare(case, "samples per second", "/s", *measured, name, higher_is_better=True))
    report(f"CamVid training samples, {WORKERS} loading processes", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
