"""Write labelled pictures of any layout as tar archives that are read without being unpacked: see `layouts.shards`."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from intarsia.datasets.layouts.shards import INDEX, SUFFIX, Member
from intarsia.datasets.layouts.survey import threaded
from intarsia.datasets.parts import File
from intarsia.datasets.splits import Dataset, Item, Progress, Split
from intarsia.errors import DataError, UsageError
from intarsia.files import atomic_path, make_folder, reason, write_json
from intarsia.labels import LabelSpace

_SIGNS = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"RIFF", ".webp"), (b"II*", ".tif"), (b"MM\0*", ".tif"))


@dataclass
class Packed:
    """What was written.

    Attributes:
        shards: bytes of each archive, by name.
        samples: how many.
        left_out: what was wrong with those that could not be read.
    """

    shards: dict[str, int] = field(default_factory=dict)
    samples: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Sample:
    key: str
    suffix: str
    image: bytes
    mask: bytes


def pack(dataset: Dataset, folder: Path, *, per_shard: int = 1000, progress: Progress | None = None) -> Packed:
    """Write a data set of pictures as tar archives, so many samples each, and an index of classes and sizes.

    Pictures are copied byte for byte, and masks written as PNGs of class numbers. The samples of "train" are shuffled
    once, so that what lies side by side differs. The same data give the same bytes.

    Args:
        dataset: of pictures.
        folder: a new or empty one.
        per_shard: samples in an archive.
        progress: called with (samples written, samples in all).

    Raises:
        UsageError: the folder holds something, or the data are no pictures.
        DataError: no sample can be read, or the folder cannot be written.
    """
    if not dataset.first.fits_shards:
        raise UsageError(f"shards hold pictures, and the data in {dataset.root} are {dataset.first.plural}")
    make_folder(folder)
    if any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; choose another folder, or remove what an earlier try left there")
    done, seen = Packed(), set[str]()
    for name, split in dataset.splits.items():
        order = np.arange(len(split))
        if name == "train":
            order = np.random.default_rng(0).permutation(len(split))
        cuts = [order[start : start + per_shard].tolist() for start in range(0, len(order), per_shard)]
        for number, chosen in enumerate(cuts):
            shard = folder / f"{name}-{number:05d}-of-{len(cuts):05d}{SUFFIX}"
            _write(shard, split, chosen, seen, done)
            done.shards[shard.name] = shard.stat().st_size
            if progress is not None:
                progress(done.samples + len(done.left_out), len(dataset))
    if not done.samples:
        raise DataError(f"no sample of {dataset.root} can be read; the first: {done.left_out[0]}")
    space = LabelSpace(dataset.space.names, dataset.space.palette)
    write_json(folder / INDEX, {"label_space": space.to_json(), "samples": done.samples, "shards": done.shards})
    return done


def _write(shard: Path, split: Split, chosen: Sequence[int], seen: set[str], done: Packed) -> None:
    """Write one archive, whole or not at all."""

    def sample(index: int) -> _Sample | str:
        try:
            return _sample(split, split.items[index])
        except DataError as error:
            return str(error)

    with atomic_path(shard) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
        for one in threaded(sample, chosen):
            if isinstance(one, str):
                done.left_out.append(one)
                continue
            key, number = one.key, 1
            while key in seen:  # two names that differ by dots only
                number += 1
                key = f"{one.key}-{number}"
            seen.add(key)
            for name, content in ((f"{key}{one.suffix}", one.image), (f"{key}.mask.png", one.mask)):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            done.samples += 1


def _sample(split: Split, item: Item) -> _Sample:
    suffix, image = _encoded(item.input)
    space = split.space
    labels = split.target(item)
    stored = LabelSpace(space.names)  # with the usual value for what has no label
    table = np.append(np.arange(len(space)), stored.ignore_index).astype(stored.dtype)
    written, mask = cv2.imencode(".png", table[np.minimum(labels, len(space))])
    if not written:
        raise DataError(f"{item.target}: its labels cannot be written as PNG")
    return _Sample(item.id.replace(".", "_"), suffix, image, mask.tobytes())


def _encoded(file: File) -> tuple[str, bytes]:
    """The suffix and the bytes of a picture's own file; a page of a stack becomes a PNG."""
    if isinstance(file, Path):
        try:
            return file.suffix.lower(), file.read_bytes()
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {reason(error)}") from error
    content = file.load()
    if isinstance(content, Image.Image):
        return ".png", _png(content, file)
    if isinstance(file, Member):
        return Path(file.name).suffix.lower(), content
    suffix = next((suffix for sign, suffix in _SIGNS if content.startswith(sign)), None)
    if suffix is None:
        raise DataError(f"{file}: neither JPEG, PNG, WebP nor TIFF; convert it first")
    return suffix, content


def _png(picture: Image.Image, file: File) -> bytes:
    stream = io.BytesIO()
    try:
        picture.save(stream, "PNG")
    except OSError as error:  # of kinds that PNG does not know
        raise DataError(f"{file}: cannot be written as PNG ({error}); convert it first") from error
    return stream.getvalue()
