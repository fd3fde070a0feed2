"""Open the feed of a data set's medium."""

from __future__ import annotations

from pathlib import Path

from intarsia.datasets import Dataset
from intarsia.datasets.splits import MediumName
from intarsia.models import SegmentationModel
from intarsia.recipe import Recipe
from intarsia.training.distributed import World
from intarsia.training.feeds.clouds import CloudFeed
from intarsia.training.feeds.contract import Feed, FeedMaker, Say
from intarsia.training.feeds.pictures import PictureFeed
from intarsia.training.plan.setup import check_medium

FEEDS: dict[MediumName, FeedMaker] = {
    "picture": PictureFeed,
    "raster": PictureFeed,
    "volume": PictureFeed,
    "cloud": CloudFeed,
}
"""What feeds each medium to the loop."""


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
    return FEEDS[train.medium](recipe, model, train, val, world, folder, say)
