"""Train by gradient steps: one plain pass from recipe to best bundle."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from intarsia.bundle import Bundle
from intarsia.datasets import Dataset
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.files import write_json
from intarsia.labels import LabelSpace
from intarsia.memory import keep_freed_memory
from intarsia.metrics import Scores
from intarsia.models import SegmentationModel, build
from intarsia.models.synchronised import synchronise_norms
from intarsia.models.weights import initialise
from intarsia.recipe import Recipe
from intarsia.runtimes.torch import has_bf16
from intarsia.stopping import Stop, never, stop_on_signals
from intarsia.training.distributed import World, first_says, join_world, number_of_first
from intarsia.training.feeds.batches import Batch, StepBatches, batches, default_workers, mix
from intarsia.training.feeds.clips import ClipTraining
from intarsia.training.feeds.opening import open_feed
from intarsia.training.launch import is_restarted, sole_training
from intarsia.training.log import Row, RunLog
from intarsia.training.loop import among
from intarsia.training.loop.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from intarsia.training.loop.depthwise import use_fast_depthwise
from intarsia.training.loop.ema import AveragedWeights
from intarsia.training.loop.identity import differences, identity, is_extended
from intarsia.training.loop.optim import build_optimizer, freeze_norms, learning_rate_factor, set_learning_rate
from intarsia.training.loop.pace import Pace, Paced
from intarsia.training.loop.precision import choose_precision
from intarsia.training.loop.sharding import called_once, require_many, shard
from intarsia.training.loop.supervision import SupervisedPass, supervised_loss
from intarsia.training.plan.setup import (
    Run,
    build_training_loss,
    bundle_of,
    check_names,
    flat_scores,
    require_new,
)
from intarsia.training.progress import Progress


@dataclass
class _State:
    """What besides tensors a checkpoint holds; all of it plain JSON."""

    step: int = 0
    precision: str = ""
    best: float | None = None
    best_scores: dict[str, float] = field(default_factory=dict)
    stale: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    bad_samples: list[str] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_count: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    rows: list[Row] = field(default_factory=list)
    paced: dict[str, Any] = field(default_factory=dict)


def train(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    resume: bool = False,
    console: Console | None = None,
    stop: Stop = never,
    started: float | None = None,
) -> Run:
    """Train one recipe on one data set.

    Args:
        recipe: the experiment.
        dataset: the opened data set; its splits are named in the recipe.
        folder: run folder; gets ``recipe.yaml``, ``log.csv``, ``log.jsonl``, ``best.safetensors``,
            ``last.safetensors``, ``checkpoints/`` and ``samples/``.
        resume: continue from the newest intact checkpoint. On CPU the result equals that of an uninterrupted run bit
            for bit. A process that ``torchrun`` starts again continues without being asked.
        console: where progress goes; none: silent.
        stop: asked after each step, in addition to Ctrl-C and SIGTERM; of several processes, the first one's counts.
        started: when ``training.minutes`` began, by `time.monotonic`; None: now.

    Raises:
        UsageError: the recipe asks for something that does not exist, or the folder already holds a run.
        DataError: the data cannot be used, or the disk is full.
        ModelError: the model cannot be built, or the loss stays NaN.
        KeyboardInterrupt: stopped by the user or by `stop`, after a checkpoint of the current step.
    """
    with join_world() as world:
        console = console if world.is_main else None
        begun = time.monotonic() if started is None else started
        return Trainer(recipe, dataset, folder, world, console, begun).run(resume, stop)


class Trainer:
    """A training in one of its processes; see `train`."""

    def __init__(
        self, recipe: Recipe, dataset: Dataset, folder: Path, world: World, console: Console | None, started: float
    ) -> None:
        keep_freed_memory()
        settings = recipe.training
        if settings.batch_size % world.size:
            raise UsageError(f"training.batch_size {settings.batch_size} cannot be shared by {world.size} processes")
        if settings.shard:
            require_many(world)
        self.recipe, self.folder, self.world, self.console = recipe, folder, world, console
        self.space: LabelSpace = dataset.space
        check_names(recipe, self.space)
        torch.manual_seed(settings.seed)
        self.model = build(recipe.model.architecture, classes=len(self.space), **recipe.model.options)
        notes = initialise(self.model, recipe.model.weights, self.space)
        self.validation = [item.id for item in dataset.split(recipe.data.val).items]
        self.feed = open_feed(recipe, self.model, dataset, world, folder / "samples", self._say)
        if not settings.shard:  # a divided model moves in parts, and has to lie in order
            self.model = self.model.to(world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = build_training_loss(recipe, self.feed.split).to(world.device)
        self.clips = None if recipe.clips is None else ClipTraining(recipe.clips, ignore_index=self.space.ignore_index)
        self.average = AveragedWeights(self.model, settings.ema)
        self._frozen_norms = freeze_norms(self.model) if settings.freeze_norms else []
        self.passes = SupervisedPass(self.model)
        if settings.shard:
            self._divide()
        elif world.size > 1:
            synchronise_norms(self.model)
        self.optimizer = build_optimizer(self.model, recipe.optimizer)
        self.workers = default_workers() if settings.workers is None else settings.workers
        self.per_epoch = max(1, len(self.feed) // settings.batch_size)
        self.pace = Pace(
            settings.minutes, settings.epochs * self.per_epoch, started=started,
            validation=len(self.validation) / settings.batch_size, between=self.per_epoch * settings.validate_every,
            agreed=lambda number: number_of_first(number, world),
        )  # fmt: skip
        self.state = _State()
        self.log = RunLog(folder, tensorboard=settings.tensorboard and world.is_main)
        for sentence in notes:
            self._say(sentence)

    @property
    def total(self) -> int:
        """Steps of the run: of all epochs, or as many as the minutes have room for."""
        return self.pace.total

    def _divide(self) -> None:
        """Keep only this process's part of the model and of its average."""
        called = called_once(self.passes, self._input_shape(2))
        synchronise_norms(self.model)
        self._fast(self.model)
        shard(self.passes, self.model, called, self.world)
        self.average.divide(self.model, self.world.device)

    def run(self, resume: bool, stop: Stop) -> Run:
        """Train from the start or the newest checkpoint to the end, or until `stop` says so."""
        if not self.world.is_main:
            return self._run(resume, stop)
        resume = resume or is_restarted(self.folder)
        with sole_training(self.folder, self._say, patient=resume):
            return self._run(resume, stop)

    def _run(self, resume: bool, stop: Stop) -> Run:
        if first_says(resume, self.world):
            self._restore()
        elif self.world.is_main:
            require_new(self.folder)
        if self.world.is_main:
            write_json(self.folder / "labels.json", self.space.to_json())
        if not self.state.precision:
            self._choose_precision()
        if self.world.is_main:
            resolved = self.recipe.override({"training.precision": self.state.precision})
            resolved.save(self.folder / "recipe.yaml")
        if (self.state.step < self.total or self._is_validation_due()) and not self._is_stale():
            self._train(stop)
        with self.average.whole() as averaged:
            if self.world.is_main:
                self._bundle(averaged, self.state.rows[-1]).save(self.folder / "last.safetensors")
        return Run(self.folder, self.folder / "best.safetensors", self.state.best_scores)

    def _choose_precision(self) -> None:
        asked = self.recipe.training.precision
        if asked == "auto" and self.recipe.training.shard:  # too large to try out as a whole
            asked = "bf16" if self.world.device.type == "cuda" and has_bf16("cuda") else "fp32"
        elif asked == "auto":
            trial = choose_precision(self._fast(self.model), self.feed.shape, self._local_batch, self.world.device)
            # Every process must compute alike: the first one's choice is everyone's.
            asked = "bf16" if first_says(trial == "bf16", self.world) else "fp32"
        self.state.precision = asked
        self._say(f"training in {asked} on {self.world.device.type}, {self.workers} loading processes")

    @property
    def _local_batch(self) -> int:
        return self.recipe.training.batch_size // self.world.size

    def _fast(self, model: SegmentationModel) -> SegmentationModel:
        if self.world.device.type == "cpu":
            use_fast_depthwise(model)
        return model

    def _train(self, stop: Stop) -> None:
        settings = self.recipe.training
        network = self._network()
        self.feed.prepare()
        loader = self._batches(self.pace.most)
        with stop_on_signals() as signalled, self._progress(lambda: signalled() or stop()) as progress:
            if self._is_validation_due():
                self._finish_epoch(progress)
                if self.state.step >= self.total:
                    return
            clock = time.perf_counter()
            # Processes that train together wait for each other: none may leave before the others know.
            for batch in signalled.each(loader) if self.world.size == 1 else loader:
                self.state.waited += time.perf_counter() - clock
                self.state.step += 1
                loss = self._step(network, batch)
                progress.advance(loss)
                # All processes stop after the same step, or those that go on would wait for the others for ever.
                stopping = first_says(signalled() or stop() or self.world.is_orphan, self.world)
                now = time.perf_counter()
                self.state.seconds, clock = self.state.seconds + now - clock, now
                if sentence := self.pace.stepped(self.state.step):
                    self._say(sentence)
                    progress.expect(self.total)
                over = self.pace.is_over(self.state.step)
                if self.state.step % self.per_epoch == 0 or (over and not stopping):
                    self._finish_epoch(progress)
                    clock = time.perf_counter()
                    if over:
                        if self.state.step < self.pace.most:
                            self._say(f"{settings.minutes:g} minutes are over: ended after step {self.state.step}")
                        break
                    if self._is_stale():
                        self._say(f"no better {settings.monitor} in {self.state.stale} validations: stopped early")
                        break
                elif stopping or (settings.checkpoint_every and self.state.step % settings.checkpoint_every == 0):
                    self._save_checkpoint()
                if stopping:
                    raise KeyboardInterrupt
            else:
                if self.state.step < self.total:  # stopped while it waited for a batch
                    if self.state.step % self.per_epoch:  # else there is one, or nothing to keep
                        self._save_checkpoint()
                    raise KeyboardInterrupt

    def steps(self, count: int) -> Iterator[None]:
        """Take the first steps, one at a time; nothing is validated or written down."""
        if not self.state.precision:
            self._choose_precision()
        network = self._network()
        self.feed.prepare()
        for batch in self._batches(min(count, self.total)):
            self.state.step += 1
            self._step(network, batch)
            yield

    def _batches(self, stop: int) -> Iterable[Batch]:
        """The batches of all steps up to one, from the present one on."""
        settings = self.recipe.training
        order = StepBatches(
            len(self.feed), settings.batch_size, settings.seed,
            start=self.state.step, stop=stop, rank=self.world.rank, processes=self.world.size,
            weights=self.feed.weights, shards=self.feed.shards,
        )  # fmt: skip
        return batches(self.feed.samples(self.loss.maps), order, self.workers)

    def _network(self) -> nn.Module:
        """What a step calls: it averages the gradients of all processes."""
        self._fast(self.model)
        if self.world.size == 1 or self.recipe.training.shard:
            return self.passes
        network = DistributedDataParallel(self.passes)
        if self.world.size > 2:  # two numbers have the same sum in any order
            with self._autocast():
                among.settle(network, torch.zeros(self._input_shape(self._local_batch), device=self.world.device))
        return network

    def _input_shape(self, samples: int) -> tuple[int, ...]:
        """The shape of what the network sees of so many samples: of clips, frame after frame."""
        clips = self.recipe.clips
        return (*(() if clips is None else (clips.frames,)), samples, *self.feed.shape)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.world.device.type, dtype=torch.bfloat16, enabled=self.state.precision == "bf16")

    def _is_validation_due(self) -> bool:
        """Whether the run was stopped in the validation of a finished epoch, or in the last one of its minutes."""
        step, rows = self.state.step, self.state.rows
        ended = step % self.per_epoch == 0 or step >= self.total
        return step > 0 and ended and (not rows or rows[-1]["step"] < step)

    def _progress(self, stop: Stop) -> Progress:
        # Processes that add up their counts after a validation cannot leave it one by one.
        alone = self.world.size == 1
        return Progress(self.console, self.total, self.state.step, stop=stop if alone else never)

    def _step(self, network: nn.Module, batch: Batch) -> float | None:
        """Forward, backward and, when enough gradients are summed, an update. Returns the loss, or None if skipped."""
        settings = self.recipe.training
        step = self.state.step
        self._count_failures(batch)
        # A seed per step instead of a stored generator state: dropout is then a pure function of the step.
        torch.manual_seed(mix(settings.seed, step, self.world.rank))
        place = self.pace.place(step)
        factor = learning_rate_factor(place, self.total, self.recipe.optimizer)
        set_learning_rate(self.optimizer, factor, self.recipe.optimizer.eta_min)
        self.model.anneal(place / max(1, self.total - 1))
        updates = step % settings.accumulate == 0 or step % self.per_epoch == 0
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        network.train()
        for frozen in self._frozen_norms:
            frozen.eval()
        inputs = self.feed.inputs(batch).to(self.world.device)
        target = batch.targets.to(self.world.device)
        maps: dict[str, Tensor] | None = batch.maps
        clip = None if self.clips is None else self.clips.make(inputs, target)
        if clip is not None:
            inputs, target, maps = clip.frames, clip.labels.flatten(0, 1), None
        no_sync = network.no_sync() if isinstance(network, DistributedDataParallel) and not updates else nullcontext()
        with no_sync:
            with self._autocast():
                outputs = network(inputs)
            progress = (step - 1) / max(1, self.total - 1)
            loss = supervised_loss(
                partial(self.loss, progress=progress), outputs, target,
                maps=maps, align_corners=self.model.align_corners,
            )  # fmt: skip
            if self.clips is not None and clip is not None:
                loss = loss + self.clips.consistency(outputs, clip)
            torch.autograd.backward(loss / settings.accumulate)
        value = float(loss.detach())
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        norm = among.whole(torch.nn.utils.get_total_norm(gradients))
        # The summed gradient is the same in all processes, so that they skip together; the loss alone is local.
        if not bool(torch.isfinite(norm)) or (self.world.size == 1 and not np.isfinite(value)):
            self._skip(batch, value, float(norm), buffers)
            return None
        if updates:
            if settings.clip_norm:
                torch.nn.utils.clip_grads_with_norm_(self.model.parameters(), settings.clip_norm, norm)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.average.update(self.model, step)
        self.state.skipped_in_a_row = 0
        self.state.loss_sum += value
        self.state.loss_count += 1
        return value

    def _skip(self, batch: Batch, loss: float, norm: float, buffers: list[Tensor]) -> None:
        """Drop a step whose loss or gradient is not finite: weights, averages and norm statistics stay as they were."""
        self.optimizer.zero_grad(set_to_none=True)
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)
        self.state.skipped += 1
        self.state.skipped_in_a_row += 1
        files = [self.feed.file(index) for index in batch.indices]
        entry = {"step": self.state.step, "loss": str(loss), "gradient_norm": str(norm), "files": files}
        with (self.folder / f"skipped-{self.world.rank}.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
        self._say(f"step {self.state.step} skipped, loss {loss}, gradient norm {norm}: {', '.join(files)}")
        if self.state.skipped_in_a_row >= self.recipe.training.max_skipped_steps:
            raise ModelError(
                f"the loss or gradient was not finite in {self.state.skipped_in_a_row} steps in a row; lower "
                f"optimizer.lr, or look at the files of the last batch: {', '.join(files)}"
            )

    def _count_failures(self, batch: Batch) -> None:
        message = ""
        for index, message in batch.failures.items():
            name = self.feed.file(index)
            if name not in self.state.bad_samples:
                self.state.bad_samples.append(name)
                self._say(f"sample replaced: {message}")
        if len(self.state.bad_samples) > self.recipe.training.max_bad_samples * len(self.feed):
            names = ", ".join(self.state.bad_samples[:10])
            raise DataError(
                f"{len(self.state.bad_samples)} of {len(self.feed)} training samples cannot be read, more than "
                f"training.max_bad_samples allows: {names}. The last: {message}. All of them: intarsia data check"
            )

    def _finish_epoch(self, progress: Progress) -> None:
        settings, state = self.recipe.training, self.state
        epoch = -(-state.step // self.per_epoch)
        steps = state.step - (state.rows[-1]["step"] if state.rows else 0)
        row: Row = {
            "epoch": epoch,
            "step": state.step,
            "loss": state.loss_sum / max(1, state.loss_count),
            "lr": self.optimizer.param_groups[-1]["lr"],
            "images_per_second": round(steps * settings.batch_size / max(state.seconds, 1e-9), 2),
            "waiting": round(state.waited / max(state.seconds, 1e-9), 4),
            "skipped": state.skipped,
            "bad_samples": len(state.bad_samples),
        }
        is_last = state.step >= self.total or state.step % self.per_epoch > 0  # the minutes were over within an epoch
        if epoch % settings.validate_every == 0 or is_last or self.pace.is_over(state.step):
            begun = time.perf_counter()
            with self.average.whole() as averaged:
                scores = self._score(averaged, epoch, progress)
                self.pace.validated(time.perf_counter() - begun)
                row |= {f"val_{name}": value for name, value in flat_scores(scores, self.space).items()}
                self._judge(averaged, row)
        state.loss_sum, state.loss_count, state.seconds, state.waited = 0.0, 0, 0.0, 0.0
        state.rows.append(row)
        self._save_checkpoint()
        if self.world.is_main:
            self.log.add(row)
        progress.epoch(row)

    def _score(self, averaged: SegmentationModel, epoch: int, progress: Progress) -> Scores:
        try:
            return self.feed.validator.score(averaged, epoch, self.state.precision, progress)
        except KeyboardInterrupt:
            if self.world.size == 1:  # one of several does not reach the others
                self._save_checkpoint()  # before the epoch's row: the resumed run begins with this validation
            raise

    def _judge(self, averaged: SegmentationModel, row: Row) -> None:
        """Keep the weights if they are the best so far."""
        value = row.get(f"val_{self.recipe.training.monitor}")
        if value is None:
            raise DataError(
                f"{self.recipe.training.monitor!r} has no value on the split {self.recipe.data.val!r}: "
                "the class occurs neither in its labels nor in the predictions"
            )
        best = self.state.best
        # On clips, what is learned may not show on the single pictures of the validation: the latest of equals counts.
        if best is not None and (value < best or (value == best and self.clips is None)):
            self.state.stale += 1
            return
        self.state.best, self.state.stale = value, 0
        self.state.best_scores = {
            name.removeprefix("val_"): score for name, score in row.items() if name.startswith("val_")
        }
        if self.world.is_main:
            self._bundle(averaged, row).save(self.folder / "best.safetensors")

    def _is_stale(self) -> bool:
        patience = self.recipe.training.patience
        return bool(patience) and self.state.stale >= patience

    def _bundle(self, averaged: SegmentationModel, row: Row) -> Bundle:
        return bundle_of(
            self.recipe, self.space, self.feed.preprocessing, averaged,
            {"split": self.recipe.data.val, **{k: v for k, v in row.items() if k.startswith("val_") or k == "epoch"}},
        )  # fmt: skip

    def _save_checkpoint(self) -> None:
        """Write down all that decides how the training goes on; every process takes part, the main one writes."""
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.state(),
            "optimizer": optimizer_tensors(self.optimizer),
            **among.gradients(self.model, self.world),
        }
        tensors = among.gathered(groups, self.world)
        if self.world.is_main:
            state = {**vars(self.state), "paced": vars(self.pace.stored()), "recipe": self._identity()}
            save_checkpoint(self.folder / "checkpoints", self.state.step, Checkpoint(tensors, state))

    def _restore(self) -> None:
        found = load_checkpoint(self.folder / "checkpoints") if self.world.is_main else None
        if found is not None:
            for sentence in found[2]:
                self._say(sentence)
        checkpoint = among.of_first(None if found is None else found[0], self.world, self._held())
        if checkpoint is None:
            self._say(f"no checkpoint in {self.folder}: starting from the beginning")
            return
        state = dict(checkpoint.state)
        stored = state.pop("recipe")
        changed = differences(stored, self._identity())
        if is_extended(changed, stored, self._identity()):
            more = f"from {stored['training']['epochs']} to {self.recipe.training.epochs} epochs"
            self._say(f"the run is made longer, {more}: from here on the learning rate is that of the longer run")
        elif changed:
            raise UsageError(f"cannot resume {self.folder}: the recipe or data changed since ({', '.join(changed)})")
        self.state = _State(**state)
        self.pace.resume(Paced(**self.state.paced))
        self.model.load_state_dict(checkpoint.tensors["model"])
        self.average.load(checkpoint.tensors["average"])
        restore_optimizer(self.optimizer, checkpoint.tensors["optimizer"])
        gradients = among.own_gradients(checkpoint.tensors, self.world)
        for name, parameter in self.model.named_parameters():
            parameter.grad = None
            if name in gradients:  # in the parameter's order of channels: their norm is summed up as they lie
                parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(gradients[name])
        self.log.restore(self.state.rows)
        if found is not None:
            self._say(f"resumed from {found[1]}: step {self.state.step} of {self.total}")

    def _held(self) -> Callable[[str, str], Tensor | None]:
        """By group and name, what a checkpoint's tensor goes into."""
        parameters = dict(self.model.named_parameters())
        numbered = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        held = {"model": self.model.state_dict(), "average": self.average.state()}

        def like(group: str, name: str) -> Tensor | None:
            found: Tensor | None = held.get(group, parameters).get(name)
            return numbered[int(name.partition(".")[0])] if group == "optimizer" else found

        return like

    def _identity(self) -> dict[str, Any]:
        return identity(
            self.recipe,
            classes=list(self.space.names),
            samples=[item.id for item in self.feed.split.items],
            weights=self.feed.weights,
            validation=self.validation,
        )

    def _say(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, highlight=False, markup=False)
