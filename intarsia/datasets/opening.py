"""open_dataset: from a folder to a data set whose every automatic decision is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from intarsia.datasets.classfile import ClassList, find_class_file
from intarsia.datasets.layouts import exports, manifest, parquet
from intarsia.datasets.layouts.contract import Content, Layout, Reading
from intarsia.datasets.layouts.pairing import SPLITS
from intarsia.datasets.layouts.table import LAYOUTS
from intarsia.datasets.partition import divide
from intarsia.datasets.parts import place
from intarsia.datasets.public import ENTRIES
from intarsia.datasets.remap import Remap, remapped
from intarsia.datasets.splits import Dataset, Split
from intarsia.errors import DataError, UsageError, suggest
from intarsia.files import local
from intarsia.labels import Color, LabelSpace
from intarsia.recipe import ReadOptions, Remapping

TABLES = (*manifest.SUFFIXES, parquet.SUFFIX, *exports.SUFFIXES)
"""Suffixes of single files that can be opened as a data set."""

_MEDIA_OPTIONS = ("resize_masks", "tolerant", "reader", "columns", "label")  # of `ReadOptions`: not for every medium
_PLAIN = ReadOptions()


def layouts() -> dict[str, str]:
    """Name and description of every layout that `open_dataset` reads, in the order in which "auto" tries them."""
    return {name: known.about for name, known in LAYOUTS.items()}


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
        path: the data set's folder; or a manifest (.csv, .jsonl), a table (.parquet), or an annotation tool's file.
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
    named = find_class_file(root) if options.classes is None else _given(options.classes, options.palette)
    content = Content(root, options, named, table)
    chosen = options.layout if options.layout != "auto" else _recognised(content, layouts)
    layout = layouts[chosen]
    _check_options(options, layout.kind, table or root)
    if options.reader and not layout.tools:
        raise UsageError(
            f"{table or root}: the options {', '.join(options.reader)} are for exports of annotation tools, but this "
            f"is read as layout {chosen}; leave them out, or name the layout annotations"
        )
    reading = layout.read(content)
    notes = [*reading.said, *_leftover_notes(root, reading)]
    own = None if table else SPLITS.get(root.name.lower())  # "data/val" opened alone is a val split
    items = [(split or own, item) for split, item in reading.items()]
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


def _check_options(options: ReadOptions, kind: type[Split], place: Path) -> None:
    """Refuse an option that means nothing to the data's medium."""
    for name in options.given():
        if name in _MEDIA_OPTIONS and name not in kind.options:
            raise UsageError(f"{place}: {name} is no option of {kind.plural}, as which the data are read; leave it out")


def _rule(said: str | Remapping) -> Remap:
    return Remap.load(Path(said)) if isinstance(said, str) else Remap.from_dict(said.model_dump())


def _recognised(content: Content, layouts: Mapping[str, Layout]) -> str:
    """The first layout that the folder or file looks like."""
    for name, known in layouts.items():
        if known.matches is not None and known.matches(content):
            return name
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
            f"table (.parquet) or an annotation file"
        )


def _given(classes: Sequence[str], palette: Sequence[Color] | None) -> ClassList:
    LabelSpace(tuple(classes), tuple(palette or ()))  # raises on repeated names or a palette of another length
    colors = tuple((int(r), int(g), int(b)) for r, g, b in palette or ())
    return ClassList(tuple(classes), colors)


def _leftover_notes(root: Path, reading: Reading) -> Iterable[str]:
    for (kind, other), paths in zip((("image", "mask"), ("mask", "image")), reading.unpaired, strict=True):
        if paths:
            shown = ", ".join(place(path, root) for path in paths[:3]) + (", ..." if len(paths) > 3 else "")
            plural = f"{kind}s have" if len(paths) > 1 else f"{kind} has"
            yield f"{len(paths)} {plural} no {other} and {'are' if len(paths) > 1 else 'is'} left out: {shown}."
