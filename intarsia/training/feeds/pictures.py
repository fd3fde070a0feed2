"""Feed pictures and their masks, windows of rasters and slices of volumes to the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from intarsia.datasets import PictureSplit
from intarsia.models import SegmentationModel
from intarsia.recipe import Recipe
from intarsia.training.distributed import World
from intarsia.training.feeds.batches import Batch, Sample, SplitReader, TrainingSamples
from intarsia.training.feeds.contract import Maps, Say
from intarsia.training.feeds.scoring import Validator
from intarsia.training.plan.setup import preprocessing_of
from intarsia.transforms.augment import TrainingTransform
from intarsia.transforms.preprocess import normalise


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
        self.shards = self.split.shards
        self.shape = (model.in_channels, *recipe.input.crop)
        self._reader = SplitReader(self.split, self.preprocessing, resize_target=True)
        self.validator: Validator = Validator(
            SplitReader(val.for_training(self.preprocessing, foreground=0), self.preprocessing, resize_target=False),
            self.preprocessing, world, folder, samples=recipe.training.samples, say=say,
        )  # fmt: skip

    @staticmethod
    def model_options(recipe: Recipe, train: PictureSplit) -> dict[str, Any]:
        """None: pictures leave nothing open."""
        return {}

    def __len__(self) -> int:
        return len(self.split)

    def prepare(self) -> None:
        if not self._recipe.training.cache:
            return
        readers = [(reader, reader.preload(self._world.size)) for reader in (self._reader, self.validator.reader)]
        kept = [reader.split.name for reader, fits in readers if fits]
        if not self.split.in_parts:
            self._say(f"decoded pictures kept in memory: {', '.join(kept) or 'none, they do not fit'}")

    def samples(self, maps: Maps) -> TorchDataset[Sample]:
        space, augment = self.split.space, self._recipe.augment
        sides = [(space.index(left), space.index(right)) for left, right in augment.sides]
        transform = TrainingTransform(augment, self._recipe.input.crop, ignore_index=space.ignore_index, sides=sides)
        return TrainingSamples(self._reader, transform, self._recipe.training.seed, maps=maps)

    def inputs(self, batch: Batch) -> Tensor:
        return torch.from_numpy(normalise(batch.inputs.numpy(), self.preprocessing))

    def file(self, index: int) -> str:
        return str(self.split.items[index].input)
