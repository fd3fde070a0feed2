"""Progress: on a terminal bars with the remaining time, else a line now and then; and one line an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from intarsia.stopping import Stop, never
from intarsia.training.log import Row

_SOON, _OFTEN = 5.0, 30.0  # seconds


def duration(seconds: float) -> str:
    """A time to wait, for people: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """Bars for the whole training and the current validation; silent without a console.

    Where there is no terminal (a log of a cluster, a pipe), a line soon after the start, and then twice a minute.

    Args:
        console: where to.
        total: steps of the whole training.
        done: steps that an earlier part of it made.
        stop: whether the training was asked to stop.
        clock: seconds.
    """

    def __init__(
        self,
        console: Console | None,
        total: int,
        done: int,
        *,
        stop: Stop = never,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop, self._clock = stop, clock
        self._total, self._before, self._done = total, done, done
        self._start, self._timed = clock(), False
        self._next = self._start + _SOON
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TimeRemainingColumn(),
            console=console, disable=console is None or not console.is_terminal, transient=True,
        )  # fmt: skip
        self._steps = self._bars.add_task("training", total=total, completed=done)
        self._validation = self._bars.add_task("validation", total=1, visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def advance(self, loss: float | None) -> None:
        """One step done; `loss` is None if it was skipped."""
        shown = "skipped" if loss is None else f"loss {loss:.3f}"
        self._bars.update(self._steps, advance=1, description=f"training, {shown}")
        self._done += 1
        if not self._timed:  # the first step takes longer than all others
            self._timed, self._before, self._start = True, self._done, self._clock()
        self._log(f"step {self._done} of {self._total}, {shown}", self._done - self._before, self._total - self._done)

    def expect(self, total: int) -> None:
        """The training will have so many steps."""
        self._total = total
        self._bars.update(self._steps, total=total)

    def stage(self, what: str, done: int, total: int) -> None:
        """`done` of `total` parts of a stage are finished, in a training that has stages instead of steps."""
        self._bars.update(self._steps, description=what, completed=done, total=total)
        self._log(f"{what}: {done} of {total}")

    def validated(self, done: int, total: int) -> None:
        """`done` of `total` validation samples are scored.

        Raises:
            KeyboardInterrupt: the training was asked to stop.
        """
        self._bars.update(self._validation, completed=done, total=total, visible=done < total)
        self._log(f"validation: {done} of {total}")
        if done < total and self._stop():
            raise KeyboardInterrupt

    def _log(self, text: str, done: int = 0, left: int = 0) -> None:
        """Print a line if there is no terminal and the last one is some time ago; with the time left, if known."""
        now = self._clock()
        if self._console is None or self._console.is_terminal or now < self._next:
            return
        self._next = now + _OFTEN
        rest = f", about {duration(left * (now - self._start) / done)} left" if done and left else ""
        self._console.print(text + rest, highlight=False, markup=False)

    def epoch(self, row: Row) -> None:
        """Print the line of a finished epoch."""
        if self._console is None:
            return
        text = f"epoch {row['epoch']:>3}  loss {row['loss']:.4f}  {row['images_per_second']:.1f} images/s"
        if "val_miou" in row:
            text += f"  val mIoU {row['val_miou']:.4f}  pixel accuracy {row['val_pixel_accuracy']:.4f}"
        self._console.print(text, highlight=False)
