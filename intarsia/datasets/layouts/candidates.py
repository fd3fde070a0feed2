"""Which of several pictures of an image are its masks: by name, by what the files hold, or as the user says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intarsia.datasets.coding import RawMask, color_codes, gray_plane
from intarsia.datasets.layouts.filenames import MASK_SUFFIXES, Found, by_file_name, classify, stem_key, words
from intarsia.datasets.layouts.pairing import core_names, relative
from intarsia.datasets.parts import File, read_stored
from intarsia.errors import DataError, suggest

_OTHER_FOLDERS = words(
    "instance instances instanceids segmentationobject inst overlay overlays visualization visualizations vis viz "
    "preview previews edge edges contour contours boundary boundaries weight weights weightmaps depth depths disparity "
    "normals heatmap heatmaps prediction predictions pred preds result results output outputs out"
)
"""Folders of pictures that belong to the images, and are neither their labels nor in doubt."""

_SAMPLE = 3
_STEP = 4  # of large masks, every so many pixels are looked at
_FEW = 32
_MOSTLY = 0.95
_MARKS = "_-. "


@dataclass(frozen=True)
class Candidate:
    """Pictures that may be the masks of images: a folder's, or those whose names end alike.

    Attributes:
        name: of the folder, or the ending.
        members: all of them, as masks.
        masks: the one of each image, by the image's path.
        named: the name says "masks".
    """

    name: str
    members: tuple[Found, ...]
    masks: dict[Path, Found]
    named: bool = False


def with_roles(root: Path, files: Iterable[Path], said: str = "") -> tuple[list[Found], list[str]]:
    """Settle which pictures are images and which masks, and ask where several may be the masks of the same images.

    Evidence is the folders' names and what the files hold: masks have few values, photos many. Where two candidates
    divide the pictures alike, one is the other in colours, and either is right.

    Args:
        root: the data set's folder.
        files: of the data set; other than pictures are passed over.
        said: the folder or ending of the masks, as the user says it; "" leaves it open.

    Returns:
        The pictures with their roles, and what was decided.

    Raises:
        DataError: several candidates are as good as each other, or nothing has the name that the user says.
    """
    found = [classify(path, root) for path in files if path.suffix.lower() in MASK_SUFFIXES]
    if said:
        return _as_said(root, found, said), [f"Masks are the pictures of {said} (as asked)."]
    rivals = by_folder(found)
    if not rivals and not any(item.role == "mask" for item in found):
        found = by_file_name(found)
        if any(item.role == "mask" for item in found):
            return found, []
    rivals = rivals or by_ending(found)
    for best in rivals:
        others = [one for one in rivals if one is not best and one.masks.keys() & best.masks.keys()]
        unlike = [one for one in others if not _divide_alike(best, one)]
        if unlike:
            listed = "; ".join(f"{one.name} ({_holds(one)})" for one in (best, *unlike))
            classes = "" if best.named else "; or is each a class of its own (--layout pieces)"
            raise DataError(
                f"{root}: several pictures may be the masks of the same images: {listed}. Which: --masks "
                f"{unlike[-1].name}, or --masks {best.name} (recipe: data.masks){classes}?"
            )
        if others:
            names = ", ".join(one.name for one in others)
            verb = "divides" if len(others) == 1 else "divide"
            return _chosen(found, best, others), [
                f"Masks are the pictures of {best.name}; {names} {verb} the images in the same way (--masks chooses)."
            ]
    if rivals and not any(one.named for one in rivals):
        names = ", ".join(one.name for one in rivals)
        note = f"Masks are the pictures of {names}: their names fit the images', and they hold few values."
        for one in rivals:
            found = _chosen(found, one, ())
        return found, [note]
    return found, []


def by_folder(found: Sequence[Found]) -> list[Candidate]:
    """The folders whose pictures may be the masks, the best evidence first."""
    groups: dict[tuple[str, bool], list[Found]] = {}
    for item in found:
        if item.role == "mask" and not _says_other(item):
            groups.setdefault((item.kind.casefold(), True), []).append(item)
        elif item.role is None and item.folders and not _says_other(item):
            for name in dict.fromkeys((item.folders[0], item.folders[-1])):
                rest = tuple(part for part in item.folders if part != name)
                as_mask = replace(item, role="mask", folders=rest, kind=name)
                groups.setdefault((name.casefold(), False), []).append(as_mask)
    loose = [members for (_, named), members in groups.items() if not named]
    images = [item for item in found if item.role == "image"]
    if not images and 1 < len(loose) <= _SAMPLE and not any(named for _, named in groups):
        images = [
            replace(one, role="image")
            for members in loose
            if not look_like_masks([one.path for one in members])
            for one in members
        ]
    own = {item.path for item in images}
    made = []
    for (_, named), members in groups.items():
        masks = _partners(images, [item for item in members if item.path not in own])
        enough = masks if named else 2 * len(masks) >= _labelled(images, members) > 0
        if enough and (named or look_like_masks([one.path for one in masks.values()])):
            made.append(Candidate(members[0].kind, tuple(members), masks, named))
    return sorted(made, key=lambda one: (not one.named, not _is_gray(one)))


def by_ending(found: Sequence[Found]) -> list[Candidate]:
    """The endings of names that pictures have beside an image of the same beginning, as in eye_1.jpg, eye_1_manual.png.

    Endings that are numbers count pictures, and say nothing.
    """
    masks = [item for item in found if item.role == "mask"]
    stems = {(item.split, item.folders, item.stem): item for item in found if item.role != "mask"}
    groups: dict[str, dict[Path, Found]] = {}
    for item in masks or found:
        places = [place for place, mark in enumerate(item.stem) if mark in _MARKS and place]
        for place in reversed(places):
            image = stems.get((item.split, item.folders, item.stem[:place].rstrip(_MARKS)))
            ending = item.stem[place:].strip(_MARKS)
            if image is not None and ending and not ending.isdigit() and ending.lower() not in _OTHER_FOLDERS:
                as_mask = replace(item, role="mask", stem=image.stem)
                groups.setdefault(ending, {})[image.path] = as_mask
                break
    images = {path for pieces in groups.values() for path in pieces}
    made = [
        Candidate(ending, tuple(pieces.values()), pieces)
        for ending, pieces in groups.items()
        if 2 * len(pieces) >= len(images) and look_like_masks([one.path for one in pieces.values()])
    ]
    return sorted(made, key=lambda one: not _is_gray(one))


def _as_said(root: Path, found: Sequence[Found], said: str) -> list[Found]:
    """The pictures, with masks where a folder or the name's beginning or end is `said`."""
    word = said.strip("/").casefold()
    folder = {one.path for one in found if f"/{word}/" in f"/{relative(one.path.parent, root).as_posix()}/".casefold()}
    chosen = folder or {one.path for one in found if _without(one.stem, word) != one.stem}
    if not chosen:
        names = {part for item in found for part in relative(item.path.parent, root).parts}
        raise DataError(f"{root}: no folder of pictures is called {said!r}, and no name ends so.{suggest(said, names)}")
    rivals = by_folder(found) or by_ending(by_file_name(found))
    out = {item.path for one in rivals for item in one.members} - chosen
    made = []
    for item in found:
        if item.path in chosen:
            folders = tuple(part for part in item.folders if part.casefold() not in word.split("/"))
            stem = item.stem if folder else _without(item.stem, word)
            made.append(replace(item, role="mask", folders=folders, stem=stem))
        elif item.role != "mask" and item.path not in out:
            made.append(item)
    if any(item.role == "image" for item in made):
        return made
    return [item if item.role else replace(item, role="image") for item in made]


def _without(stem: str, word: str) -> str:
    """A name without a word at its end or beginning; the name itself where it has none."""
    low = stem.casefold()
    bare = stem[: -len(word)] if low.endswith(word) else stem[len(word) :] if low.startswith(word) else ""
    return bare.strip(_MARKS) or stem


def _says_other(item: Found) -> bool:
    names = (item.kind, *item.folders)
    return any("".join(filter(str.isalnum, name.casefold())) in _OTHER_FOLDERS for name in names)


def _chosen(found: Iterable[Found], best: Candidate, others: Iterable[Candidate]) -> list[Found]:
    """The pictures, with one candidate's as masks, and without the other candidates'."""
    out = {item.path for one in (best, *others) for item in one.members}
    kept = [item for item in found if item.path not in out]
    roles = kept if any(item.role for item in kept) else [replace(item, role="image") for item in kept]
    return [*roles, *best.members]


def _partners(images: Sequence[Found], members: Sequence[Found]) -> dict[Path, Found]:
    """The one picture of a group that has each image's name: within its folders, or the name without shared words."""
    best: dict[Path, Found] = {}
    keys: tuple[Callable[[Sequence[Found]], dict[Path, object]], ...] = (_by_place, _by_core)
    for key in keys:
        ours, theirs = key(images), key(members)
        table: dict[object, list[Found]] = {}
        for item in members:
            table.setdefault(theirs[item.path], []).append(item)
        fitting = {item.path: table.get(ours[item.path], []) for item in images}
        made = {path: same[0] for path, same in fitting.items() if len(same) == 1}
        best = max(best, made, key=len)
    return best


def _by_place(items: Sequence[Found]) -> dict[Path, object]:
    return {item.path: (item.split, item.folders, stem_key(item)) for item in items}


def _by_core(items: Sequence[Found]) -> dict[Path, object]:
    found: dict[Path, object] = {}
    for split in {item.split for item in items}:
        members = [item for item in items if item.split == split]
        names = core_names([item.stem for item in members])
        found |= {item.path: (split, name) for item, name in zip(members, names, strict=True)}
    return found


def _labelled(images: Sequence[Found], members: Sequence[Found]) -> int:
    """How many images a group should have masks for: those of its splits."""
    splits = {item.split for item in members}
    return sum(item.split in splits for item in images)


def _read(file: File) -> RawMask | None:
    try:
        raw = read_stored(file)
    except DataError:
        return None
    return raw[::_STEP, ::_STEP] if min(raw.shape[:2]) > 64 else raw


def look_like_masks(files: Sequence[File]) -> bool:
    """Whether the first pictures hold few values, as masks do (also smoothed or compressed ones), unlike photos."""
    some = [raw for file in files[:_SAMPLE] if (raw := _read(file)) is not None]
    return bool(some) and all(_is_plain(raw) for raw in some)


def _is_plain(raw: RawMask) -> bool:
    counts = np.sort(np.unique(_codes(raw), return_counts=True)[1])[::-1]
    if gray_plane(raw) is None:
        counts = counts[1:]  # a photo cut out on black is none
    return bool(counts[:_FEW].sum() >= _MOSTLY * counts.sum())


def _codes(raw: RawMask) -> NDArray[np.uint32]:
    plane = gray_plane(raw)
    return color_codes(raw) if plane is None else plane.astype(np.uint32)


def _is_gray(candidate: Candidate) -> bool:
    raw = _read(next(iter(candidate.masks.values())).path)
    return raw is not None and raw.ndim == 2


def _divide_alike(first: Candidate, second: Candidate) -> bool:
    """Whether the values of two candidates correspond one to one, so that they say the same in other numbers."""
    pairs: set[tuple[int, int]] = set()
    for path in [path for path in first.masks if path in second.masks][:_SAMPLE]:
        a, b = _read(first.masks[path].path), _read(second.masks[path].path)
        if a is None or b is None or a.shape[:2] != b.shape[:2]:
            return False
        both = np.stack([_codes(a).ravel(), _codes(b).ravel()], axis=1)
        pairs |= {(int(x), int(y)) for x, y in np.unique(both, axis=0)}
    return bool(pairs) and len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})


def _holds(candidate: Candidate) -> str:
    """What a candidate's first mask holds, in words."""
    raw = _read(next(iter(candidate.masks.values())).path)
    if raw is None:
        return "cannot be read"
    values, counts = np.unique(_codes(raw), return_counts=True)
    if gray_plane(raw) is None:
        return f"{len(values)} colours"
    shares = (100 * counts / counts.sum()).round().astype(int).tolist()
    shown = ", ".join(f"{value}: {share} %" for value, share in zip(values.tolist(), shares, strict=True))
    return shown if len(values) <= 4 else f"{len(values)} values"
