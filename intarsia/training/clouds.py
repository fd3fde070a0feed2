"""Training on point clouds: scenes kept ready, blocks drawn from them, whole scenes scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from intarsia.bundle import CloudPreprocessing
from intarsia.datasets.clouds import CloudSplit
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelArray
from intarsia.media.clouds import PointCloud
from intarsia.media.clouds.render import top_view
from intarsia.media.images import write_image
from intarsia.memory import available_memory
from intarsia.metrics import ConfusionMatrix, Scores
from intarsia.models import SegmentationModel
from intarsia.models.cloud.running import BATCH_POINTS, as_function
from intarsia.recipe import Recipe
from intarsia.training.data import Batch, Sample, mix
from intarsia.training.distributed import World, sum_confusion
from intarsia.training.progress import Progress
from intarsia.transforms.clouds.augment import CloudTransform
from intarsia.transforms.clouds.blocks import FILL, BlockSampler, block_input, scene_probabilities, spread
from intarsia.transforms.clouds.columns import block_for
from intarsia.transforms.clouds.features import COLORED, channels
from intarsia.transforms.clouds.geometry import thin
from intarsia.transforms.clouds.scene import Scene, is_finite, prepare

_MEMORY_SHARE = 0.5


def cloud_preprocessing(recipe: Recipe, model: SegmentationModel, split: CloudSplit) -> CloudPreprocessing:
    """The recipe's, with the block's side from the density where it is left open.

    Raises:
        UsageError: the model takes another number of channels than coordinates and features make, or needs normals.
        DataError: no cloud of the split can be read.
    """
    if recipe.model.architecture == "acnn" and recipe.cloud.features[:1] != ["normals"]:
        raise UsageError(
            "acnn orders neighbours around their normals, which have to be the first feature: set "
            f"cloud.features=[normals, ...], not {recipe.cloud.features}"
        )
    wanted = channels(recipe.cloud.features)
    if model.in_channels != wanted:
        raise UsageError(
            f"model.options.in_channels is {model.in_channels}, but x, y, z and {', '.join(recipe.cloud.features)} "
            f"make {wanted}; set model.options.in_channels={wanted}, or other cloud.features"
        )
    block = recipe.cloud.block
    if block is None:
        cloud, _ = split.read(0)
        xyz = cloud.xyz[is_finite(cloud)]
        xyz = (xyz - xyz.min(axis=0)).astype(np.float32)
        block = block_for(xyz[thin(xyz, recipe.cloud.voxel)], recipe.cloud.points)
    optional = [name for name in recipe.cloud.features if name in COLORED] if recipe.cloud.augment.color_drop else []
    return CloudPreprocessing(
        features=tuple(recipe.cloud.features), optional=tuple(optional), block=block, points=recipe.cloud.points,
        voxel=recipe.cloud.voxel, neighbours=recipe.cloud.neighbours,
    )  # fmt: skip


class CloudFeed:
    """Blocks of labelled clouds; see `Feed`."""

    def __init__(
        self,
        recipe: Recipe,
        model: SegmentationModel,
        train: CloudSplit,
        val: CloudSplit,
        world: World,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._recipe, self._say = recipe, say
        self.split = train
        self.weights: tuple[tuple[int, float], ...] = ()  # blocks are drawn by their own rule, `cloud.balance`
        self.preprocessing = cloud_preprocessing(recipe, model, train)
        self.shape = (model.in_channels, recipe.cloud.points)
        self._names: list[str] = []
        self._sampler = BlockSampler(
            self._read(train), block=self.preprocessing.block, points=self.preprocessing.points,
            balance=recipe.cloud.balance, classes=len(train.space),
        )  # fmt: skip
        self.validator = CloudValidator(val, self.preprocessing, world, folder, recipe.training.samples, say)

    def _read(self, split: CloudSplit) -> list[Scene]:
        scenes, held = [], 0
        for index in range(len(split)):
            try:
                cloud, target = split.read(index)
                finite = is_finite(cloud)
            except DataError as error:
                self._say(f"left out of training: {error}")
                continue
            if not finite.all():
                self._say(f"{cloud.source}: {int((~finite).sum())} points without finite coordinates left out")
                cloud, target = cloud.take(finite), target[finite]
            scenes.append(prepare(cloud, self.preprocessing, target=target))
            self._names.append(cloud.source)
            held += scenes[-1].xyz.nbytes + scenes[-1].features.nbytes
            if held > _MEMORY_SHARE * available_memory():
                raise DataError(
                    f"the training clouds do not fit into memory ({held / 1e9:.1f} GB after {len(scenes)} of "
                    f"{len(split)}); set cloud.voxel higher, or train on fewer files"
                )
        if not scenes:
            raise DataError(f"no cloud of the split {split.name!r} can be read")
        points = sum(len(scene) for scene in scenes)
        self._say(f"{points:,} training points in {len(scenes)} clouds, blocks of {self.preprocessing.block:g} m")
        return scenes

    def __len__(self) -> int:
        return self._recipe.cloud.blocks or len(self._sampler)

    def prepare(self) -> None:
        """Nothing is left to do."""

    def samples(self, maps: Callable[[Tensor], dict[str, Tensor]]) -> Dataset[Sample]:
        transform = CloudTransform(self._recipe.cloud.augment, self.preprocessing.features)
        return BlockSamples(self._sampler, transform, self._recipe.training.seed, maps)

    def inputs(self, batch: Batch) -> Tensor:
        return batch.images.transpose(1, 2)

    def file(self, index: int) -> str:
        return ", ".join(self._names[:3]) + (", ..." if len(self._names) > 3 else "")

    @property
    def scenes(self) -> Sequence[Scene]:
        """The training clouds, for models that are fitted at once."""
        return self._sampler.scenes


class BlockSamples(Dataset[Sample]):
    """Augmented blocks, addressed by (epoch, index); the same address always gives the same block."""

    def __init__(
        self,
        sampler: BlockSampler,
        transform: CloudTransform,
        seed: int,
        maps: Callable[[Tensor], dict[str, Tensor]],
    ) -> None:
        self._sampler, self._transform, self._seed, self._maps = sampler, transform, seed, maps

    def __getitem__(self, address: tuple[int, int]) -> Sample:
        epoch, index = address
        random = np.random.default_rng(mix(self._seed, epoch, index))
        scene, points, centre = self._sampler.draw(random)
        block, kept = self._transform(block_input(scene, points, centre), random)
        if scene.target is None:
            raise ValueError("training scenes have targets")
        labels = torch.from_numpy(scene.target[points][kept].astype(np.int64))
        return Sample(torch.from_numpy(block), labels, self._maps(labels), index, {})


class CloudValidator:
    """Scores a model on every point of a split's clouds, each process on its share of them."""

    def __init__(
        self,
        split: CloudSplit,
        preprocessing: CloudPreprocessing,
        world: World,
        folder: Path,
        samples: int,
        say: Callable[[str], None],
    ) -> None:
        self._split, self._preprocessing, self._world, self._folder = split, preprocessing, world, folder
        self._pictures = set(np.linspace(0, len(split) - 1, min(samples, len(split)), dtype=int).tolist())
        self._say = say
        self._kept: dict[int, tuple[PointCloud, LabelArray, Scene]] = {}

    def score(self, model: SegmentationModel, epoch: int, precision: str, progress: Progress) -> Scores:
        """Scores of `model` (in eval mode) over the whole split.

        Raises:
            DataError: no cloud can be read.
        """
        space = self._split.space
        matrix = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
        network = as_function(model, self._world.device, bf16=precision == "bf16")
        for index in range(self._world.rank, len(self._split), self._world.size):
            try:
                cloud, target, scene = self._read(index)
            except DataError as error:
                self._say(f"left out of validation: {error}")
                continue
            settings = self._preprocessing
            found = scene_probabilities(
                scene, network, block=settings.block, points=settings.points, classes=len(space),
                batch=max(1, BATCH_POINTS // settings.points),
            )  # fmt: skip
            every = found if len(found) == len(cloud) else spread(cloud.xyz - scene.origin, scene, found, FILL)
            labels = every.argmax(axis=1).astype(space.dtype)
            matrix.update(labels, target)
            if index in self._pictures:
                views = [top_view(cloud.xyz, values, space)[0] for values in (target, labels)]
                name = self._split.items[index].id.replace("/", "_")
                write_image(self._folder / f"epoch-{epoch:04d}" / f"{name}.png", np.concatenate(views, axis=1))
            progress.validated(index + 1, len(self._split))
        sum_confusion(matrix, self._world)
        if not matrix.counts.any():
            raise DataError(f"no point of the split {self._split.name!r} has a usable label")
        return matrix.compute()

    def _read(self, index: int) -> tuple[PointCloud, LabelArray, Scene]:
        if index not in self._kept:
            cloud, target = self._split.read(index)
            finite = is_finite(cloud)
            cloud, target = cloud.take(finite), target[finite]
            # What is drawn and scored are coordinates and labels; the scene holds the rest.
            bare = PointCloud(cloud.xyz, source=cloud.source)
            self._kept[index] = bare, target, prepare(cloud, self._preprocessing)
        return self._kept[index]
