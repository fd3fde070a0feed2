"""Keeping: all that decides how a training goes on, written down and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intarsia.errors import UsageError
from intarsia.training.log import Row
from intarsia.training.loop import among
from intarsia.training.loop.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from intarsia.training.loop.identity import differences, identity, is_extended
from intarsia.training.loop.learner import Learner
from intarsia.training.loop.pace import Pace, Paced


@dataclass
class State:
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


class Keeping:
    """The checkpoints of a run, in one of its processes; every one of them has to take part.

    Args:
        folder: of the run.
        learner: what is kept, and taken up.
        pace: likewise.
        validation: ids of the samples that are validated on; another run has others.
        say: told what was found, in sentences.
    """

    def __init__(
        self, folder: Path, learner: Learner, pace: Pace, validation: list[str], say: Callable[[str], None]
    ) -> None:
        self._folder, self._learner, self._pace, self._say = folder, learner, pace, say
        self._validation = validation

    def save(self, state: State) -> None:
        """Write down all that decides how the training goes on; the main process writes."""
        learner = self._learner
        groups = {
            "model": learner.model.state_dict(),
            "average": learner.average.state(),
            "optimizer": optimizer_tensors(learner.optimizer),
            **among.gradients(learner.model, learner.world),
        }
        tensors = among.gathered(groups, learner.world)
        if learner.world.is_main:
            said = {**vars(state), "paced": vars(self._pace.stored()), "recipe": self._identity()}
            save_checkpoint(self._folder / "checkpoints", state.step, Checkpoint(tensors, said))

    def restore(self) -> State | None:
        """Take up the newest intact checkpoint; None where there is none.

        Raises:
            UsageError: it is of another recipe, or of other data.
        """
        world = self._learner.world
        found = load_checkpoint(self._folder / "checkpoints") if world.is_main else None
        if found is not None:
            for sentence in found[2]:
                self._say(sentence)
        checkpoint = among.of_first(None if found is None else found[0], world, self._held())
        if checkpoint is None:
            self._say(f"no checkpoint in {self._folder}: starting from the beginning")
            return None
        said = dict(checkpoint.state)
        self._compare(said.pop("recipe"))
        state = State(**said)
        self._pace.resume(Paced(**state.paced))
        self._take_up(checkpoint.tensors)
        if found is not None:
            self._say(f"resumed from {found[1]}: step {state.step} of {self._pace.total}")
        return state

    def _compare(self, stored: dict[str, Any]) -> None:
        now = self._identity()
        changed = differences(stored, now)
        if is_extended(changed, stored, now):
            more = f"from {stored['training']['epochs']} to {self._learner.recipe.training.epochs} epochs"
            self._say(f"the run is made longer, {more}: from here on the learning rate is that of the longer run")
        elif changed:
            raise UsageError(f"cannot resume {self._folder}: the recipe or data changed since ({', '.join(changed)})")

    def _take_up(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        learner = self._learner
        learner.model.load_state_dict(tensors["model"])
        learner.average.load(tensors["average"])
        restore_optimizer(learner.optimizer, tensors["optimizer"])
        gradients = among.own_gradients(tensors, learner.world)
        for name, parameter in learner.model.named_parameters():
            parameter.grad = None
            if name in gradients:  # in the parameter's order of channels: their norm is summed up as they lie
                parameter.grad = torch.empty_like(parameter, requires_grad=False).copy_(gradients[name])

    def _held(self) -> Callable[[str, str], Tensor | None]:
        """By group and name, what a checkpoint's tensor goes into."""
        learner = self._learner
        parameters = dict(learner.model.named_parameters())
        numbered = [parameter for group in learner.optimizer.param_groups for parameter in group["params"]]
        held = {"model": learner.model.state_dict(), "average": learner.average.state()}

        def like(group: str, name: str) -> Tensor | None:
            found: Tensor | None = held.get(group, parameters).get(name)
            return numbered[int(name.partition(".")[0])] if group == "optimizer" else found

        return like

    def _identity(self) -> dict[str, Any]:
        learner = self._learner
        return identity(
            learner.recipe,
            classes=list(learner.space.names),
            samples=[item.id for item in learner.feed.split.items],
            weights=learner.feed.weights,
            validation=self._validation,
        )
