"""Train by gradient steps: one plain pass from recipe to best bundle."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from torch import nn

from intarsia.bundle import Bundle
from intarsia.datasets import Dataset
from intarsia.errors import DataError
from intarsia.files import write_json
from intarsia.metrics import Scores
from intarsia.models import SegmentationModel
from intarsia.recipe import Recipe
from intarsia.stopping import Stop, never, stop_on_signals
from intarsia.training.distributed import World, first_says, join_world, number_of_first
from intarsia.training.feeds.batches import Batch, StepBatches, batches, default_workers
from intarsia.training.launch import is_restarted, sole_training
from intarsia.training.log import Row, RunLog
from intarsia.training.loop.faults import Faults
from intarsia.training.loop.keeping import Keeping, State
from intarsia.training.loop.learner import Learner, Moment
from intarsia.training.loop.pace import Pace
from intarsia.training.plan.setup import (
    Run,
    bundle_of,
    flat_scores,
    require_new,
)
from intarsia.training.progress import Progress


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
        settings = recipe.training
        self.recipe, self.folder, self.world, self.console = recipe, folder, world, console
        self.validation = [item.id for item in dataset.split(recipe.data.val).items]
        self.learner = Learner(recipe, dataset, folder / "samples", world, self._say)
        self.feed = self.learner.feed
        self.workers = default_workers() if settings.workers is None else settings.workers
        self.per_epoch = max(1, len(self.feed) // settings.batch_size)
        self.pace = Pace(
            settings.minutes, settings.epochs * self.per_epoch, started=started,
            validation=len(self.validation) / settings.batch_size, between=self.per_epoch * settings.validate_every,
            agreed=lambda number: number_of_first(number, world),
        )  # fmt: skip
        self.keeping = Keeping(folder, self.learner, self.pace, self.validation, self._say)
        self.faults = Faults(folder, self.learner, self._say)
        self.state = State()
        self.log = RunLog(folder, tensorboard=settings.tensorboard and world.is_main)

    @property
    def total(self) -> int:
        """Steps of the run: of all epochs, or as many as the minutes have room for."""
        return self.pace.total

    def run(self, resume: bool, stop: Stop) -> Run:
        """Train from the start or the newest checkpoint to the end, or until `stop` says so."""
        if not self.world.is_main:
            return self._run(resume, stop)
        resume = resume or is_restarted(self.folder)
        with sole_training(self.folder, self._say, patient=resume):
            return self._run(resume, stop)

    def _run(self, resume: bool, stop: Stop) -> Run:
        if first_says(resume, self.world):
            self._resume()
        elif self.world.is_main:
            require_new(self.folder)
        if self.world.is_main:
            write_json(self.folder / "labels.json", self.learner.space.to_json())
        if not self.state.precision:
            self._choose_precision()
        if self.world.is_main:
            resolved = self.recipe.override({"training.precision": self.state.precision})
            resolved.save(self.folder / "recipe.yaml")
        if (self.state.step < self.total or self._is_validation_due()) and not self._is_stale():
            self._train(stop)
        with self.learner.average.whole() as averaged:
            if self.world.is_main:
                self._bundle(averaged, self.state.rows[-1]).save(self.folder / "last.safetensors")
        return Run(self.folder, self.folder / "best.safetensors", self.state.best_scores)

    def _resume(self) -> None:
        state = self.keeping.restore()
        if state is None:
            self._say(f"{self.folder} holds nothing to continue: the training starts from the beginning")
        else:
            self.state, self.learner.precision = state, state.precision
            self.log.restore(state.rows)

    def _choose_precision(self) -> None:
        self.learner.choose_precision()
        self.state.precision = self.learner.precision
        self._say(f"training in {self.state.precision} on {self.world.device.type}, {self.workers} loading processes")

    def _train(self, stop: Stop) -> None:
        settings = self.recipe.training
        network = self.learner.network()
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
                    self.keeping.save(self.state)
                if stopping:
                    raise KeyboardInterrupt
            else:
                if self.state.step < self.total:  # stopped while it waited for a batch
                    if self.state.step % self.per_epoch:  # else there is one, or nothing to keep
                        self.keeping.save(self.state)
                    raise KeyboardInterrupt

    def steps(self, count: int) -> Iterator[None]:
        """Take the first steps, one at a time; nothing is validated or written down."""
        if not self.state.precision:
            self._choose_precision()
        network = self.learner.network()
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
        return batches(self.feed.samples(self.learner.loss.maps), order, self.workers)

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
        """Take one step. Returns the loss, or None if the step was skipped."""
        settings, state = self.recipe.training, self.state
        self.faults.replaced(state, batch)
        updates = state.step % settings.accumulate == 0 or state.step % self.per_epoch == 0
        moment = Moment(state.step, self.pace.place(state.step), self.total, updates)
        learnt = self.learner.step(network, batch, moment)
        if not learnt.taken:
            self.faults.skipped(state, batch, learnt)
            return None
        self.faults.stood_still(learnt)
        state.skipped_in_a_row = 0
        state.loss_sum += learnt.loss
        state.loss_count += 1
        return learnt.loss

    def _finish_epoch(self, progress: Progress) -> None:
        settings, state = self.recipe.training, self.state
        self.faults.ended(state)
        epoch = -(-state.step // self.per_epoch)
        steps = state.step - (state.rows[-1]["step"] if state.rows else 0)
        row: Row = {
            "epoch": epoch,
            "step": state.step,
            "loss": state.loss_sum / max(1, state.loss_count),
            "lr": self.learner.optimizer.param_groups[-1]["lr"],
            "images_per_second": round(steps * settings.batch_size / max(state.seconds, 1e-9), 2),
            "waiting": round(state.waited / max(state.seconds, 1e-9), 4),
            "skipped": state.skipped,
            "bad_samples": len(state.bad_samples),
        }
        is_last = state.step >= self.total or state.step % self.per_epoch > 0  # the minutes were over within an epoch
        if epoch % settings.validate_every == 0 or is_last or self.pace.is_over(state.step):
            begun = time.perf_counter()
            with self.learner.average.whole() as averaged:
                scores = self._score(averaged, epoch, progress)
                self.pace.validated(time.perf_counter() - begun)
                row |= {f"val_{name}": value for name, value in flat_scores(scores, self.learner.space).items()}
                self._judge(averaged, row)
        state.loss_sum, state.loss_count, state.seconds, state.waited = 0.0, 0, 0.0, 0.0
        state.rows.append(row)
        self.keeping.save(self.state)
        if self.world.is_main:
            self.log.add(row)
        progress.epoch(row)

    def _score(self, averaged: SegmentationModel, epoch: int, progress: Progress) -> Scores:
        try:
            return self.feed.validator.score(averaged, epoch, self.state.precision, progress)
        except KeyboardInterrupt:
            if self.world.size == 1:  # one of several does not reach the others
                self.keeping.save(self.state)  # before the epoch's row: the resumed run begins with this validation
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
        if best is not None and (value < best or (value == best and self.recipe.clips is None)):
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
            self.recipe, self.learner.space, self.feed.preprocessing, averaged,
            {"split": self.recipe.data.val, **{k: v for k, v in row.items() if k.startswith("val_") or k == "epoch"}},
        )  # fmt: skip

    def _say(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, highlight=False, markup=False)
