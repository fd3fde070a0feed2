"""Open the feed of a data set's medium."""

from __future__ import annotations

from pathlib import Path

from intarsia.datasets import Dataset
from intarsia.datasets.layouts.clouds import CloudDataset
from intarsia.models import SegmentationModel
from intarsia.recipe import Recipe
from intarsia.training.distributed import World
from intarsia.training.feeds.clouds import CloudFeed
from intarsia.training.feeds.contract import Feed, Say
from intarsia.training.feeds.pictures import PictureFeed
from intarsia.training.plan.setup import check_medium, find_split


def open_feed(
    recipe: Recipe, model: SegmentationModel, dataset: Dataset | CloudDataset, world: World, folder: Path, say: Say
) -> Feed:
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
    if isinstance(dataset, CloudDataset):
        clouds = find_split(dataset, recipe.data.train), find_split(dataset, recipe.data.val)
        return CloudFeed(recipe, model, *clouds, world, folder, say)
    pictures = find_split(dataset, recipe.data.train), find_split(dataset, recipe.data.val)
    return PictureFeed(recipe, model, *pictures, world, folder, say)
