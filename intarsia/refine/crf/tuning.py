"""Finding a CRF's settings on labelled pictures."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.refine.checks import check_image, check_probabilities
from intarsia.refine.crf.backends import BackendName, find_backend
from intarsia.refine.crf.inference import marginals, picture_terms
from intarsia.refine.crf.kernels import Grid
from intarsia.refine.crf.presets import DEFAULT, Preset, find

Floats = NDArray[np.float32]
Sample = tuple[Floats, NDArray[np.uint8], NDArray[Any]]
Score = Callable[[NDArray[np.intp], NDArray[Any]], float]

GRID: Mapping[str, Sequence[float]] = {
    "bilateral_weight": (1, 2, 4),
    "bilateral_xy": (10, 30, 67),
    "bilateral_rgb": (3, 6, 12),
}
"""What `tune` tries by default: 27 settings."""


class Scores(Protocol):
    """What a matrix computes."""

    miou: float


class Matrix(Protocol):
    """A confusion matrix such as `intarsia.metrics.ConfusionMatrix`."""

    def update(self, prediction: Any, target: Any) -> None:
        """Add label maps of equal shape."""

    def compute(self) -> Scores:
        """Scores so far; `miou` is what counts."""


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes:
        best: the settings with the highest score; equal ones in the order of the grid.
        score: theirs.
        unrefined: the score without a CRF. If it is the highest, do without one.
        trials: all settings with their scores, the best first.
    """

    best: Preset
    score: float
    unrefined: float
    trials: tuple[tuple[Preset, float], ...]


def tune(
    samples: Iterable[Sample],
    score: Matrix | Score,
    *,
    grid: Mapping[str, Sequence[float]] = GRID,
    preset: str | Preset = DEFAULT,
    prune: float = 0.01,
    backend: BackendName = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Tuning:
    """Try CRF settings on labelled pictures, as the authors of DeepLab did on a hundred of them (ICLR 2015, section 5).

    Choose on pictures other than those that the score is reported for, and other than those that the network was
    trained on if there are any: on its own training pictures a network is surer than elsewhere. Then search
    again around the best.

    Args:
        samples: probabilities (C, H, W), picture (H, W, 3) and target labels (H, W) of each picture; read once, one at
            a time, so that they do not all have to be in memory.
        score: an empty confusion matrix, of which every trial gets a copy and whose mIoU decides; or a function of
            predicted and target labels, averaged over the pictures.
        grid: values to try by name of the preset's numbers; all combinations.
        preset: what is not in the grid.
        prune: as for `dense_crf`.
        backend: as for `dense_crf`.
        progress: called after each picture and trial with the number done for this picture and the number of trials.

    Raises:
        UsageError: a name or number that the presets do not have, or an empty grid.
        DataError: no samples, or one that does not fit together.
    """
    trials = [find(preset, **dict(zip(grid, values, strict=True))) for values in itertools.product(*grid.values())]
    if not trials:
        raise UsageError("the grid has no values to try")
    machine = find_backend(backend)
    scorers = [_Scorer(score) for _ in range(len(trials) + 1)]
    for probs, image, target in samples:
        check_probabilities(probs)
        check_image(image, probs.shape[1:])
        scorers[-1].add(probs, target)
        built: dict[tuple[float, ...], Any] = {}
        for done, (trial, scorer) in enumerate(zip(trials, scorers, strict=False), start=1):
            terms = []
            for kernel, weight in picture_terms(image, trial):
                # Weights and iterations do not matter to a filter, so most trials find theirs ready.
                key = kernel.sigma if isinstance(kernel, Grid) else (trial.bilateral_xy, trial.bilateral_rgb, 0)
                if key not in built:
                    built[key] = machine.build(kernel)
                terms.append((built[key], weight))
            out = np.empty(probs.shape, np.float32)
            flat = probs.reshape(len(probs), -1)
            marginals(flat, terms, machine, trial.iterations, prune, lambda: None, out.reshape(flat.shape))
            scorer.add(out, target)
            if progress is not None:
                progress(done, len(trials))
    scores = [scorer.result() for scorer in scorers]
    ranked = sorted(zip(trials, scores, strict=False), key=lambda pair: -pair[1])
    return Tuning(*ranked[0], scores[-1], tuple(ranked))


class _Scorer:
    """The score of one trial over all pictures."""

    def __init__(self, score: Matrix | Score) -> None:
        self._score = copy.deepcopy(score)
        self._values: list[float] = []
        self._count = 0

    def add(self, probs: Floats, target: NDArray[Any]) -> None:
        if target.shape != probs.shape[1:]:
            raise DataError(f"probabilities {probs.shape} and target {target.shape} differ in size")
        labels = probs.argmax(0)
        self._count += 1
        if callable(self._score):
            self._values.append(self._score(labels, target))
        else:
            self._score.update(labels, target)

    def result(self) -> float:
        if not self._count:
            raise DataError("there are no samples to tune on")
        return float(np.mean(self._values) if callable(self._score) else self._score.compute().miou)
