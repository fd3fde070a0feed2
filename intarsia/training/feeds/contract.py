"""Say what the loop needs to know of a medium: `Feed`. For pictures it is in `pictures`, for points in `clouds`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from intarsia.datasets import Split
from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.metrics import Scores
from intarsia.models import SegmentationModel
from intarsia.preprocessing import AnyPreprocessing
from intarsia.recipe import Recipe
from intarsia.training.distributed import World
from intarsia.training.feeds.batches import Batch, Sample
from intarsia.training.progress import Progress

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
        shards: of a split that is read in larger parts; see `StepBatches`.
    """

    @property
    def split(self) -> Split | CloudSplit: ...
    @property
    def preprocessing(self) -> AnyPreprocessing: ...
    @property
    def validator(self) -> Scoring: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def weights(self) -> tuple[tuple[int, float], ...]: ...
    @property
    def shards(self) -> tuple[int, ...]: ...

    def __len__(self) -> int:
        """Samples an epoch."""

    def prepare(self) -> None:
        """Load what is kept in memory, just before the first step."""

    def samples(self, maps: Maps) -> TorchDataset[Sample]:
        """Training samples, addressed by (epoch, index)."""

    def inputs(self, batch: Batch) -> Tensor:
        """A batch's inputs (N, *shape), float32."""

    def file(self, index: int) -> str:
        """The file that a sample came from, for messages."""


class FeedMaker(Protocol):
    """Makes the feed of a medium; the feed's own class."""

    def __call__(
        self, recipe: Recipe, model: SegmentationModel, train: Any, val: Any, world: World, folder: Path, say: Say
    ) -> Feed: ...

    def model_options(self, recipe: Recipe, train: Any) -> dict[str, Any]:
        """The model's options that follow from the recipe and the training split, as far as nobody said them.

        Raises:
            DataError: the data cannot be read.
        """
