"""Folders of NIfTI volumes and their label volumes: which belong together, and which values the labels have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from intarsia.datasets.layouts import nnunet
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import folder_meaning, natural
from intarsia.datasets.layouts.pairing import Pairs
from intarsia.datasets.layouts.survey import survey_volumes
from intarsia.datasets.layouts.volumes import VolumeSplit, as_slices
from intarsia.datasets.meaning import choose
from intarsia.datasets.parts import File
from intarsia.errors import DataError
from intarsia.media.medium import VOLUME
from intarsia.media.volumes import open_volume, volume_stem

_IMAGE_FOLDERS, _MASK_FOLDERS = ("imagestr", "volumes", "ct"), ("labelstr",)  # besides the names that pictures have
_MASK_WORDS = re.compile(r"(^|[_\-. ])(segmentation|seg|mask|label|labels|gt|groundtruth|annotation)(?=$|[_\-. ])")
_IMAGE_WORDS = re.compile(r"(^|[_\-. ])(volume|image|imaging|img|ct|mr|scan|0000)(?=$|[_\-. ])")


def usable(
    matched: list[tuple[str | None, str, Path, Path]],
) -> tuple[list[tuple[str | None, str, File, File]], list[str]]:
    """The pairs of volume and label volume whose headers fit together, and what is wrong with the others."""
    kept: list[tuple[str | None, str, File, File]] = []
    faults = []
    for split, name, volume, mask in matched:
        try:
            image, labels = open_volume(volume), open_volume(mask)
            problem = "" if labels.notes else image.grid.differs(labels.grid)
            if problem:
                raise DataError(f"{mask}: it does not fit its image {volume.name}: {problem}")
        except DataError as error:
            faults.append(str(error))
            continue
        kept.append((split, name, volume, mask))
    return kept, faults


def _is_nifti(path: Path) -> bool:
    return VOLUME.is_surely(path)


def _matches(content: Content) -> bool:
    if content.table is not None:
        return False
    return not content.has_pictures and any(_is_nifti(path) for path in content.below)


def _read(content: Content) -> PictureReading:
    matched, images, masks = _paired(content.root, [path for path in content.below if _is_nifti(path)])
    pairs, faults = usable(matched)
    if not pairs:
        if faults:
            raise DataError(faults[0])
        raise DataError(
            f"{content.root}: {len(images)} volumes and {len(masks)} label volumes, but no names match; put them into "
            "images/ and labels/ with the same names, or call them volume-1.nii.gz and segmentation-1.nii.gz"
        )
    labelled = [mask for *_, mask in pairs if isinstance(mask, Path)]
    found, tabled = survey_volumes(labelled)
    named = nnunet.class_names(content.root) or tabled
    space, coding, notes = choose(found, content.classes or named, content.options.ignore)
    if content.classes is None and named is not None:
        source = f"the label table in {labelled[0].name}" if named is tabled else nnunet.DESCRIPTION
        notes.append(f"The names come from {source}.")
    notes += [f"Volumes that cannot be used: {len(faults)}; the first: {faults[0]}."] if faults else []
    notes.append(f"{len(pairs)} volumes; they are divided as a whole, and trained slice by slice.")
    return PictureReading(
        space, coding, Pairs(tuple(pairs), tuple(images), tuple(masks), ()), tuple(notes),
        faults=tuple(faults), finish=as_slices,
    )  # fmt: skip


def _paired(root: Path, files: list[Path]) -> tuple[list[tuple[str | None, str, Path, Path]], list[Path], list[Path]]:
    """Matched (split, id, volume, labels), volumes without labels, labels without a volume."""
    sides: dict[str, dict[tuple[str | None, str], Path]] = {"image": {}, "mask": {}}
    left: dict[str, list[Path]] = {"image": [], "mask": []}
    for path in files:
        split, role = _meaning(path, root)
        key = (split, _key(path, root))
        known = sides[role]
        if key in known:
            left[role].append(path)
        known.setdefault(key, path)
    images, masks = sides["image"], sides["mask"]
    matched = [
        (key[0], "/".join((*((key[0],) if key[0] else ()), _case(path, root))), path, masks[key])
        for key, path in images.items()
        if key in masks
    ]
    matched.sort(key=lambda entry: natural(entry[1]))
    left["image"] += [path for key, path in images.items() if key not in masks]
    left["mask"] += [path for key, path in masks.items() if key not in images]
    return matched, left["image"], left["mask"]


def _meaning(path: Path, root: Path) -> tuple[str | None, Literal["image", "mask"]]:
    """Split and role of a volume, from its folders and, where they say nothing, its name."""
    split: str | None = None
    role: Literal["image", "mask"] | None = None
    for name in path.relative_to(root).parts[:-1]:
        bare = name.lower()
        says_split, says_role = folder_meaning(name)
        if bare in _IMAGE_FOLDERS:
            says_role = "image"
        elif bare in _MASK_FOLDERS:
            says_role = "mask"
        split, role = says_split or split, says_role or role
    return split, role or ("mask" if _MASK_WORDS.search(volume_stem(path).lower()) else "image")


def _bare(path: Path) -> str:
    """A name without the words that only say "labels" or "volume", and without nnU-Net's channel number."""
    stem = re.sub(r"_0000$", "", volume_stem(path).lower())
    return re.sub(r"[_\-. ]+", "-", _IMAGE_WORDS.sub(r"\1", _MASK_WORDS.sub(r"\1", stem)).strip("_-. "))


def _key(path: Path, root: Path) -> str:
    """What a volume and its labels have in common: the bare name, or their folder (case7/image, case7/label)."""
    return _bare(path) or _folder(path, root) or volume_stem(path).lower()


def _case(path: Path, root: Path) -> str:
    """What a volume is called: by its name, or by its folder where the name only says what it is."""
    return ("" if _bare(path) else _folder(path, root)) or volume_stem(path)


def _folder(path: Path, root: Path) -> str:
    """The folder of a case; "" for one that says what lies in it (images, train), or is the data set's own."""
    folder = path.parent.relative_to(root)
    says = folder_meaning(folder.name) != (None, None) or folder.name.lower() in (*_IMAGE_FOLDERS, *_MASK_FOLDERS)
    return "" if says or not folder.parts else folder.as_posix()


LAYOUTS: dict[str, Layout] = {
    "volumes": Layout(
        "NIfTI volumes with label volumes (intarsia[volumes])",
        _matches,
        _read,
        files="images/ and labels/, or CASE.nii.gz and CASE_seg.nii.gz, or CASE/image.nii.gz and CASE/label.nii.gz",
        kind=VolumeSplit,
        listed=True,
    ),
}
