"""Learner: a model with all that changes in a step of its training, in one of the training's processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from intarsia.datasets import Dataset
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace
from intarsia.memory import keep_freed_memory
from intarsia.models import SegmentationModel, build
from intarsia.models.synchronised import synchronise_norms
from intarsia.models.weights import initialise
from intarsia.recipe import Recipe
from intarsia.runtimes.torch import has_bf16
from intarsia.training.distributed import World, first_says
from intarsia.training.feeds.batches import Batch, mix
from intarsia.training.feeds.clips import ClipTraining
from intarsia.training.feeds.opening import open_feed
from intarsia.training.loop import among
from intarsia.training.loop.activations import use_fast_activations
from intarsia.training.loop.depthwise import use_fast_depthwise
from intarsia.training.loop.ema import AveragedWeights
from intarsia.training.loop.optim import build_optimizer, freeze_norms, learning_rate_factor, set_learning_rate
from intarsia.training.loop.precision import choose_precision
from intarsia.training.loop.sharding import called_once, require_many, shard
from intarsia.training.loop.supervision import SupervisedPass, supervised_loss
from intarsia.training.plan.setup import build_training_loss, check_names


class Moment(NamedTuple):
    """Where a step lies in its training.

    Attributes:
        step: its number, from 1.
        place: the step as the schedule counts, which may go faster than the steps where minutes are given.
        total: steps of the training, as far as is known.
        updates: whether the weights change, by the gradients that were summed up until then.
    """

    step: int
    place: int
    total: int
    updates: bool


class Learnt(NamedTuple):
    """What came of a step.

    Attributes:
        loss: of this process's samples.
        norm: of the gradient, that of all processes.
        taken: False where one of them was not finite: then weights, averages and norm statistics are what they were.
    """

    loss: float
    norm: float
    taken: bool


class Learner:
    """A model, what it learns from, and what changes in a step: averaged weights, norm statistics, the optimiser.

    Args:
        recipe: the experiment.
        dataset: the opened data set; its splits are named in the recipe.
        samples: folder for pictures of the validations.
        world: the processes that train together.
        say: told what was decided, in sentences.

    Attributes:
        precision: "fp32" or "bf16"; "" until `choose_precision` or a checkpoint says it.

    Raises:
        UsageError: the recipe asks for something that does not exist, or the processes cannot share it.
        DataError: the data cannot be used.
        ModelError: the model cannot be built.
    """

    def __init__(
        self, recipe: Recipe, dataset: Dataset, samples: Path, world: World, say: Callable[[str], None]
    ) -> None:
        keep_freed_memory()
        settings = recipe.training
        if settings.batch_size % world.size:
            raise UsageError(f"training.batch_size {settings.batch_size} cannot be shared by {world.size} processes")
        if settings.shard:
            require_many(world)
        self.recipe, self.world, self.precision = recipe, world, ""
        self.space: LabelSpace = dataset.space
        check_names(recipe, self.space)
        torch.manual_seed(settings.seed)
        self.model = build(recipe.model.architecture, classes=len(self.space), **recipe.model.options)
        notes = initialise(self.model, recipe.model.weights, self.space)
        self.feed = open_feed(recipe, self.model, dataset, world, samples, say)
        if not settings.shard:  # a divided model moves in parts, and has to lie in order
            self.model = self.model.to(world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = build_training_loss(recipe, self.feed.split).to(world.device)
        self.clips = None if recipe.clips is None else ClipTraining(recipe.clips, ignore_index=self.space.ignore_index)
        self.average = AveragedWeights(self.model, settings.ema)
        self._frozen_norms = freeze_norms(self.model) if settings.freeze_norms else []
        self._passes = SupervisedPass(self.model)
        if settings.shard:
            self._divide()
        elif world.size > 1:
            synchronise_norms(self.model)
        self.optimizer = build_optimizer(self.model, recipe.optimizer)
        for sentence in notes:
            say(sentence)

    def _divide(self) -> None:
        """Keep only this process's part of the model and of its average."""
        called = called_once(self._passes, self._input_shape(2))
        synchronise_norms(self.model)
        self._fast()
        shard(self._passes, self.model, called, self.world)
        self.average.divide(self.model, self.world.device)

    def choose_precision(self) -> None:
        """Decide in which numbers it computes, unless the recipe says it: every process alike."""
        asked = self.recipe.training.precision
        if asked == "auto" and self.recipe.training.shard:  # too large to try out as a whole
            asked = "bf16" if self.world.device.type == "cuda" and has_bf16("cuda") else "fp32"
        elif asked == "auto":
            trial = choose_precision(self._fast(), self.feed.shape, self._local_batch, self.world.device)
            asked = "bf16" if first_says(trial == "bf16", self.world) else "fp32"
        self.precision = asked

    def network(self) -> nn.Module:
        """What a step calls: it averages the gradients of all processes."""
        self._fast()
        if self.world.size == 1 or self.recipe.training.shard:
            return self._passes
        network = DistributedDataParallel(self._passes)
        if self.world.size > 2:  # two numbers have the same sum in any order
            with self._autocast():
                among.settle(network, torch.zeros(self._input_shape(self._local_batch), device=self.world.device))
        return network

    def step(self, network: nn.Module, batch: Batch, moment: Moment) -> Learnt:
        """Forward, backward and, when enough gradients are summed up, an update.

        Args:
            network: of `network`.
            batch: this process's samples.
            moment: where it lies in the training.
        """
        self._set(moment)
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        network.train()
        for frozen in self._frozen_norms:
            frozen.eval()
        summing = isinstance(network, DistributedDataParallel) and not moment.updates
        with network.no_sync() if summing else nullcontext():  # type: ignore[operator]
            loss = self._loss(network, batch, (moment.step - 1) / max(1, moment.total - 1))
            torch.autograd.backward(loss / self.recipe.training.accumulate)
        value = float(loss.detach())
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        norm = among.whole(torch.nn.utils.get_total_norm(gradients))
        # The summed gradient is the same in all processes, so that they skip together; the loss alone is local.
        if not bool(torch.isfinite(norm)) or (self.world.size == 1 and not np.isfinite(value)):
            self.optimizer.zero_grad(set_to_none=True)
            for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(before)
            return Learnt(value, float(norm), taken=False)
        if moment.updates:
            self._update(norm, moment.step)
        return Learnt(value, float(norm), taken=True)

    def _set(self, moment: Moment) -> None:
        """Set what a step depends on besides weights and samples."""
        # A seed per step instead of a stored generator state: dropout is then a pure function of the step.
        torch.manual_seed(mix(self.recipe.training.seed, moment.step, self.world.rank))
        factor = learning_rate_factor(moment.place, moment.total, self.recipe.optimizer)
        set_learning_rate(self.optimizer, factor, self.recipe.optimizer.eta_min)
        self.model.anneal(moment.place / max(1, moment.total - 1))

    def _loss(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        inputs = self.feed.inputs(batch).to(self.world.device)
        target = batch.targets.to(self.world.device)
        maps: dict[str, Tensor] | None = batch.maps
        clip = None if self.clips is None else self.clips.make(inputs, target)
        if clip is not None:
            inputs, target, maps = clip.frames, clip.labels.flatten(0, 1), None
        with self._autocast():
            outputs = network(inputs)
        loss = supervised_loss(
            partial(self.loss, progress=progress), outputs, target, maps=maps, align_corners=self.model.align_corners
        )
        if self.clips is not None and clip is not None:
            loss = loss + self.clips.consistency(outputs, clip)
        return loss

    def _update(self, norm: Tensor, step: int) -> None:
        if self.recipe.training.clip_norm:
            torch.nn.utils.clip_grads_with_norm_(self.model.parameters(), self.recipe.training.clip_norm, norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.model, step)

    @property
    def _local_batch(self) -> int:
        return self.recipe.training.batch_size // self.world.size

    def _fast(self) -> SegmentationModel:
        if self.world.device.type == "cpu":
            use_fast_depthwise(self.model)
            use_fast_activations(self.model)
        return self.model

    def _input_shape(self, samples: int) -> tuple[int, ...]:
        """The shape of what the network sees of so many samples: of clips, frame after frame."""
        clips = self.recipe.clips
        return (*(() if clips is None else (clips.frames,)), samples, *self.feed.shape)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.world.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")
