"""Find what a name stands for: a file, a folder, a pattern; and tell what each file is, by the rows of the media."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from intarsia.errors import DataError, counted
from intarsia.files import below, local
from intarsia.media.clouds import foreign as foreign_clouds
from intarsia.media.contract import Item, Medium, Name, Sources, families
from intarsia.media.header import FOREIGN_SUFFIXES

_SHOWN = 4
# Options that tell what the user takes a file for.
_PARTICULAR = frozenset({"columns", "codes", "category", "bands", "window", "series"})


def tell(source: object, given: Collection[str], media: Sequence[Medium]) -> Medium:
    """Tell what a source is; see `intarsia.media.medium.medium_of`."""
    if not isinstance(source, str | os.PathLike):
        return media[-1]
    found = next((medium for medium in media if medium.sniff(source)), media[-1])
    # No picture either, if only another medium has its suffix; of a .hdr alone the reader of pictures says what it is.
    if found is media[-1] and not found.claims(source) and Path(source).suffix.lower() != ".hdr":
        found = next((medium for medium in media if medium.claims(source)), found)
    wanted = set(given) & _PARTICULAR
    if not wanted or (wanted <= found.takes and found is not media[-1]):
        return found
    return next((medium for medium in media if medium.claims(source) and wanted <= medium.takes), found)


def find(source: Name, given: Collection[str], media: Sequence[Medium]) -> Sources:
    """Find what a name stands for; see `intarsia.media.medium.expand`."""
    source = local(source)
    path, text = Path(source), os.fspath(source)
    sequence = next((medium for medium in media if medium.sequence in given), None)
    if sequence is not None:
        name = _fixed(path).resolve().name if glob.has_magic(text) and not path.exists() else path.resolve().name
        return Sources(None, (Item(source, PurePosixPath(name), sequence),))
    if path.is_dir():
        inside = sorted(below(path))
        return _in_folder(path, inside, given, media)
    if path.exists() or not glob.has_magic(text):
        if path.is_file() and (told := foreign_clouds.advice(path)):
            raise DataError(f"cannot use {source}: it is {told}")
        return _single(source, tell(source, given, media))
    base = _fixed(path)
    matches = _matching(path, base)
    found = _of_one_family(matches, media)
    if not found:
        raise DataError(f"no {_named(media)} matches {source}")
    return replace(_many(base, found, given, media), deep=len(path.parts) > len(base.parts) + 1)


def _fixed(pattern: Path) -> Path:
    """The folders in front of a pattern's first magic part."""
    first = next(index for index, part in enumerate(pattern.parts) if glob.has_magic(part))
    return Path(*pattern.parts[:first])


def _in_folder(path: Path, inside: list[Path], given: Collection[str], media: Sequence[Medium]) -> Sources:
    files = _of_one_family([file for file in inside if file.is_file()], media)
    single = next((medium for medium in media if medium.folder(path)), None)
    if single is not None and (not files or single.folder_first):
        return _single(path, single)
    found = sorted([*files, *_folders(inside, files, media)])
    # What may be anything, as tables may, is taken for what it can be where nothing else lies.
    found = found or [file for file in inside if file.is_file() and tell(file, given, media).claims(file)]
    if not found:
        if told := next((f"{file.name}: it is {said}" for file in inside if (said := foreign_clouds.advice(file))), ""):
            raise DataError(f"nothing in {path} can be used; {told}")
        known = "; ".join(f"{medium.things}: {_some(medium.suffixes)}" for medium in reversed(media))
        raise DataError(f"no {_named(media)}s in {path}; it needs files ending in ({known}), or folders of DICOM files")
    return replace(_many(path, found, given, media), notes=_left_out(path, inside, found, media))


def _folders(inside: list[Path], files: list[Path], media: Sequence[Medium]) -> list[Path]:
    """Folders that are a single source, as a series of slices is, of the family of the files, if there are any."""
    taken = {file.parent for file in files}
    first = files[:1]
    able = [
        medium
        for members in families(media)
        for medium in members
        if not first or any(one.is_surely(*first) for one in members)
    ]
    return [
        folder
        for folder in inside
        if folder.is_dir() and folder not in taken and any(medium.folder(folder) for medium in able)
    ]


def _left_out(base: Path, inside: list[Path], found: list[Path], media: Sequence[Medium]) -> tuple[str, ...]:
    """Say what else a folder holds that could have been meant."""
    taken = set(found)
    others = [path for path in inside if path not in taken and not path.is_dir()]
    notes = []
    for medium in media:
        same = [path for path in others if path.exists() and medium.is_surely(path)]
        if same:
            notes.append(
                f"{base} also holds {counted(len(same), medium.things.removesuffix('s'))}, for instance "
                f"{same[0].name}: segment {medium.things} by themselves"
            )
    foreign = Counter(path.suffix.lower() for path in others if path.suffix.lower() in FOREIGN_SUFFIXES)
    if foreign:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in foreign.most_common())
        notes.append(f"{base} also holds pictures that are not read ({kinds}): convert them to JPEG or PNG")
    clouds = [path for path in others if foreign_clouds.advice(path)]
    if clouds:
        notes.append(f"{base} also holds {clouds[0].name}: {foreign_clouds.advice(clouds[0])}")
    broken = [path for path in others if path.is_symlink() and not path.exists()]
    if broken:
        notes.append(f"{base} also holds {counted(len(broken), 'link')} to nothing, for instance {broken[0].name}")
    return tuple(notes)


def _matching(pattern: Path, base: Path) -> list[Path]:
    """The files that a pattern stands for, hidden ones left out."""
    parts = pattern.parts[len(base.parts) :]
    if "**" not in parts:
        found = (Path(match) for match in glob.glob(os.fspath(pattern)))
        return sorted(path for path in found if not path.name.startswith("."))
    # Not by glob, which goes in circles through links.
    return sorted(path for path in below(base) if _fits(path.parts[len(base.parts) :], parts))


def _fits(names: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return _fits(names, parts[1:]) or (bool(names) and _fits(names[1:], parts))
    return bool(names) and fnmatch.fnmatch(names[0], parts[0]) and _fits(names[1:], parts[1:])


def _of_one_family(files: Iterable[Path], media: Sequence[Medium]) -> list[Path]:
    """The files of the first family that occurs."""
    known = list(files)
    for members in families(media):
        found = [file for file in known if any(medium.is_surely(file) for medium in members)]
        if found:
            return found
    return []


def _some(suffixes: Sequence[str]) -> str:
    return ", ".join(suffixes[:_SHOWN]) + (", ..." if len(suffixes) > _SHOWN else "")


def _named(media: Sequence[Medium]) -> str:
    return "picture" if len({medium.family for medium in media}) > 1 else media[-1].things.removesuffix("s")


def _single(source: Name, medium: Medium) -> Sources:
    path = Path(source)
    return Sources(None, (Item(source, PurePosixPath(path.name or path.resolve().name), medium),))


def _many(base: Path, found: Iterable[Path], given: Collection[str], media: Sequence[Medium]) -> Sources:
    items = (
        Item(file, PurePosixPath(file.relative_to(base).as_posix()), _among_others(file, given, media))
        for file in found
    )
    return Sources(base, tuple(items))


def _among_others(file: Path, given: Collection[str], media: Sequence[Medium]) -> Medium:
    """What a file in a folder is: with options for pictures alone, an animation or a stack is a bad picture."""
    medium, plain = tell(file, given, media), media[-1]
    fits = plain.claims(file) and set(given) <= plain.takes
    return plain if fits and not set(given) <= medium.takes else medium
