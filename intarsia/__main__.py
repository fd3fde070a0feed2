"""The `intarsia` command; with many processes: `torchrun --nproc-per-node N -m intarsia train DATA`."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from types import FrameType

_LOADED = 100_000  # objects that the largest command's code holds, about


def main() -> int:
    """Run the command of this process and return its exit code; signals end it in a sentence from here on."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is usual:
            signal.signal(number, _end)  # until the command takes its own care, and after it
    atexit.register(_finish)  # the first one, which is called last
    _load_without_collecting()
    from intarsia.cli.main import main as command  # takes a while

    return command()


def _load_without_collecting() -> None:
    """Look for garbage only once everything is loaded: what is loaded stays, and to look through it takes 70 ms."""
    usual = gc.get_threshold()

    def loaded(phase: str, _: dict[str, int]) -> None:
        if phase == "stop":
            gc.callbacks.remove(loaded)
            gc.freeze()
            gc.set_threshold(*usual)

    gc.callbacks.append(loaded)
    gc.set_threshold(_LOADED)


def _finish() -> None:
    """Let no signal end a process whose work is done and told: Python, as it ends, gives them back to the system."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_IGN)


def _end(number: int, _: FrameType | None) -> None:
    """End at once: nothing is under way yet, or any more."""
    said = "ended by SIGTERM" if number == signal.SIGTERM else "interrupted"
    os.write(2, f"{said}; nothing was left half-written\n".encode())
    os._exit(128 + number)  # as shells count it


if __name__ == "__main__":
    sys.exit(main())
