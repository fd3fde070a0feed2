"""What goes wrong in a training that goes on: samples that cannot be read, and steps that are not finite."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from intarsia.errors import DataError, ModelError
from intarsia.training.feeds.batches import Batch
from intarsia.training.loop.keeping import State
from intarsia.training.loop.learner import Learner, Learnt


class Faults:
    """Counts and tells what goes wrong, until it is too much.

    Args:
        folder: of the run.
        learner: whose samples and steps they are.
        say: told each one, in a sentence.
    """

    def __init__(self, folder: Path, learner: Learner, say: Callable[[str], None]) -> None:
        self._folder, self._feed, self._say = folder, learner.feed, say
        self._settings, self._rank = learner.recipe.training, learner.world.rank
        self._train, self._classes, self._still = learner.recipe.data.train, len(learner.space), 0

    def replaced(self, state: State, batch: Batch) -> None:
        """Count the samples of a batch that could not be read, in whose place others came.

        Raises:
            DataError: they are more than the recipe allows.
        """
        message = ""
        for index, message in batch.failures.items():
            name = self._feed.file(index)
            if name not in state.bad_samples:
                state.bad_samples.append(name)
                self._say(f"sample replaced: {message}")
        if len(state.bad_samples) > self._settings.max_bad_samples * len(self._feed):
            names = ", ".join(state.bad_samples[:10])
            raise DataError(
                f"{len(state.bad_samples)} of {len(self._feed)} training samples cannot be read, more than "
                f"training.max_bad_samples allows: {names}. The last: {message}. All of them: intarsia data check"
            )

    def stood_still(self, learnt: Learnt) -> None:
        """Count a step whose gradient is exactly 0."""
        self._still += learnt.norm == 0

    def ended(self, state: State) -> None:
        """Look at an epoch that has ended: whether something was learnt at all.

        Raises:
            ModelError: all of its steps were skipped.
            DataError: it is the first one, and no step had a gradient.
        """
        before = state.rows[-1]["step"] if state.rows else 0
        if state.step > before and not state.loss_count:
            raise ModelError(
                "no step of this epoch could be taken: the loss or gradient was not finite in any; lower "
                f"optimizer.lr, or look at {self._folder / f'skipped-{self._rank}.jsonl'}"
            )
        if not before and state.step and self._still == state.step and self._classes > 1:
            raise DataError(
                f"nothing is learnt: no step had a gradient. Either no element of the split {self._train!r} has a "
                "label that counts (intarsia data check), or training.loss or training.class_weights leaves all out"
            )

    def skipped(self, state: State, batch: Batch, learnt: Learnt) -> None:
        """Write down a step that was not taken, as its loss or gradient is not finite.

        Raises:
            ModelError: too many of them came in a row.
        """
        loss, norm = str(learnt.loss), str(learnt.norm)
        state.skipped += 1
        state.skipped_in_a_row += 1
        files = [self._feed.file(index) for index in batch.indices]
        entry = {"step": state.step, "loss": loss, "gradient_norm": norm, "files": files}
        with (self._folder / f"skipped-{self._rank}.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
        self._say(f"step {state.step} skipped, loss {loss}, gradient norm {norm}: {', '.join(files)}")
        if state.skipped_in_a_row >= self._settings.max_skipped_steps:
            raise ModelError(
                f"the loss or gradient was not finite in {state.skipped_in_a_row} steps in a row; lower "
                f"optimizer.lr, or look at the files of the last batch: {', '.join(files)}"
            )
