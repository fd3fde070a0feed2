"""The `intarsia` command; with many processes: `torchrun --nproc-per-node N -m intarsia train DATA`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

_LOADED = 100_000  # objects that the largest command's code holds, about


def main() -> int:
    """Run the command of this process and return its exit code; Ctrl-C ends it in a sentence from here on."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)  # until the command takes its own care, and after it
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


def _end(number: int, _: FrameType | None) -> None:
    """End at once: nothing is under way yet, or any more."""
    os.write(2, b"interrupted; nothing was left half-written\n")
    os._exit(128 + number)  # as shells count it


if __name__ == "__main__":
    sys.exit(main())
