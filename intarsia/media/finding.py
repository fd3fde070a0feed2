"""Find what a name stands for: a file, a folder, a pattern; and tell what each file is, by the rows of the media."""

from __future__ import annotations

import fnmatch
import glob
import os
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from intarsia.errors import DataError, counted
from intarsia.files import below, local
from intarsia.media.clouds import foreign as foreign_clouds
from intarsia.media.contract import Item, Medium, Name, Sources, families
from intarsia.media.header import FOREIGN_SUFFIXES
from intarsia.media.inside import Inside, Items

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
        return _in_folder(path, Inside(path), given, media)
    if path.exists() or not glob.has_magic(text):
        if path.is_file() and (told := foreign_clouds.advice(path)):
            raise DataError(f"cannot use {source}: it is {told}")
        return _single(source, tell(source, given, media))
    base = _fixed(path)
    matches = _matching(path, base)
    found = _of_one_family(range(len(matches)), matches.__getitem__, media)
    if not found:
        raise DataError(f"no {_named(media).removesuffix('s')} matches {source}")
    names = (matches[place].relative_to(base).as_posix() for place in found)
    items = Items(base, names, partial(_among_others, given=given, media=media))
    return Sources(base, items, deep=len(path.parts) > len(base.parts) + 1)


def _fixed(pattern: Path) -> Path:
    """The folders in front of a pattern's first magic part."""
    first = next(index for index, part in enumerate(pattern.parts) if glob.has_magic(part))
    return Path(*pattern.parts[:first])


def _in_folder(path: Path, inside: Inside, given: Collection[str], media: Sequence[Medium]) -> Sources:
    files = _of_one_family(inside.files(), inside.path, media)
    single = next((medium for medium in media if medium.folder(path)), None)
    if single is not None and (not files or single.folder_first):
        return _single(path, single)
    found = array("Q", sorted([*folders, *files])) if (folders := _folders(inside, files, media)) else files
    if not found:  # what may be anything, as tables may, is taken for what it can be where nothing else lies
        found = array(
            "Q", (file for file in inside.files() if tell(inside.path(file), given, media).claims(inside.path(file)))
        )
    if not found:
        others = (Path(inside.path(place)) for place in inside.others(()))
        if told := next((f"{file.name}: it is {said}" for file in others if (said := foreign_clouds.advice(file))), ""):
            raise DataError(f"nothing in {path} can be used; {told}")
        known = "; ".join(f"{medium.things}: {_some(medium.suffixes)}" for medium in reversed(media))
        slices = ", or folders of DICOM files" if any("series" in medium.takes for medium in media) else ""
        raise DataError(f"no {_named(media)} in {path}; it needs files ending in ({known}){slices}")
    items = Items(path, (inside.names[place] for place in found), partial(_among_others, given=given, media=media))
    return Sources(path, items, notes=_left_out(path, inside, found, media))


def _folders(inside: Inside, files: Sequence[int], media: Sequence[Medium]) -> list[int]:
    """Folders that are a single source, as a series of slices is, of the family of the files, if there are any."""
    folders = list(inside.folders())
    if not folders:
        return []
    taken = {os.path.dirname(inside.names[file]) for file in files}
    first = [inside.path(file) for file in files[:1]]
    able = [
        medium
        for members in families(media)
        for medium in members
        if not first or any(one.is_surely(*first) for one in members)
    ]
    return [
        folder
        for folder in folders
        if inside.names[folder] not in taken and any(medium.folder(Path(inside.path(folder))) for medium in able)
    ]


def _left_out(base: Path, inside: Inside, found: Iterable[int], media: Sequence[Medium]) -> tuple[str, ...]:
    """Say what else a folder holds that could have been meant."""
    others = array("Q", inside.others(found))
    notes = []
    for medium in media:
        same = [
            place for place in others if os.path.exists(inside.path(place)) and medium.is_surely(inside.path(place))
        ]
        if same:
            notes.append(
                f"{base} also holds {counted(len(same), medium.things.removesuffix('s'))}, for instance "
                f"{Path(inside.names[same[0]]).name}: segment {medium.things} by themselves"
            )
    suffixes = (os.path.splitext(inside.names[place])[1].lower() for place in others)
    foreign = Counter(suffix for suffix in suffixes if suffix in FOREIGN_SUFFIXES)
    if foreign:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in foreign.most_common())
        notes.append(f"{base} also holds pictures that are not read ({kinds}): convert them to JPEG or PNG")
    clouds = (Path(inside.names[place]) for place in others)
    cloud = next((path for path in clouds if foreign_clouds.advice(path)), None)
    if cloud is not None:
        notes.append(f"{base} also holds {cloud.name}: {foreign_clouds.advice(cloud)}")
    broken = [place for place in others if os.path.islink(path := inside.path(place)) and not os.path.exists(path)]
    if broken:
        name = Path(inside.names[broken[0]]).name
        notes.append(f"{base} also holds {counted(len(broken), 'link')} to nothing, for instance {name}")
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


def _of_one_family(places: Iterable[int], path: Callable[[int], Name], media: Sequence[Medium]) -> array[int]:
    """The places of the files of the first family that occurs."""
    known = array("Q", places)
    for members in families(media):
        found = array("Q", (place for place in known if any(medium.is_surely(path(place)) for medium in members)))
        if found:
            return found
    return array("Q")


def _some(suffixes: Sequence[str]) -> str:
    return ", ".join(suffixes[:_SHOWN]) + (", ..." if len(suffixes) > _SHOWN else "")


def _named(media: Sequence[Medium]) -> str:
    return "pictures" if len({medium.family for medium in media}) > 1 else media[-1].things


def _single(source: Name, medium: Medium) -> Sources:
    path = Path(source)
    return Sources(None, (Item(source, PurePosixPath(path.name or path.resolve().name), medium),))


def _among_others(file: Name, given: Collection[str], media: Sequence[Medium]) -> Medium:
    """What a file in a folder is: with options for pictures alone, an animation or a stack is a bad picture."""
    medium, plain = tell(file, given, media), media[-1]
    fits = plain.claims(file) and set(given) <= plain.takes
    return plain if fits and not set(given) <= medium.takes else medium
