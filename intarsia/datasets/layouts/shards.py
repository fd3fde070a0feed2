"""Tar archives of encoded pictures and masks, as WebDataset has them: each sample some files that share a name."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.pairing import Pairs, relative
from intarsia.datasets.layouts.parquet import MASKS, split_of
from intarsia.datasets.layouts.survey import detect
from intarsia.datasets.parts import File
from intarsia.datasets.tarindex import Entry, entries
from intarsia.errors import DataError, counted
from intarsia.files import reason
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES

SUFFIX = ".tar"
INDEX = "shards.json"
"""What `intarsia data pack` writes beside its shards: classes, and how large each shard is."""

_LOSSY = (".jpg", ".jpeg", ".webp")
_MOST_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Member:
    """An encoded picture in a tar archive, by where its bytes lie."""

    path: Path
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.path} member {self.name}"

    @property
    def shard(self) -> Path:
        """What is read in one go with its neighbours."""
        return self.path

    def load(self) -> bytes:
        """The picture's own file."""
        if self.size > _MOST_BYTES:
            raise DataError(f"{self}: refused: it holds {self.size:,} bytes")
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except OSError as error:
            raise DataError(f"{self}: cannot be read: {reason(error)}") from error
        if len(content) != self.size:
            raise DataError(f"{self}: the archive has become shorter since it was opened; copy it again")
        return content


def find_shards(content: Content) -> list[Path]:
    """The archive that was named, or all below a folder that holds no pictures."""
    if content.table is not None:
        return [content.table] if content.table.suffix.lower() == SUFFIX else []
    if content.has_pictures:
        return []
    return [path for path in content.below if path.suffix.lower() == SUFFIX]


def read_shards(content: Content) -> PictureReading:
    """Items in the order of the archives; nothing but their headers is read now, and later each picture by its place.

    Raises:
        DataError: no archive, a damaged or incomplete one, no sample with a mask, or masks without a meaning.
    """
    archives = find_shards(content)
    if not archives:
        raise DataError(f"{content.root}: no {SUFFIX} archives here, or pictures beside them, which are read instead")
    space = _indexed(content)
    matched: list[tuple[str | None, str, File, File]] = []
    alone = 0
    for path in archives:
        inside = relative(path, content.root)
        for key, members in _samples(path).items():
            pair = _pair(path, key, members)
            if pair is None:
                alone += 1
                continue
            image, mask = (Member(path, one.name, one.offset, one.size) for one in pair)
            matched.append((split_of(inside), f"{inside.with_suffix('').as_posix()}/{key}", image, mask))
    if not matched:
        raise DataError(
            f"{archives[0]}: no sample has a picture and a mask: NAME.jpg with NAME.mask.png, or with NAME.png (found "
            f"{counted(alone, 'picture')} without); unpack archives of another form"
        )
    note = f"{counted(len(matched), 'sample')} in {counted(len(archives), 'tar archive')}."
    notes = [note, *([f"{counted(alone, 'picture')} without a mask, left out."] if alone else [])]
    pairs = Pairs(tuple(matched), (), (), ())
    if space is not None and content.classes is None and not content.options.ignore:
        values = {index: index for index in (*range(len(space)), space.ignore_index)}
        return PictureReading(space, MaskCoding(values=values), pairs, (*notes, f"Classes as {INDEX} says."))
    try:
        space, coding, said = detect(
            [mask for *_, mask in matched], content.classes, content.options.ignore, tolerant=content.options.tolerant
        )
    except DataError as error:
        raise DataError(f"{content.table or content.root}: {error}") from error
    return PictureReading(space, coding, pairs, (*notes, *said))


def _indexed(content: Content) -> LabelSpace | None:
    """The classes that the index beside the shards names, which are compared with it; None without one."""
    path = content.root / INDEX
    if not path.is_file():
        return None
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sizes = {str(name): int(size) for name, size in said["shards"].items()}
        space = LabelSpace.from_json(said["label_space"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); copy it again, or remove it") from error
    for name, size in sizes.items():
        shard = content.root / PurePosixPath(name).name
        if content.table is not None and shard != content.table:
            continue
        found = shard.stat().st_size if shard.is_file() else None
        if found != size:
            is_there = "is missing" if found is None else f"has {found:,} bytes, not {size:,}"
            raise DataError(f"{shard} {is_there}, as {INDEX} says; copy it again")
    return space


def _samples(path: Path) -> dict[str, list[Entry]]:
    """The pictures of each sample: what a name begins with, up to the first dot after its folders, is the sample's."""
    samples: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries(path):
        pure = PurePosixPath(entry.name)
        if pure.suffix.lower() in IMAGE_SUFFIXES:
            samples[(pure.parent / pure.name.split(".")[0]).as_posix()].append(entry)
    return samples


def _pair(path: Path, key: str, members: Sequence[Entry]) -> tuple[Entry, Entry] | None:
    """The picture and the mask of a sample; None where it has no mask."""
    masks = [one for one in members if set(PurePosixPath(one.name).name.lower().split(".")[1:-1]) & set(MASKS)]
    images = [one for one in members if one not in masks]
    if not masks and len(images) > 1:
        masks = [one for one in images if PurePosixPath(one.name).suffix.lower() not in _LOSSY]
        images = [one for one in images if one not in masks]
    if not masks and len(images) == 1:
        return None
    if len(masks) != 1 or len(images) != 1:
        names = ", ".join(one.name for one in members)
        raise DataError(
            f"{path}: the sample {key} has no single picture and single mask ({names}); call them NAME.jpg and "
            "NAME.mask.png"
        )
    return images[0], masks[0]


LAYOUTS: dict[str, Layout] = {
    "shards": Layout(
        "tar archives with encoded images and masks, as WebDataset has them; intarsia data pack writes them",
        lambda content: bool(find_shards(content)),
        read_shards,
        files="train-00000.tar, val-00000.tar, ... with NAME.jpg + NAME.mask.png (or NAME.png); nothing is unpacked",
    ),
}
