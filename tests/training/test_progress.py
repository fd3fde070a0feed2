"""Lines of progress where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from intarsia.training.progress import Progress, duration


def test_lines_with_the_time_left() -> None:
    out, now = io.StringIO(), [0.0]
    console = Console(file=out, width=200)
    with Progress(console, 1000, 100, clock=lambda: now[0]) as progress:
        for _ in range(100):
            now[0] += 2
            progress.advance(0.5)
        progress.validated(1, 3)
        now[0] += 40
        progress.validated(2, 3)
    lines = out.getvalue().splitlines()
    # After five seconds, and then every thirty: 2 s a step, 900 steps to do.
    assert lines[:2] == [
        "step 103 of 1000, loss 0.500, about 30 min left",
        "step 118 of 1000, loss 0.500, about 29 min left",
    ]
    assert [int(line.split()[1]) for line in lines[:-1]] == [103, 118, 133, 148, 163, 178, 193]
    assert lines[-1] == "validation: 2 of 3"


def test_silent_on_a_terminal_and_without_a_console() -> None:
    out = io.StringIO()
    for console in (None, Console(file=out, force_terminal=True)):
        progress = Progress(console, 10, 0, clock=iter([0.0, 100.0, 200.0]).__next__)
        progress.advance(0.5)
    assert "step" not in out.getvalue()


def test_a_validation_asks_whether_to_stop() -> None:
    progress = Progress(None, 10, 0, stop=lambda: True)
    progress.validated(3, 3)
    with pytest.raises(KeyboardInterrupt):
        progress.validated(2, 3)


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (89, "89 s"), (100, "2 min"), (12000, "3 h 20 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
