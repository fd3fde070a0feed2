"""The words of a command line before any command reads them: what no command takes for what it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from intarsia.cli.commands import PIPED
from intarsia.cli.streams import PIPE
from intarsia.errors import DataError, UsageError
from intarsia.files import local

# Where a place stands in a word: alone, or behind its option. Shells expand ~ in the first case only.
_PLACE = re.compile(r"(?P<option>-o|--[a-z][a-z-]*=)?(?P<place>~/.*|(?:file:|https?://|ftp://).*)", re.DOTALL)
_OUT = ("-o", "--out", "--out=")


def understood(given: Sequence[str]) -> list[str]:
    """Turn addresses of files (``file:///...``) and ``~/`` into the paths that they mean, wherever places are named.

    Raises:
        UsageError: an empty word, an address of the network, or - for a command that takes no pipes.
        DataError: the current folder is gone.
    """
    if "" in given:  # which would be the current folder
        raise UsageError('an argument is empty (""): is a variable of the shell unset?')
    if PIPE in given and given[0] not in PIPED:  # which would be a file of that name
        raise UsageError(
            f"{given[0]} neither reads standard input nor writes standard output (-); {', '.join(PIPED)} do. Name a "
            "file; one that is called - is ./-"
        )
    try:
        os.getcwd()
    except FileNotFoundError:  # which libraries that look for themselves there die of
        raise DataError("the current folder is no longer there: go to one that is (cd), and try again") from None
    return list(_places(given))


def _places(given: Sequence[str]) -> Iterator[str]:
    for before, word in zip(("", *given), given, strict=False):
        found = _PLACE.fullmatch(word)
        if found is None or os.path.lexists(found["place"]):
            yield word
            continue
        option, place = found["option"] or "", found["place"]
        is_out = (option or before) in _OUT
        yield option + (os.path.expanduser(place) if place[0] == "~" else os.fspath(local(place, writing=is_out)))
