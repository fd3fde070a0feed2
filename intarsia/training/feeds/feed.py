"""Feed: what the loop needs to know of a medium. Pictures, rasters and volumes here; clouds in `training.clouds`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset as Samples

from intarsia.bundle import CloudPreprocessing, Preprocessing
from intarsia.datasets import Dataset, PictureSplit, Split
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.metrics import Scores
from intarsia.models import SegmentationModel
from intarsia.recipe import Recipe
from intarsia.training.distributed import World
from intarsia.training.feeds.clouds import CloudFeed
from intarsia.training.feeds.data import Batch, Sample, SplitReader, TrainingSamples
from intarsia.training.feeds.validation import Validator
from intarsia.training.plan.setup import check_medium, preprocessing_of
from intarsia.training.progress import Progress
from intarsia.transforms.augment import TrainingTransform
from intarsia.transforms.preprocess import normalise

Maps = Callable[[Tensor], dict[str, Tensor]]
Say = Callable[[str], None]


class Scoring(Protocol):
    """Scores weights between epochs."""

    def score(self, model: SegmentationModel, epoch: int, precision: str, progress: Progress) -> Scores:
        """Scores of `model` (in eval mode) on the validation split."""


class Feed(Protocol):
    """One medium's way from a data set to batches and scores.

    Attributes:
        split: the training split as the loop sees it.
        preprocessing: from the source to the network's input; goes into the bundle.
        validator: scores the weights.
        shape: (channels, *S) of one training input.
        weights: of a split that was merged from several data sets; see `StepBatches`.
    """

    @property
    def split(self) -> Split: ...
    @property
    def preprocessing(self) -> Preprocessing | CloudPreprocessing: ...
    @property
    def validator(self) -> Scoring: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def weights(self) -> tuple[tuple[int, float], ...]: ...

    def __len__(self) -> int:
        """Samples an epoch."""

    def prepare(self) -> None:
        """Load what is kept in memory, just before the first step."""

    def samples(self, maps: Maps) -> Samples[Sample]:
        """Training samples, addressed by (epoch, index)."""

    def inputs(self, batch: Batch) -> Tensor:
        """A batch's inputs (N, *shape), float32."""

    def file(self, index: int) -> str:
        """The file that a sample came from, for messages."""


class PictureFeed:
    """Pictures and their masks, windows of rasters, slices of volumes."""

    def __init__(
        self,
        recipe: Recipe,
        model: SegmentationModel,
        train: PictureSplit,
        val: PictureSplit,
        world: World,
        folder: Path,
        say: Say,
    ) -> None:
        self._recipe, self._world, self._say = recipe, world, say
        self.preprocessing = preprocessing_of(model, recipe)
        self.split = train.for_training(self.preprocessing, foreground=recipe.data.foreground)
        self.weights = self.split.weights
        self.shape = (model.in_channels, *recipe.input.crop)
        self._reader = SplitReader(self.split, self.preprocessing, resize_target=True)
        self.validator: Validator = Validator(
            SplitReader(val.for_training(self.preprocessing, foreground=0), self.preprocessing, resize_target=False),
            self.preprocessing, world, folder, samples=recipe.training.samples, say=say,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.split)

    def prepare(self) -> None:
        if not self._recipe.training.cache:
            return
        readers = [(reader, reader.preload(self._world.size)) for reader in (self._reader, self.validator.reader)]
        kept = [reader.split.name for reader, fits in readers if fits]
        if self.split.medium == "picture":
            self._say(f"decoded pictures kept in memory: {', '.join(kept) or 'none, they do not fit'}")

    def samples(self, maps: Maps) -> Samples[Sample]:
        ignore_index = self.split.space.ignore_index
        transform = TrainingTransform(self._recipe.augment, self._recipe.input.crop, ignore_index=ignore_index)
        return TrainingSamples(self._reader, transform, self._recipe.training.seed, maps=maps)

    def inputs(self, batch: Batch) -> Tensor:
        return normalise(batch.images, self.preprocessing).contiguous(memory_format=torch.channels_last)

    def file(self, index: int) -> str:
        return str(self.split.items[index].input)


def open_feed(recipe: Recipe, model: SegmentationModel, dataset: Dataset, world: World, folder: Path, say: Say) -> Feed:
    """The feed for a data set's medium.

    Args:
        recipe: the experiment; names the splits.
        model: what is trained.
        dataset: the data.
        world: the processes of the training.
        folder: for pictures of validation samples.
        say: told what was decided, in sentences.

    Raises:
        UsageError: the data set has no such split, or the model is for another medium.
        DataError: the data cannot be used.
    """
    check_medium(recipe, dataset)
    train, val = dataset.split(recipe.data.train), dataset.split(recipe.data.val)
    if isinstance(train, CloudSplit) and isinstance(val, CloudSplit):
        return CloudFeed(recipe, model, train, val, world, folder, say)
    assert isinstance(train, PictureSplit) and isinstance(val, PictureSplit)  # as the medium says
    return PictureFeed(recipe, model, train, val, world, folder, say)
