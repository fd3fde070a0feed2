"""What the names of folders and files say: split, picture or mask, and what of it both share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from intarsia.files import below
from intarsia.media.images import IMAGE_SUFFIXES
from intarsia.media.maskfile import ARRAY_SUFFIX

Role = Literal["image", "mask"]


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


SPLITS = {
    "training": "train", "train": "train", "validation": "val", "valid": "val", "val": "val", "dev": "val",
    "testing": "test", "test": "test",
}  # fmt: skip
"""Folder names that are splits, longer ones first."""
_IMAGE_FOLDERS = words(
    "image images img imgs photo photos picture pictures jpegimages rgb input inputs original originals frames "
    "leftimg8bit sat scans"
)
_MASK_FOLDERS = words(
    "mask masks label labels ann anns annot annots annotation annotations gt gts groundtruth groundtruths seg segs "
    "segmentation segmentations segmentationclass semantic target targets truth gtfine labelmap labelmaps "
    "pixellevel matte mattes trimap trimaps"
)
_OTHER_WORDS = words("no non without with not instance instances edge edges weight weights pred predicted prediction")
_NUMBERING = re.compile(r"^\s*(?:\d+|[a-z])[.)]\s+")
MARKS = "_-. "
_LOSSY = frozenset((".jpg", ".jpeg", ".webp", ".bmp"))
MASK_SUFFIXES = (*IMAGE_SUFFIXES, ARRAY_SUFFIX)
"""Of files that may be masks: pictures, and arrays."""
_MASK_WORD = "mask|masks|label|labels|gt|groundtruth|ground_truth|seg|segmentation|annotation|matte"
MASK_NAMES = frozenset(_MASK_WORD.split("|"))
_MASK_NAME = re.compile(rf"^(?:(?:{_MASK_WORD})[_\-. ](?P<after>.+)|(?P<before>.+)[_\-. ](?:{_MASK_WORD}))$")
_MASK_AFFIX = re.compile(rf"^(?:{_MASK_WORD})[_\-. ]?(?=.)|[_\-. ](?:{_MASK_WORD}|l)$")
_IMAGE_AFFIX = re.compile(
    r"^(?:image|img|photo|rgb|sat)[_\-. ]?(?=.)|"
    r"[_\-. ](?:image|img|photo|rgb|sat|satellite|input|original|leftimg8bit)$"
)


@dataclass(frozen=True)
class Found:
    """One picture file: path, split and role as its folders say, its other folders, its stem, the role's folder."""

    path: Path
    split: str | None
    role: Role | None
    folders: tuple[str, ...]
    stem: str
    kind: str = ""

    @property
    def id(self) -> str:
        """Relative name without suffix and without the folders that only say "images"."""
        return "/".join((*((self.split,) if self.split else ()), *self.folders, self.stem))


def walk(root: Path) -> list[Path]:
    """All visible files below `root` in the natural order of their names; links are followed, but never in a circle.

    Raises:
        DataError: a folder cannot be read.
    """
    files, start = (path for path in below(root) if os.path.isfile(path)), len(os.path.join(root, ""))
    return sorted(files, key=lambda path: [natural(part) for part in os.fspath(path)[start:].split(os.sep)])


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key in which file2 comes before file10."""
    parts = re.split(r"(\d+)", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts if part)


def folder_meaning(name: str) -> tuple[str | None, Role | None]:
    """Split and role that a folder's name says: "trainannot" -> ("train", "mask"), "JPEGImages" -> (None, "image").

    Numbering ("2. Ground truths") means nothing; of several words the last says the role ("My road masks").
    """
    name = _NUMBERING.sub("", name.lower())
    bare = re.sub(r"[^a-z0-9]", "", name)
    role = _role(bare) or _role_of_words(re.findall(r"[a-z0-9]+", name))
    if role:
        return None, role
    for word, split in SPLITS.items():
        rest = bare.removeprefix(word) if bare.startswith(word) else bare.removesuffix(word)
        if rest != bare and (rest in ("", "set", "data") or _role(rest)):
            return split, _role(rest)
    return None, None


def _role_of_words(found: list[str]) -> Role | None:
    if len(found) < 2 or any(word in SPLITS for word in found):
        return None
    if found[-1] in _MASK_FOLDERS and not _OTHER_WORDS & set(found):
        return "mask"
    return "image" if found[-1] in _IMAGE_FOLDERS and found[0] in _IMAGE_FOLDERS | {"raw", "all"} else None


def _role(bare: str) -> Role | None:
    bare = re.sub(r"(?:dirs?|folders?)$", "", bare)  # img_dir and ann_dir, as mmsegmentation has them
    return "image" if bare in _IMAGE_FOLDERS else "mask" if bare in _MASK_FOLDERS else None


def classify(path: Path, root: Path) -> Found:
    """Split and role of a picture file from its folders; the folder closest to the file decides."""
    split, role, folders, kind = _meaning_below(path.parent, root)
    return Found(path, split, role, folders, path.stem, kind)


@lru_cache(maxsize=4096)  # most files share their folder with many
def _meaning_below(folder: Path, root: Path) -> tuple[str | None, Role | None, tuple[str, ...], str]:
    split: str | None = None
    role: Role | None = None
    folders = []
    kind = ""
    for name in folder.relative_to(root).parts:
        says_split, says_role = folder_meaning(name)
        split, role, kind = says_split or split, says_role or role, name if says_role else kind
        if not says_split and not says_role:
            folders.append(name)
    return split, role, tuple(folders), kind


def classified(root: Path, files: Iterable[Path]) -> list[Found]:
    """Split and role of every picture among some files; where no folder is one of masks, the names say the role."""
    found = [classify(path, root) for path in files if path.suffix.lower() in MASK_SUFFIXES]
    return found if any(item.role == "mask" for item in found) else by_file_name(found)


def by_file_name(found: Sequence[Found]) -> list[Found]:
    """Roles for pictures side by side: a_mask.png beside a.jpg or a_sat.jpg, label_3.png, a.png beside a.jpg."""
    plain = {(item.split, item.folders, _IMAGE_AFFIX.sub("", item.stem.lower())) for item in found}
    photos = {(item.split, item.folders, item.stem) for item in found if item.path.suffix.lower() in _LOSSY}
    roles = []
    for item in found:
        name = _MASK_NAME.match(item.stem.lower())
        beside = (item.split, item.folders, item.stem) in photos and item.path.suffix.lower() not in _LOSSY
        if beside or item.stem.lower() in MASK_NAMES or (name and (_has_partner(item, plain) or name["after"])):
            roles.append(replace(item, role="mask"))
        else:
            roles.append(replace(item, role="image"))
    return roles


def _has_partner(item: Found, plain: set[tuple[str | None, tuple[str, ...], str]]) -> bool:
    bare = _MASK_AFFIX.sub("", item.stem.lower())
    return (item.split, item.folders, _IMAGE_AFFIX.sub("", bare)) in plain


def stem_key(item: Found) -> str:
    """The stem in lower case without words that only say "image" or "mask"."""
    affix = _MASK_AFFIX if item.role == "mask" else _IMAGE_AFFIX
    return affix.sub("", item.stem.casefold())
