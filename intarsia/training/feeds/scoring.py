"""Score the weights on pictures between epochs, and write a few to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intarsia.errors import DataError, ModelError
from intarsia.media.images import write_image
from intarsia.media.source import as_rgb
from intarsia.metrics import ConfusionMatrix, Scores
from intarsia.models import SegmentationModel
from intarsia.preprocessing import Preprocessing
from intarsia.result.renders import blend
from intarsia.runtimes.upsampling import upsampled_labels
from intarsia.training.distributed import World, sum_confusion
from intarsia.training.feeds.batches import SplitReader
from intarsia.training.progress import Progress
from intarsia.transforms.preprocess import prepare, resize_image


class Validator:
    """Scores a model on one split at native size, each process on its share of the samples.

    Args:
        reader: the validation split; targets at native size.
        preprocessing: the network's.
        world: this process among all.
        folder: where the pictures go, truth left and prediction right, one folder an epoch.
        samples: pictures per validation.
        say: told about files that cannot be read.
    """

    def __init__(
        self,
        reader: SplitReader,
        preprocessing: Preprocessing,
        world: World,
        folder: Path,
        *,
        samples: int,
        say: Callable[[str], None],
    ) -> None:
        self.reader = reader
        self._preprocessing = preprocessing
        self._world = world
        self._folder = folder
        self._say = say
        self._pictures = set(np.linspace(0, len(reader) - 1, min(samples, len(reader)), dtype=int).tolist())

    def score(self, model: SegmentationModel, epoch: int, precision: str, progress: Progress) -> Scores:
        """Scores of `model` (in eval mode) over the whole split.

        Raises:
            DataError: no sample has a usable label.
            ModelError: the network answers with NaN.
        """
        split = self.reader.split
        matrix = ConfusionMatrix(len(split.space), ignore_index=split.space.ignore_index)
        for index in range(self._world.rank, len(split), self._world.size):
            try:
                image, target = self.reader.read(index)
            except DataError as error:
                self._say(f"left out of validation: {error}")
                continue
            labels = self._predict(model, image, target.shape, precision)
            matrix.update(labels, target)
            if index in self._pictures:
                name = split.items[index].id.replace("/", "_")
                write_image(self._folder / f"epoch-{epoch:04d}" / f"{name}.jpg", self._picture(image, labels, target))
            progress.validated(index + 1, len(split))
        sum_confusion(matrix, self._world)
        if not matrix.counts.any():
            raise DataError(f"no sample of the split {split.name!r} has a usable label; run: intarsia data check")
        return matrix.compute()

    @torch.inference_mode()
    def _predict(
        self, model: SegmentationModel, image: NDArray[np.uint8], size: tuple[int, ...], precision: str
    ) -> NDArray[Any]:
        x = torch.from_numpy(prepare(image, self._preprocessing)).to(self._world.device)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model.logits(x).float().cpu().numpy()
        if np.isnan(logits).any():
            raise ModelError(
                "the network answers with NaN: its weights went out of all bounds; lower optimizer.lr, or look at "
                "training.clip_norm and the steps that were skipped"
            )
        dtype = self.reader.split.space.dtype
        return upsampled_labels(logits, (size[0], size[1]), align_corners=model.align_corners, dtype=dtype)

    def _picture(self, image: NDArray[np.uint8], labels: NDArray[Any], target: NDArray[Any]) -> NDArray[np.uint8]:
        shown = as_rgb(resize_image(image, *target.shape), self.reader.split.medium)
        space = self.reader.split.space
        return np.concatenate([blend(shown, target, space, 0.5), blend(shown, labels, space, 0.5)], axis=1)
