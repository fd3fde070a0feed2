"""What commands print: JSON for machines, tables for people, progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer

from intarsia.errors import UsageError

Options = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one option of the architecture; repeatable."),
]
Refine = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        help="Refine probabilities before labels are decided: crf, guided, bilateral, regions, or none; "
        "default: what the model's recipe says.",
    ),
]
RefineOptions = Annotated[
    list[str] | None,
    typer.Option("--refine-set", metavar="KEY=VALUE", help="Change one option of the refinement; repeatable."),
]
Decide = Annotated[
    Literal["argmax", "rankseg"],
    typer.Option(
        help="argmax: each pixel's likeliest class; rankseg: what maximises the expected Dice of every class, which "
        "helps small ones.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable result on standard output.")]


def read_refine(method: str | None, assignments: list[str] | None) -> dict[str, Any] | None:
    """The refinement that --refine and --refine-set describe; None for what the model's recipe says.

    Raises:
        UsageError: options without a method, or an option that is not of the form key=value.
    """
    from intarsia.recipe import read_assignments

    if method is None:
        if assignments:
            raise UsageError("--refine-set changes a refinement that --refine names, for instance --refine crf")
        return None
    return {"method": method, "options": read_assignments(assignments or ())}


def emit(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a plain table, wide columns wrapped to the terminal; columns named "... %" hold numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        shown.add_column(column, justify="right" if column.endswith("%") else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    Console().print(shown)


@contextmanager
def progress_bar(what: str, *, bytes_: bool = False, rate: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar with the remaining time, on standard error and only on a terminal; call it with (done, total).

    Args:
        what: is going on.
        bytes_: are counted.
        rate: also show how many are done a second.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.1f}/s" if rate and task.speed else "")

    console = Console(stderr=True)
    count = DownloadColumn() if bytes_ else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, Rate(""), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield update


def seconds(value: float) -> str:
    """A duration for people: "340 ms", "12.3 s", "4 min 05 s"."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"
