"""Progress on the console: bars with the remaining time, and one line an epoch."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from intarsia.stopping import Stop, never
from intarsia.training.log import Row


class Progress:
    """Bars for the whole training and the current validation; silent without a console."""

    def __init__(self, console: Console | None, total: int, done: int, per_epoch: int, *, stop: Stop = never) -> None:
        self._stop = stop
        self._per_epoch = per_epoch
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

    def stage(self, what: str, done: int, total: int) -> None:
        """`done` of `total` parts of a stage are finished, in a training that has stages instead of steps."""
        self._bars.update(self._steps, description=what, completed=done, total=total)

    def validated(self, done: int, total: int) -> None:
        """`done` of `total` validation samples are scored.

        Raises:
            KeyboardInterrupt: the training was asked to stop.
        """
        self._bars.update(self._validation, completed=done, total=total, visible=done < total)
        if done < total and self._stop():
            raise KeyboardInterrupt

    def epoch(self, row: Row) -> None:
        """Print the line of a finished epoch."""
        if self._console is None:
            return
        text = f"epoch {row['epoch']:>3}  loss {row['loss']:.4f}  {row['images_per_second']:.1f} images/s"
        if "val_miou" in row:
            text += f"  val mIoU {row['val_miou']:.4f}  pixel accuracy {row['val_pixel_accuracy']:.4f}"
        self._console.print(text, highlight=False)
