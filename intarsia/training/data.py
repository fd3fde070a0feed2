"""Feeding the loop: a pure function from step to batch, a cache of decoded pictures, and substitutes for bad files."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from intarsia.bundle import Preprocessing
from intarsia.datasets import Split
from intarsia.errors import DataError
from intarsia.losses import join_maps
from intarsia.media.images import open_image
from intarsia.memory import available_memory
from intarsia.transforms.augment import TrainingTransform
from intarsia.transforms.preprocess import resize_image, working_size

Pair = tuple[NDArray[np.uint8], NDArray[Any]]
_CACHE_SHARE = 0.25
_SUBSTITUTES = 16


def mix(*numbers: int) -> int:
    """One 63-bit seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


class SplitReader:
    """Pairs of one split at working size, decoded once when they fit into memory.

    Args:
        split: what to read.
        preprocessing: its `long_side` sets the working size.
        resize_target: also resize label maps (training); validation compares at native size.
    """

    def __init__(self, split: Split, preprocessing: Preprocessing, *, resize_target: bool) -> None:
        self.split = split
        self._preprocessing = preprocessing
        self._resize_target = resize_target
        self._cached: dict[int, Pair] = {}

    def __len__(self) -> int:
        return len(self.split)

    def preload(self, copies: int) -> bool:
        """Decode everything now if `copies` of it take at most a quarter of the free memory."""
        sizes = []
        for item in self.split.items[:: max(1, len(self) // 16)]:
            try:
                reader = open_image(item.image)
            except DataError:
                continue
            height, width = working_size(reader.height, reader.width, self._preprocessing)
            sizes.append(height * width * 3 + reader.height * reader.width)
        if not sizes or np.mean(sizes) * len(self) * copies > _CACHE_SHARE * available_memory():
            return False
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            pairs = pool.map(self._read_or_none, range(len(self)))
            self._cached = {index: pair for index, pair in enumerate(pairs) if pair is not None}
        return True

    def read(self, index: int) -> Pair:
        """One (image, target) pair.

        Raises:
            DataError: the image or mask cannot be used.
        """
        if index in self._cached:
            return self._cached[index]
        image, target = self.split.read(index)
        height, width = working_size(image.shape[0], image.shape[1], self._preprocessing)
        labels: NDArray[Any] = target
        if self._resize_target and target.shape != (height, width):
            labels = cv2.resize(target, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return resize_image(image, height, width), labels

    def _read_or_none(self, index: int) -> Pair | None:
        try:
            return self.read(index)
        except DataError:
            return None


@dataclass(frozen=True)
class Batch:
    """A batch.

    Args:
        images: (N, h, w, 3) uint8, or blocks of points (N, P, channels) float32.
        targets: (N, h, w) or (N, P) labels.
        maps: what the loss derives from the labels of each sample, joined.
        indices: the items' indices.
        failures: what was wrong with unreadable files, by item.
    """

    images: Tensor
    targets: Tensor
    maps: dict[str, Tensor]
    indices: tuple[int, ...]
    failures: dict[int, str]


@dataclass(frozen=True)
class Sample:
    """One crop of a `Batch`."""

    image: Tensor
    target: Tensor
    maps: dict[str, Tensor]
    index: int
    failures: dict[int, str]


class TrainingSamples(Dataset[Sample]):
    """Augmented crops, addressed by (epoch, index); the same address always gives the same crop.

    Args:
        reader: the pairs.
        transform: augmentation.
        seed: of all randomness.
        maps: of the labels of a crop, what the loss needs besides them (`Loss.maps`). Where augmentation leaves label
            maps as they are (but for flips), they are kept as far as memory allows.
    """

    def __init__(
        self,
        reader: SplitReader,
        transform: TrainingTransform,
        seed: int,
        *,
        maps: Callable[[Tensor], dict[str, Tensor]],
    ) -> None:
        self._reader = reader
        self._transform = transform
        self._seed = seed
        self._maps = maps
        self._kept: dict[bytes, dict[str, Tensor]] = {}
        self._room: float | None = None

    def __getitem__(self, address: tuple[int, int]) -> Sample:
        epoch, index = address
        failures: dict[int, str] = {}
        candidate = index
        for attempt in range(1, _SUBSTITUTES + 1):
            try:
                image, target = self._reader.read(candidate)
            except DataError as error:
                failures[candidate] = str(error)
                candidate = mix(self._seed, epoch, index, attempt) % len(self._reader)
                continue
            crop, labels = self._transform(image, target, mix(self._seed, epoch, index))
            repeats = self._transform.repeats(*target.shape)
            maps = self._remembered(labels) if repeats else self._maps(labels.long())
            return Sample(crop, labels, maps, candidate, failures)
        raise DataError(f"{_SUBSTITUTES} samples in a row cannot be read; the last: {failures[candidate]}")

    def _remembered(self, labels: Tensor) -> dict[str, Tensor]:
        """The maps of a label map that comes again, kept by its content."""
        key = hashlib.blake2b(labels.numpy().tobytes()).digest()
        if key not in self._kept:
            maps = self._maps(labels.long())
            if self._room is None:
                worker = get_worker_info()
                self._room = _CACHE_SHARE * available_memory() / (worker.num_workers if worker else 1)
            self._room -= sum(entry.nbytes for entry in maps.values())
            if self._room < 0:
                return maps
            self._kept[key] = maps
        return self._kept[key]


class StepBatches(Sampler[list[tuple[int, int]]]):
    """The addresses of every batch from step `start` on.

    They are a pure function of (seed, step, rank), so that a resumed run, any number of workers and any number of
    processes see the same data. Each epoch is a permutation of all samples, cut into batches; a rest smaller than a
    batch is dropped. With fewer samples than a batch takes, each comes several times, as other crops.
    """

    def __init__(
        self, samples: int, batch: int, seed: int, *, start: int, stop: int, rank: int, processes: int
    ) -> None:
        self.samples, self.batch, self.seed = samples, batch, seed
        self.start, self.stop, self.rank, self.processes = start, stop, rank, processes
        self.per_epoch = max(1, samples // batch)

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        rounds = -(-self.batch // self.samples)
        for step in range(self.start, self.stop):
            epoch, position = divmod(step, self.per_epoch)
            if position == 0 or step == self.start:
                order = np.random.default_rng(mix(self.seed, epoch)).permutation(self.samples)
            places = range(position * self.batch + self.rank, (position + 1) * self.batch, self.processes)
            yield [(epoch * rounds + place // self.samples, int(order[place % self.samples])) for place in places]


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples."""
    return Batch(
        torch.stack([sample.image for sample in samples]),
        torch.stack([sample.target for sample in samples]),
        join_maps([sample.maps for sample in samples]),
        tuple(sample.index for sample in samples),
        {index: message for sample in samples for index, message in sample.failures.items()},
    )


def batches(samples: Dataset[Sample], order: StepBatches, workers: int) -> DataLoader[Any]:
    """The loader of a whole training: its workers live until the last step."""
    forks = "fork" in multiprocessing.get_all_start_methods()
    return DataLoader(
        samples,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_quiet_worker,
        multiprocessing_context="fork" if workers and forks else None,
        prefetch_factor=4 if workers else None,
    )


def _quiet_worker(_: int) -> None:
    """One thread a worker: the cores belong to the network."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def default_workers() -> int:
    """Loading processes when the recipe names none: enough to feed the network, one core kept free."""
    return min(8, max(1, (os.cpu_count() or 1) - 1))
