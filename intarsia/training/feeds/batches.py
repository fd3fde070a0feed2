"""Make batches: a pure function from step to batch, a cache of decoded pictures, and substitutes for bad files."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
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

from intarsia.datasets import PictureSplit
from intarsia.datasets.parts import open_picture
from intarsia.errors import DataError
from intarsia.losses import join_maps
from intarsia.memory import available_memory, keep_freed_memory
from intarsia.preprocessing import Preprocessing
from intarsia.transforms.augment import TrainingTransform
from intarsia.transforms.preprocess import resize_image, working_size

Pair = tuple[NDArray[np.uint8], NDArray[Any]]
_CACHE_SHARE = 0.25
_SUBSTITUTES = 16
_SPREAD = 2  # shards


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

    def __init__(self, split: PictureSplit, preprocessing: Preprocessing, *, resize_target: bool) -> None:
        self.split = split
        self._preprocessing = preprocessing
        self._resize_target = resize_target
        self._cached: dict[int, Pair] = {}

    def __len__(self) -> int:
        return len(self.split)

    def preload(self, copies: int) -> bool:
        """Decode everything now if `copies` of it take at most a quarter of the free memory."""
        if self.split.prepare():
            return True
        sizes = []
        for item in self.split.items[:: max(1, len(self) // 16)]:
            try:
                reader = open_picture(item.input)
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
        return self._resized(*self.split.read(index))

    def _resized(self, image: NDArray[np.uint8], target: NDArray[Any]) -> Pair:
        height, width = working_size(image.shape[0], image.shape[1], self._preprocessing)
        labels: NDArray[Any] = target
        if self._resize_target and target.shape != (height, width):
            labels = cv2.resize(target, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return resize_image(image, height, width), labels

    def draw(self, index: int, reach: tuple[int, int], seed: int) -> Pair:
        """One (image, target) pair from which a training crop is cut; of rasters and volumes a random part.

        Args:
            index: of the item.
            reach: (height, width) that the part has at least, as far as the item is so large.
            seed: the same seed draws the same part.

        Raises:
            DataError: the image or mask cannot be used.
        """
        if not self.split.in_parts:
            return self.read(index)
        return self._resized(*self.split.draw(index, reach, seed))

    def _read_or_none(self, index: int) -> Pair | None:
        try:
            return self.read(index)
        except DataError:
            return None


@dataclass(frozen=True)
class Batch:
    """A batch.

    Args:
        inputs: (N, h, w, channels) uint8 of pictures, or (N, P, channels) float32 of points; see `Feed.inputs`.
        targets: (N, h, w) or (N, P) labels.
        maps: what the loss derives from the labels of each sample, joined.
        indices: the items' indices.
        failures: what was wrong with unreadable files, by item.
    """

    inputs: Tensor
    targets: Tensor
    maps: dict[str, Tensor]
    indices: tuple[int, ...]
    failures: dict[int, str]


@dataclass(frozen=True)
class Sample:
    """One crop, or one block of points, of a `Batch`."""

    input: Tensor
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
                seed = mix(self._seed, epoch, index)
                image, target = self._reader.draw(candidate, self._transform.reach, seed)
            except DataError as error:
                failures[candidate] = str(error)
                candidate = mix(self._seed, epoch, index, attempt) % len(self._reader)
                continue
            crop, labels = self._transform(image, target, seed)
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

    With `weights`, an epoch has the same length, but each source takes its share of it: its number of samples times
    its weight. A source is gone through in permutations of its own that continue from epoch to epoch, so that all of
    its samples come before one comes again, as another crop.

    Args:
        samples: number of samples.
        batch: samples per step, over all processes.
        seed: of all permutations.
        start: the first step.
        stop: the step after the last.
        rank: this process's number.
        processes: number of processes.
        weights: (samples, weight) of each source, in the order of the samples; `()` draws all alike.
        shards: how many samples in a row each shard holds; without weights, an epoch goes through shard after shard,
            see `shuffled`. `()` is one permutation of all.
    """

    def __init__(
        self,
        samples: int,
        batch: int,
        seed: int,
        *,
        start: int,
        stop: int,
        rank: int,
        processes: int,
        weights: Sequence[tuple[int, float]] = (),
        shards: Sequence[int] = (),
    ) -> None:
        self.samples, self.batch, self.seed = samples, batch, seed
        self.start, self.stop, self.rank, self.processes = start, stop, rank, processes
        self.per_epoch = max(1, samples // batch)
        self.weights, self.shards = tuple(weights), tuple(shards)
        self._draws = _shared_out(max(samples, batch), [count * weight for count, weight in self.weights])

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order: list[tuple[int, int]] = []
        for step in range(self.start, self.stop):
            epoch, position = divmod(step, self.per_epoch)
            if position == 0 or step == self.start:
                order = self._weighted(epoch) if self.weights else self._plain(epoch)
            yield [
                order[place]
                for place in range(position * self.batch + self.rank, (position + 1) * self.batch, self.processes)
            ]

    def _plain(self, epoch: int) -> list[tuple[int, int]]:
        """The addresses of one epoch: every sample once, or in rounds where a batch takes more than there are."""
        rounds = -(-self.batch // self.samples)
        order = shuffled(self.samples, self.shards, np.random.default_rng(mix(self.seed, epoch))).tolist()
        return [(epoch * rounds + number, index) for number in range(rounds) for index in order]

    def _weighted(self, epoch: int) -> list[tuple[int, int]]:
        """The addresses of one epoch: of each source the next samples of its own sequence, all shuffled."""
        addresses: list[tuple[int, int]] = []
        first = 0
        for source, ((count, _), draws) in enumerate(zip(self.weights, self._draws, strict=True)):
            addresses += self._sequence(source, first, count, epoch * draws, (epoch + 1) * draws)
            first += count
        chosen = np.random.default_rng(mix(self.seed, epoch)).permutation(len(addresses))
        return [addresses[place] for place in chosen.tolist()]

    def _sequence(self, source: int, first: int, count: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Places `start` to `stop` of a source's endless sequence: (how often it was gone through, sample)."""
        for turn in range(start // count, -(-stop // count)):
            order = np.random.default_rng(mix(self.seed, source, turn, count)).permutation(count)
            place = turn * count
            for index in order[max(0, start - place) : stop - place].tolist():
                yield turn, first + index


def shuffled(samples: int, shards: Sequence[int], random: np.random.Generator) -> NDArray[np.int64]:
    """An order of samples in which neighbours are read from few shards, so that reading stays nearly sequential.

    The shards come in random order, and each sample moves back by a random number of places, up to as many as two
    shards hold: what a shuffle buffer does, but known in advance, and without one.

    Args:
        samples: number of samples.
        shards: how many of them in a row each shard holds; `()` is a permutation of all.
        random: decides.
    """
    if not shards:
        return random.permutation(samples)
    begins = np.cumsum(shards) - shards
    order = np.concatenate([np.arange(begins[n], begins[n] + shards[n]) for n in random.permutation(len(shards))])
    reach = _SPREAD * samples / len(shards)
    return order[np.argsort(np.arange(samples) + random.uniform(0, reach, samples), kind="stable")]


def _shared_out(total: int, shares: Sequence[float]) -> list[int]:
    """`total` divided in proportion to the shares, in whole numbers; each gets at least one."""
    if not shares:
        return []
    exact = np.array(shares) / sum(shares) * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    while counts.min() < 1 and counts.max() > 1:
        counts[counts.argmin()] += 1
        counts[counts.argmax()] -= 1
    return [int(count) for count in counts]


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples."""
    return Batch(
        torch.stack([sample.input for sample in samples]),
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
    """One thread a worker: the cores belong to the network. Decoded pictures come and go in the same memory.

    Signals that reach the whole group (Ctrl-C, a cluster's SIGTERM) are the main process's to answer: it still needs
    the batch that it waits for, writes a checkpoint, and then ends the workers.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    keep_freed_memory()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def default_workers() -> int:
    """Loading processes when the recipe names none: enough to feed the network, one core kept free."""
    return min(8, max(1, (os.cpu_count() or 1) - 1))
