"""Where commands write: -o names the file or folder, --overwrite replaces what is there, --resume goes on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from intarsia.errors import UsageError
from intarsia.files import sweep

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted job (what is finished is always skipped).")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")]
JobDryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Only say what would be written, and what memory and time it would take."),
]


def refuse_both(*, overwrite: bool, resume: bool) -> None:
    """Refuse --overwrite and --resume together.

    Raises:
        UsageError: both are given.
    """
    if overwrite and resume:
        raise UsageError("--overwrite does everything again, --resume continues; choose one")


def require_new(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that is taken, before any work is done; an empty folder is free.

    What is to be overwritten is cleared of what was left by commands that were killed.

    Raises:
        UsageError: it is a file or a folder that holds something, and nobody said --overwrite.
    """
    taken = target.is_file() or (target.is_dir() and any(target.iterdir()))
    if taken and not overwrite:
        raise UsageError(f"{target} exists; give another name (-o), or --overwrite")
    if overwrite:
        sweep(target)


def explain(error: typer.TyperException, given: Sequence[str]) -> None:
    """Say in a usage error of a command line what was meant: where the result goes, or a file named like an option."""
    text = error.format_message()
    if text.startswith("Missing option") and "'-o'" in text:
        error.message = "It says where the result goes: -o FILE or -o FOLDER."
    elif "unexpected extra argument" in text:
        error.message += ". If it names the result, write -o before it."
    elif text.startswith("No such option"):
        named = [word for word in given if word.startswith("-") and os.path.lexists(word)]
        if named:
            error.message = f"{error.message.rstrip('.')}. If {named[0]} is a file, write ./{named[0]}."
