"""Feed point clouds to the loop: scenes kept ready, blocks drawn from them, whole scenes scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from intarsia.datasets.layouts.clouds import CloudSplit
from intarsia.errors import DataError, UsageError, counted
from intarsia.labels import LabelArray
from intarsia.media.clouds import PointCloud
from intarsia.media.clouds.render import top_view
from intarsia.media.images import write_image
from intarsia.memory import available_memory
from intarsia.metrics import ConfusionMatrix, Scores
from intarsia.models import SegmentationModel, architecture
from intarsia.models.cloud.running import BATCH_POINTS, as_function
from intarsia.preprocessing import CloudPreprocessing
from intarsia.recipe import Recipe
from intarsia.training.distributed import World, sum_confusion
from intarsia.training.feeds.batches import Batch, Sample, mix
from intarsia.training.progress import Progress
from intarsia.transforms.clouds.augment import CloudTransform
from intarsia.transforms.clouds.blocks import BlockSampler
from intarsia.transforms.clouds.categories import FIELD
from intarsia.transforms.clouds.columns import block_for, density
from intarsia.transforms.clouds.features import COLORED, channels
from intarsia.transforms.clouds.geometry import spacing, thin
from intarsia.transforms.clouds.labelling import point_probabilities, prepared
from intarsia.transforms.clouds.objects import DIAMETER, ObjectSampler
from intarsia.transforms.clouds.scene import Scene, is_finite

_MEMORY_SHARE = 0.5
_SPACING_BLOCKS = 8


def cloud_preprocessing(recipe: Recipe, model: SegmentationModel, split: CloudSplit) -> CloudPreprocessing:
    """The recipe's, with the block's side from the density where it is left open.

    Raises:
        UsageError: the model takes another number of channels than coordinates and features make, or needs normals.
        DataError: no cloud of the split can be read.
    """
    _check_features(recipe, model)
    cloud = _first_readable(split)
    optional = [name for name in recipe.cloud.features if name in COLORED] if recipe.cloud.augment.color_drop else []
    if FIELD in recipe.cloud.features and FIELD not in cloud.fields:
        optional.append(FIELD)  # objects of one kind, to which it means nothing
    block = _block(recipe, cloud)
    return CloudPreprocessing(
        features=tuple(recipe.cloud.features), optional=tuple(optional), block=block, points=recipe.cloud.points,
        voxel=recipe.cloud.voxel, neighbours=recipe.cloud.neighbours, whole=recipe.cloud.whole,
        density=None if recipe.cloud.whole else _density(recipe, cloud, block),
    )  # fmt: skip


def _density(recipe: Recipe, cloud: PointCloud, block: float) -> float:
    """Points per square metre that are left of a cloud, to two digits."""
    xyz = (cloud.xyz - cloud.xyz.min(axis=0)).astype(np.float32)
    return float(f"{density(xyz[thin(xyz, recipe.cloud.voxel)], block / 4):.2g}")


@dataclass(frozen=True)
class BlockData:
    """What architectures may ask of a split of clouds; see `TrainingData`.

    Attributes:
        recipe: says what a network sees at once.
        split: the clouds.
    """

    recipe: Recipe
    split: CloudSplit

    def spacing(self) -> float:
        """Median distance between neighbours among the points that a network sees at once, to two digits.

        Raises:
            DataError: no cloud of the split can be read.
        """
        said, cloud = self.recipe.cloud, _first_readable(self.split)
        settings = CloudPreprocessing(
            features=(), block=_block(self.recipe, cloud), points=said.points, voxel=said.voxel, whole=said.whole
        )
        scene = prepared(cloud, settings, target=np.zeros(len(cloud), dtype=np.uint8))
        sampler = _sampler([scene], settings, balance=0, classes=1)
        blocks = [sampler.sample(np.random.default_rng(seed))[0][:, :3] for seed in range(_SPACING_BLOCKS)]
        return float(f"{np.median([spacing(np.unique(block, axis=0)) for block in blocks]):.2g}")


def _sampler(
    scenes: Sequence[Any], settings: CloudPreprocessing, *, balance: float, classes: int
) -> BlockSampler | ObjectSampler:
    """What draws the network's inputs from prepared clouds."""
    if settings.whole:
        return ObjectSampler(scenes, points=settings.points, balance=balance, classes=classes)
    return BlockSampler(scenes, block=settings.block, points=settings.points, balance=balance, classes=classes)


def _first_readable(split: CloudSplit) -> PointCloud:
    for index in range(len(split)):
        try:
            cloud, _ = split.read(index)
            return cloud.take(is_finite(cloud))
        except DataError:
            continue  # reading it for training names it
    raise DataError(f"no cloud of the split {split.name!r} can be read")


def _block(recipe: Recipe, cloud: PointCloud) -> float:
    if recipe.cloud.whole or recipe.cloud.block is not None:
        return recipe.cloud.block or DIAMETER
    xyz = (cloud.xyz - cloud.xyz.min(axis=0)).astype(np.float32)
    return block_for(xyz[thin(xyz, recipe.cloud.voxel)], recipe.cloud.points)


def _check_features(recipe: Recipe, model: SegmentationModel) -> None:
    told = FIELD in recipe.cloud.features
    if told and not recipe.cloud.whole:
        raise UsageError("the feature category is about whole objects: set cloud.whole=true, or leave it out")
    if told and architecture(recipe.model.architecture).fitted:
        raise UsageError(f"{recipe.model.architecture} looks at single points; leave category out of cloud.features")
    architecture(recipe.model.architecture).check(recipe)
    wanted = channels(recipe.cloud.features)
    if model.in_channels != wanted:
        raise UsageError(
            f"model.options.in_channels is {model.in_channels}, but x, y, z and {', '.join(recipe.cloud.features)} "
            f"make {wanted}; set model.options.in_channels={wanted}, or other cloud.features"
        )


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
        self.shards: tuple[int, ...] = ()
        self.preprocessing = cloud_preprocessing(recipe, model, train)
        self.shape = (model.in_channels, recipe.cloud.points)
        self._names: list[str] = []
        self._sampler = _sampler(
            self._read(train), self.preprocessing, balance=recipe.cloud.balance, classes=len(train.space)
        )
        block, _ = self._sampler.sample(np.random.default_rng(0))
        for remark in model.remarks(torch.from_numpy(block[None]).transpose(1, 2)):
            say(remark)
        self.validator = CloudValidator(val, self.preprocessing, world, folder, recipe.training.samples, say)

    @staticmethod
    def model_options(recipe: Recipe, train: CloudSplit) -> dict[str, Any]:
        """How many channels the features make, and what the architecture takes from the points."""
        given = {"in_channels": channels(recipe.cloud.features)} | recipe.model.options
        return given | architecture(recipe.model.architecture).options_from(given, BlockData(recipe, train))

    def _read(self, split: CloudSplit) -> list[Scene]:
        scenes: list[Scene] = []
        told: set[str] = set()
        held = 0
        for index in range(len(split)):
            try:
                cloud, target = split.read(index)
                finite = is_finite(cloud)
            except DataError as error:
                self._say(f"left out of training: {error}")
                continue
            if not finite.all():
                lost = counted(int((~finite).sum()), "point")
                self._say(f"{cloud.source}: {lost} without finite coordinates left out")
                cloud, target = cloud.take(finite), target[finite]
            for note in set(cloud.notes) - told:
                self._say(f"{cloud.source}: {note}")
            told |= set(cloud.notes)
            scenes.append(prepared(cloud, self.preprocessing, target=target))
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
        seen = "each seen whole" if self.preprocessing.whole else f"blocks of {self.preprocessing.block:g} m"
        self._say(f"{counted(points, 'training point')} in {counted(len(scenes), 'cloud')}, {seen}")
        return scenes

    def __len__(self) -> int:
        return self._recipe.cloud.blocks or len(self._sampler)

    def prepare(self) -> None:
        """Nothing is left to do."""

    def samples(self, maps: Callable[[Tensor], dict[str, Tensor]]) -> Dataset[Sample]:
        transform = CloudTransform(self._recipe.cloud.augment, self.preprocessing.features)
        return BlockSamples(self._sampler, transform, self._recipe.training.seed, maps)

    def inputs(self, batch: Batch) -> Tensor:
        return batch.inputs.transpose(1, 2)

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
        sampler: BlockSampler | ObjectSampler,
        transform: CloudTransform,
        seed: int,
        maps: Callable[[Tensor], dict[str, Tensor]],
    ) -> None:
        self._sampler, self._transform, self._seed, self._maps = sampler, transform, seed, maps

    def __getitem__(self, address: tuple[int, int]) -> Sample:
        epoch, index = address
        random = np.random.default_rng(mix(self._seed, epoch, index))
        drawn, target = self._sampler.sample(random)
        block, kept = self._transform(drawn, random)
        labels = torch.from_numpy(target[kept].astype(np.int64))
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
            found = point_probabilities(
                cloud, scene, network, self._preprocessing, space.names, batch_points=BATCH_POINTS
            )
            labels = found.argmax(axis=1).astype(space.dtype)
            matrix.update(labels, target)
            if index in self._pictures:
                views = [top_view(cloud.xyz, values, space) for values in (target, labels)]
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
            self._kept[index] = bare, target, prepared(cloud, self._preprocessing)
        return self._kept[index]
