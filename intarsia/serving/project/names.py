"""Names of uploads become names of files here, and nowhere else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from intarsia.errors import DataError
from intarsia.media.medium import CLOUD, MEDIA, PICTURE, RASTER, VIDEO, VOLUME

_LONGEST = 80  # characters of a stem
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))]
)  # names that Windows keeps for devices, whatever their suffix
_SUFFIXES = frozenset(suffix for medium in MEDIA for suffix in medium.suffixes)


def safe_stem(name: str, taken: Collection[str]) -> str:
    """Make a readable name, without suffix, of whatever an upload or a file calls itself.

    It holds letters, digits, ``-``, ``_`` and ``.``, neither begins nor ends with a dot, is no device of Windows, and
    differs from those that are taken also where a file system does not tell small letters from large ones.

    Args:
        name: anything, with or without folders and suffix.
        taken: earlier results, casefolded.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFKC", name).rstrip("/\\"))[-1]
    bare = stem_of(last)
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in bare)
    stem = re.sub(r"\.{2,}", ".", re.sub(r"_{2,}", "_", kept)).strip("._-")[:_LONGEST].rstrip("._-")
    while len(stem.encode()) > 2 * _LONGEST:
        stem = stem[:-1]
    if not stem or stem.split(".")[0].casefold() in _RESERVED:
        stem = f"item_{stem}".rstrip("_")
    found, number = stem, 1
    while found.casefold() in taken:
        number += 1
        found = f"{stem}-{number}"
    return found


def known_suffix(name: str) -> str:
    """The suffix of a file that Intarsia reads, as it stands in the name; "" of any other."""
    start = name.find(".")
    while start >= 0:  # the longest one first: .nii.gz before .gz
        if name[start:].lower() in _SUFFIXES:
            return name[start:]
        start = name.find(".", start + 1)
    return ""


def stem_of(name: str) -> str:
    """The name of a file without its suffix, .nii.gz as one."""
    return name[: len(name) - len(known_suffix(name))]


def suffix_to_keep(name: str) -> str:
    """The suffix that an upload is stored with, one of those that Intarsia reads.

    Raises:
        DataError: it has none of them.
    """
    suffix = known_suffix(name).lower()
    if not suffix:
        shown = "; ".join(
            f"{one.things} ({', '.join(one.suffixes[:4])}, ...)" for one in (PICTURE, RASTER, VOLUME, VIDEO, CLOUD)
        )
        raise DataError(f"{name!r} is nothing that Intarsia reads; it reads {shown}. Convert it first")
    return suffix
