"""open_dataset: from a folder to a data set whose every automatic decision is told."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from intarsia.datasets.classfile import ClassList, find_class_file
from intarsia.datasets.layouts import exports, manifest, parquet
from intarsia.datasets.layouts.contract import Content
from intarsia.datasets.layouts.pairing import SPLITS, Pairs
from intarsia.datasets.layouts.table import LAYOUTS
from intarsia.datasets.partition import partition
from intarsia.datasets.parts import place
from intarsia.datasets.public import ENTRIES
from intarsia.datasets.splits import Dataset, Item, Split
from intarsia.errors import DataError, UsageError, suggest
from intarsia.labels import Color, LabelSpace

TABLES = (*manifest.SUFFIXES, parquet.SUFFIX, *exports.SUFFIXES)
"""Suffixes of single files that can be opened as a data set."""


def layouts() -> dict[str, str]:
    """Name and description of every layout that `open_dataset` reads, in the order in which "auto" tries them."""
    return {name: known.about for name, known in LAYOUTS.items()}


def open_dataset(
    path: str | os.PathLike[str],
    *,
    layout: str = "auto",
    classes: Sequence[str] | None = None,
    palette: Sequence[Color] | None = None,
    ignore: Sequence[int] = (),
    val_fraction: float = 0.2,
    seed: int = 0,
    resize_masks: bool = False,
    tolerant: bool = False,
    reader: Mapping[str, Any] | None = None,
) -> Dataset:
    """Open a labelled data set: detect its layout, pair images with masks, find out what the mask values mean.

    Everything decided automatically is told in the data set's `notes`.

    Args:
        path: the data set's folder; or a manifest (.csv, .jsonl), a table (.parquet), or an annotation tool's file.
        layout: a name from `layouts()`, or "auto".
        classes: class names in the order of the mask values; None takes them from classes.txt, labels.txt,
            classes.json or the like in the folder, or else from the values that occur.
        palette: one RGB colour per class; required for colour-coded masks.
        ignore: stored mask values that mean "not labelled".
        val_fraction: share of images that becomes "val" when the data set brings no val split; 0 divides nothing.
            The division is deterministic and keeps neighbours (frames of a video, slices of a volume) together.
        seed: another seed divides differently.
        resize_masks: accept masks that are a scaled version of their image, and stretch them to it.
        tolerant: accept colour-coded masks with other colours than the classes' (JPEG), by the nearest colour.
        reader: options of the reader of an annotation tool's export (`intarsia.annotations`), for instance
            {"class_attribute": "material"} of VIA or {"masks": "downloads"} of Labelbox; "tool" names the tool.

    Returns:
        The data set with "train" and "val" (and "test" if it has one), or with "all" when nothing was divided.

    Raises:
        DataError: no such folder, no images, no masks, or masks that cannot be understood; says what to do.
        UsageError: unknown layout, or arguments that contradict each other.
    """
    root = Path(os.path.abspath(path))
    if layout != "auto" and layout not in LAYOUTS:
        raise UsageError(f"no data set layout is named {layout!r}.{suggest(layout, ['auto', *LAYOUTS])}")
    if not 0 <= val_fraction < 1:
        raise UsageError(f"val_fraction is {val_fraction}; it must be at least 0 and below 1")
    if palette is not None and classes is None:
        raise UsageError("a palette needs classes: give both, in the same order")
    _require(root)
    table = root if root.is_file() else None
    root = root.parent if table else root
    named = find_class_file(root) if classes is None else _given(classes, palette)
    content = Content(root, named, tuple(ignore), classes is not None, table, tolerant, dict(reader or {}))
    chosen = layout if layout != "auto" else _recognised(content)
    if reader and chosen != "annotations":
        raise UsageError(
            f"{table or root}: the options {', '.join(reader)} are for exports of annotation tools, but this is read "
            f"as layout {chosen}; leave them out, or name the layout annotations"
        )
    reading = LAYOUTS[chosen].read(content)

    notes = [*reading.notes, *reading.pairs.notes, *_leftover_notes(root, reading.pairs)]
    if not reading.pairs.matched:
        raise DataError(f"{table or root}: layout {chosen}, but no image has a mask. " + " ".join(notes))
    items: dict[str | None, list[Item]] = defaultdict(list)
    own = None if table else SPLITS.get(root.name.lower())  # "data/val" opened alone is a val split
    for split, name, image, mask in reading.pairs.matched:
        items[split or own].append(Item(name, image, mask, reading.instances.get(name)))
    groups = _divide(items, val_fraction, seed, notes)
    splits = {
        name: reading.finish(Split(name, reading.space, reading.coding, members, root, resize_masks, reading.reader))
        for name, members in groups.items()
    }
    left = reading.pairs.images, reading.pairs.masks
    return Dataset(root, chosen, reading.space, splits, tuple(notes), *left, reading.faults)


def _recognised(content: Content) -> str:
    """The first layout that the folder or file looks like."""
    for name, known in LAYOUTS.items():
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
            f"{root}: is a file; a data set is a folder with images and masks, a manifest (.csv, .jsonl), a table "
            f"(.parquet) or an annotation file"
        )


def _given(classes: Sequence[str], palette: Sequence[Color] | None) -> ClassList:
    if isinstance(classes, str):
        raise UsageError("classes is one text; give a list of names")
    LabelSpace(tuple(classes), tuple(palette or ()))  # raises on repeated names or a palette of another length
    colors = tuple((int(r), int(g), int(b)) for r, g, b in palette or ())
    return ClassList(tuple(classes), colors)


def _divide(
    items: dict[str | None, list[Item]], fraction: float, seed: int, notes: list[str]
) -> dict[str, tuple[Item, ...]]:
    named = {name: tuple(items[name]) for name in ("train", "val", "test") if items.get(name)}
    loose = items.get(None, [])
    if not named and fraction == 0:
        return {"all": tuple(loose)}
    if loose and named:
        notes.append(f"{len(loose)} labelled images outside the split folders were added to train.")
    if loose:
        named = {"train": (*named.get("train", ()), *loose)} | {k: v for k, v in named.items() if k != "train"}
    if "val" in named or "train" not in named or fraction == 0:
        return named
    if len(named["train"]) < 2:
        notes.append("There is only one labelled image, so there is no val split.")
        return named
    train, val = partition(named["train"], fraction, seed)
    notes.append(
        f"The data set has no val split: {len(val)} of {len(train) + len(val)} images were set aside for it "
        f"(by name, neighbours together, seed {seed})."
    )
    return {"train": train, "val": val} | {name: named[name] for name in named if name == "test"}


def _leftover_notes(root: Path, pairs: Pairs) -> Iterable[str]:
    for kind, other, paths in (("image", "mask", pairs.images), ("mask", "image", pairs.masks)):
        if paths:
            shown = ", ".join(place(path, root) for path in paths[:3]) + (", ..." if len(paths) > 3 else "")
            plural = f"{kind}s have" if len(paths) > 1 else f"{kind} has"
            yield f"{len(paths)} {plural} no {other} and {'are' if len(paths) > 1 else 'is'} left out: {shown}."
