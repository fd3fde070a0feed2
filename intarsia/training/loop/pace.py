"""Train for so many minutes: how many steps they have room for, decided by the speed of the first ones.

It is decided early, and once more after a quarter of the time or steps if the machine is faster or slower by then. From
then on the learning rate is a function of the step again, so that a run that was interrupted ends like one that was
not. Only where the machine becomes slower still does the rate follow the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

_LEAST_STEPS = 4  # the first ones take longer than all others
_DECIDED_AT = (0.05, 0.25)  # of the time, or of the steps
_WRONG = 0.1  # share by which a decision has to be off to be changed
_SPARE = 0.05  # share of the rest that is kept back for slower steps
_BACKWARD = 2  # a step takes as long as so many validations of its pixels, and one more


@dataclass
class Paced:
    """What of it is in a checkpoint.

    Attributes:
        minutes: for which the steps were decided.
        steps: how many the run has, decided; 0: not yet.
        decisions: how often it was.
        spent: seconds of the minutes that are used up.
    """

    minutes: float = 0.0
    steps: int = 0
    decisions: int = 0
    spent: float = 0.0


class Pace:
    """Follows one run through its minutes.

    Args:
        minutes: None: as many as the steps take.
        most: steps of the run, if there is time for all of them.
        started: when the minutes began, by `clock`.
        validation: pixels of one validation, in those of a step.
        between: steps between validations.
        agreed: a number that all processes take: the first one's.
        clock: seconds.
    """

    def __init__(
        self,
        minutes: float | None,
        most: int,
        *,
        started: float,
        validation: float,
        between: int,
        agreed: Callable[[float], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._minutes, self.most, self._clock, self._agreed = minutes, most, clock, agreed
        self._validation, self._between = validation / (1 + _BACKWARD), between
        self._started = started
        self._origin: tuple[int, float] | None = None  # steps and time from which on the rate falls
        self._first: tuple[int, float] | None = None  # from which on the speed is measured
        self._reserve = self._validating = 0.0
        self.paced = Paced(minutes or 0.0)

    def resume(self, paced: Paced) -> None:
        """Go on where a checkpoint was written; other minutes than before are decided anew."""
        self._started -= paced.spent
        self.paced = paced if paced.minutes == self._minutes else Paced(self._minutes or 0.0)

    @property
    def total(self) -> int:
        """Steps of the run, as far as is known."""
        return (self._minutes is not None and self.paced.steps) or self.most

    def stored(self) -> Paced:
        """For a checkpoint of now."""
        return replace(self.paced, spent=0.0 if self._minutes is None else self._spent())

    def stepped(self, step: int) -> str:
        """Note that a step is done; returns a sentence when it is decided how many there will be."""
        if self._minutes is None or self.paced.decisions == len(_DECIDED_AT):
            return ""
        if self._first is None:
            self._first = (step, self._clock())
            return ""
        done = step - self._first[0]
        due = _DECIDED_AT[self.paced.decisions]
        early = self._spent() < due * 60 * self._minutes and not (self.paced.steps and step >= due * self.paced.steps)
        if self._agreed(float(done < _LEAST_STEPS or early)):
            return ""
        self.paced.decisions += 1
        seconds = (self._clock() - self._first[1] - self._validating) / done
        self._first, self._validating = (step, self._clock()), 0.0
        last = self._reserve or seconds * self._validation
        left = (1 - _SPARE) * (60 * self._minutes - self._spent() - last)
        room = min(self.most, step + max(1, int(left / (seconds + last / self._between))))
        room = int(self._agreed(float(room)))
        if self.paced.steps and abs(room / self.paced.steps - 1) < _WRONG:
            return ""
        self.paced.steps, self._origin = room, (step, self._clock())
        self._reserve = self._reserve or last
        return "" if room == self.most else f"{self._minutes:g} minutes have room for {room} steps at {seconds:.2g} s"

    def validated(self, seconds: float) -> None:
        """Note how long a validation took: the last one belongs to the minutes, too."""
        self._reserve = seconds
        self._validating += seconds if self._first is not None else 0.0

    def is_over(self, step: int) -> bool:
        """Whether the run ends here: by its steps, or because the minutes are used up but for a last validation."""
        if self._minutes is None:
            return False
        over = self._spent() + self._reserve >= 60 * self._minutes
        return bool(self._agreed(float(over))) or (self.paced.steps > 0 and step >= self.paced.steps)

    def place(self, step: int) -> int:
        """Which of `total` steps sets the learning rate of step `step` (1-based)."""
        if self._minutes is None:
            return step - 1
        if self._origin is None:
            self._origin = (step - 1, self._clock())
        first, since = self._origin
        length = max(60 * self._minutes - self._reserve - (since - self._started), 1e-9)
        share = self._agreed((self._clock() - since) / length)
        return max(step - 1, min(self.total - 1, first + int(share * (self.total - first))))

    def _spent(self) -> float:
        return self._clock() - self._started
