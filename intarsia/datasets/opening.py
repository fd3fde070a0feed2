"""open_dataset: from a folder to a data set whose every automatic decision is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from intarsia.annotations.formats.yolo import described_folder
from intarsia.annotations.incomplete import what_it_is
from intarsia.annotations.tools import SUFFIXES
from intarsia.classlists import parse_classes
from intarsia.datasets.classfile import find_class_file
from intarsia.datasets.layouts import lists, manifest, parquet, shards, splitfiles
from intarsia.datasets.layouts.contract import Content, Layout, Reading
from intarsia.datasets.layouts.exports import also_here
from intarsia.datasets.layouts.filenames import SPLITS, folder_meaning
from intarsia.datasets.layouts.records import RECORD
from intarsia.datasets.layouts.table import LAYOUTS
from intarsia.datasets.partition import divide
from intarsia.datasets.parts import place
from intarsia.datasets.public import ENTRIES
from intarsia.datasets.remap import Remap, remapped
from intarsia.datasets.splits import Dataset, Split
from intarsia.errors import DataError, UsageError, counted, suggest
from intarsia.files import listed_once, local
from intarsia.recipe import ReadOptions, Remapping

TABLES = tuple(dict.fromkeys((*manifest.SUFFIXES, *splitfiles.SUFFIXES, parquet.SUFFIX, shards.SUFFIX, *SUFFIXES)))
"""Suffixes of single files that can be opened as a data set."""

_MEDIA_OPTIONS = ("masks", "resize_masks", "tolerant", "reader", "columns", "label")  # of `ReadOptions`
_PLAIN = ReadOptions()


def layouts() -> dict[str, str]:
    """Name and description of every layout that `open_dataset` reads, in the order in which "auto" tries them."""
    return {name: known.about for name, known in LAYOUTS.items()}


@listed_once()
def open_dataset(
    path: str | os.PathLike[str],
    options: ReadOptions = _PLAIN,
    *,
    val_fraction: float = 0.2,
    seed: int = 0,
    layouts: Mapping[str, Layout] = LAYOUTS,
) -> Dataset:
    """Open labelled pictures, rasters, volumes or point clouds: find out their layout and what their values mean.

    Everything decided automatically is told in the data set's `notes`.

    Args:
        path: the data set's folder; or a manifest (.csv, .jsonl), a list (.txt, .tsv), a table (.parquet), a
            shard (.tar), an annotation tool's file, or Ultralytics' data.yaml.
        options: how the data are read, where that is not to be found out.
        val_fraction: share of the items that becomes "val" when the data set brings no val split; 0 divides nothing.
            The division is deterministic and keeps neighbours (frames of a video, slices of a volume) together.
        seed: another seed divides differently.
        layouts: the layouts to choose from, by name, in the order in which they are tried.

    Returns:
        The data set with "train" and "val" (and "test" if it has one), or with "all" when nothing was divided.

    Raises:
        DataError: no such folder, nothing labelled in it, or labels that cannot be understood; says what to do.
        UsageError: unknown layout, options that contradict each other, or one that the data's medium cannot take.
    """
    root = Path(os.path.abspath(local(path)))
    root = described_folder(root) or root
    if options.layout != "auto" and options.layout not in layouts:
        hint = suggest(options.layout, ["auto", *layouts])
        raise UsageError(f"no data set layout is named {options.layout!r}.{hint}")
    if not 0 <= val_fraction < 1:
        raise UsageError(f"val_fraction is {val_fraction}; it must be at least 0 and below 1")
    if options.palette is not None and options.classes is None:
        raise UsageError("a palette needs classes: give both, in the same order")
    _require(root)
    table = root if root.is_file() else None
    root = root.parent if table else root
    named = find_class_file(root) if options.classes is None else parse_classes(options.classes, options.palette)
    content = Content(root, options, named, table)
    chosen = options.layout if options.layout != "auto" else _recognised(content, layouts)
    layout = layouts[chosen]
    if options.masks and not layout.pairs:
        raise UsageError(
            f"{table or root}: masks names a folder or ending where masks lie beside images, but this is read as "
            f"layout {chosen}; leave it out, or name the layout folder"
        )
    _check_options(options, layout.kind, table or root)
    if options.reader and not layout.tools:
        raise UsageError(
            f"{table or root}: the options {', '.join(options.reader)} are for exports of annotation tools, but this "
            f"is read as layout {chosen}; leave them out, or name the layout annotations"
        )
    reading = layout.read(content)
    stored = reading.items()
    listed, divided = lists.divided_by(content, stored) if layout.listed else (stored, ())
    notes = [*reading.said, *divided, *_beside_notes(content, layout), *_leftover_notes(root, reading)]
    own = None if table else _own_split(root)
    items = [(split or own, item) for split, item in listed]
    if not items:
        raise DataError(f"{table or root}: layout {chosen}, but no image has a mask. " + " ".join(notes))
    # Nothing is set aside from what its publisher has divided.
    fraction = 0.0 if reading.complete else val_fraction
    groups, said = divide(items, fraction, seed, thing=layout.kind.thing)
    splits = {name: reading.split(name, members, content) for name, members in groups.items()}
    dataset = Dataset(
        root, chosen, reading.space, splits, (*notes, *said), *reading.unpaired, reading.faults, layout.recipe
    )
    _check_options(options, type(dataset.first), table or root)
    return dataset if options.remap is None else remapped(dataset, _rule(options.remap))


def _own_split(root: Path) -> str | None:
    """The split that a folder is by its name: "data/val" beside "data/train", not a data set that is called test."""
    own = SPLITS.get(root.name.lower())
    if own is None:
        return None
    beside = {folder_meaning(other.name)[0] for other in root.parent.iterdir() if other.is_dir()}
    return own if beside - {own, None} else None


def _beside_notes(content: Content, layout: Layout) -> Iterable[str]:
    """What else lies in the folder, and is not read."""
    if layout.pairs and (also := also_here(content)):
        yield also
    if layout.pairs and content.table is None:
        yield from manifest.passed_over(content)
    if content.table is None and content.results:
        count = len([path for path in content.results if path.name != RECORD])
        yield (
            f"Predictions that intarsia segment left here are no labels, and are left out: {counted(count, 'file')} "
            f"(to learn from them, move its {RECORD} away)."
        )


def _check_options(options: ReadOptions, kind: type[Split], place: Path) -> None:
    """Refuse an option that means nothing to the data's medium."""
    for name in options.given():
        if name in _MEDIA_OPTIONS and name not in kind.options:
            raise UsageError(f"{place}: {name} is no option of {kind.plural}, as which the data are read; leave it out")


def _rule(said: str | Remapping) -> Remap:
    return Remap.load(Path(said)) if isinstance(said, str) else Remap.from_dict(said.model_dump())


def _recognised(content: Content, layouts: Mapping[str, Layout]) -> str:
    """The first layout that the folder or file looks like; who says which pictures are the masks wants those."""
    wanted = {name: known for name, known in layouts.items() if known.pairs or not content.options.masks}
    for name, known in wanted.items():
        if known.matches is not None and known.matches(content):
            return name
    if content.table is not None and (known_as := what_it_is(content.table)):
        raise DataError(f"{content.table}: {known_as}")
    raise DataError(
        f"{content.table}: neither a manifest, a table nor a known annotation file ({', '.join(TABLES)}); name "
        f"the folder with the images, or correct the file"
    )


def _require(root: Path) -> None:
    if not root.exists() and root.name in ENTRIES:
        entry = ENTRIES[root.name]
        raise DataError(f"{root}: no such folder. If you mean the data set {entry.title}:\n{entry.how_to_get()}")
    if not root.exists():
        names = [entry.name for entry in root.parent.iterdir()] if root.parent.is_dir() else []
        raise DataError(f"{root}: no such folder.{suggest(root.name, names) if names else ''}")
    if root.is_file() and root.suffix.lower() not in TABLES:
        raise DataError(
            f"{root}: is a file; a data set is a folder of labelled images or clouds, a manifest (.csv, .jsonl), a "
            f"list (.txt, .tsv), a table (.parquet), a shard (.tar) or an annotation file"
        )


def _leftover_notes(root: Path, reading: Reading) -> Iterable[str]:
    for (kind, other), paths in zip((("image", "mask"), ("mask", "image")), reading.unpaired, strict=True):
        if paths:
            shown = ", ".join(place(path, root) for path in paths[:3]) + (", ..." if len(paths) > 3 else "")
            plural = f"{kind}s have" if len(paths) > 1 else f"{kind} has"
            yield f"{len(paths)} {plural} no {other} and {'are' if len(paths) > 1 else 'is'} left out: {shown}."
