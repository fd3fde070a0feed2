"""Errors that people read: each names the thing, the reason and the fix, and carries the command line's exit code."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import ClassVar, cast


class IntarsiaError(Exception):
    """Base of every error that Intarsia raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(IntarsiaError):
    """The call itself is wrong: an unknown name, option or recipe key."""

    exit_code: ClassVar[int] = 2


class DataError(IntarsiaError):
    """A file or data set cannot be used (or written)."""

    exit_code: ClassVar[int] = 3


class TooLarge(DataError):
    """A source needs more memory than there is."""


class NothingFound(DataError):
    """A file is good, but what somebody looks for is not in it."""

    exit_code: ClassVar[int] = 1


class ModelError(IntarsiaError):
    """A model, checkpoint or bundle cannot be built, loaded or trained."""

    exit_code: ClassVar[int] = 4


def suggest(name: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `choices`, or the list of choices when none is close."""
    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?"
    if not known:
        return ""
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f" Known: {shown}."


def counted(number: int, thing: str, things: str = "") -> str:
    """A number of things in words: "1 cloud", "2,000 clouds"; `things` is the plural that is not made by an s."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which extra installs it."""
    # OpenVINO and NNCF would tell their makers of each import and use; without this package of theirs they cannot.
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"{module} is not installed; it comes with: pip install 'intarsia[{extra}]'") from error
