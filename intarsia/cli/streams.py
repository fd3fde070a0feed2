"""The three standard streams: names that are no text, streams that are closed, and outputs that nobody reads."""

from __future__ import annotations

import io
import os
import sys

PIPE = "-"
"""What standard input is called as a source, and standard output as the file that is written."""


def prepare() -> None:
    """Make the streams fit to be used: one that is closed (`>&-`, some daemons) becomes an empty one.

    In the order of their numbers, so that each gets its own: else the next file that is opened, maybe a result, would
    have the number of standard output, and libraries that print would write into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for the process's life
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be no text at all
            stream.reconfigure(errors="backslashreplace")


def leave_unread() -> None:
    """Let what is still in the buffer of standard output go nowhere: it would fail once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
