"""The point clouds of a project: opened once, sent a part at a time, corrected point by point, and written back."""

from __future__ import annotations

import json
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError
from intarsia.files import make_folder, write_json
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds import open_cloud, write_labels
from intarsia.media.clouds.las import SUFFIXES as LAS
from intarsia.media.clouds.writing import kept_suffix
from intarsia.serving.project.cloudclasses import Codes, understand
from intarsia.serving.project.cloudlabels import CODES, Change, CloudLabels
from intarsia.serving.project.cloudpoints import Points, read_points
from intarsia.serving.project.lasso import View, inside
from intarsia.serving.project.project import Project
from intarsia.serving.project.shown import shown_as
from intarsia.serving.project.views import stamp

POINTS, CHANGES = b"INTP", b"INTL"
"""First bytes of what is sent: points, and labels that changed."""
_VERSION = 1
_POINTS_HEAD = struct.Struct("<4sHHIIIIII3d3d")
_CHANGES_HEAD = struct.Struct("<4sHHIIIIII")
_WIDE, _LABELS_16, _INTENSITY, _COLORS = 1, 2, 4, 8  # flags of points
_BITMAP, _ONE_LABEL = 1, 4  # flags of changes, beside _LABELS_16
_KEPT = 2  # clouds


class Rules(NamedTuple):
    """Which points may change.

    Attributes:
        locked: classes whose points stay as they are.
        only: the one class whose points change; None: all.
        visible: the classes that are shown, others stay; None: all.
    """

    locked: Collection[int] = ()
    only: int | None = None
    visible: Collection[int] | None = None

    def table(self, space: LabelSpace) -> NDArray[np.bool_]:
        """Whether a label may change, by label."""
        labels = set(range(space.ignore_index + 1))
        if self.visible is not None:
            labels &= set(self.visible)
        if self.only is not None:
            labels &= {self.only}
        found = np.zeros(space.ignore_index + 1, np.bool_)
        found[[*labels.difference(self.locked)]] = True
        return found


@dataclass(eq=False)
class Cloud:
    """A cloud that is open.

    Attributes:
        path: its file.
        points: as they are shown.
        codes: what the numbers of its file mean.
        labels: of its points.
    """

    path: Path
    points: Points
    codes: Codes
    labels: CloudLabels

    def packed(self, first: int, count: int) -> bytes:
        """Points of consecutive ranks, as the page takes them.

        Little-endian; a head of 80 bytes: "INTP", version 1, flags (1: positions of 32 bits, else 16; 2: labels of 16
        bits, else 8; 4: with intensity; 8: with colours), revision of the labels, points of the cloud, first rank,
        points that follow, changes that can be undone and done again (32 bits each), origin and scale (three float64
        each). Then, each filled up to four bytes: positions (x, y, z a point: coordinate = origin + scale x number; the
        highest number: nowhere), labels, intensity, colours (red, green, blue a point).
        """
        state, points = self.labels.read(), self.points
        places = points.places(first, count)
        labels = state.labels[points.order[places]]
        parts: list[NDArray[np.generic]] = [points.quantised(places), labels]
        flags = _WIDE * (points.wide == 4) | _LABELS_16 * (labels.itemsize == 2)
        for values, flag in ((points.intensity, _INTENSITY), (points.colors, _COLORS)):
            if values is not None:
                parts.append(values[places])
                flags |= flag
        head = _POINTS_HEAD.pack(
            POINTS, _VERSION, flags, state.revision, len(points), first, len(places), state.past, state.future,
            *points.origin, *points.scale,
        )  # fmt: skip
        return head + b"".join(_filled(part) for part in parts)

    def lasso(
        self, view: View, polygon: NDArray[np.float64], label: int, rules: Rules, expected: int, space: LabelSpace,
        *, front: bool = False,
    ) -> Change:  # fmt: skip
        """Give the points that a polygon over a view holds a class.

        Args:
            view: what the polygon was drawn over.
            polygon: (V, 2) corners in pixels.
            label: the class, or the ignore index.
            rules: which points may change.
            expected: the revision of the labels that were seen.
            space: the project's classes.
            front: only those that no other visible point hides.

        Raises:
            Conflict: the labels are of another revision by now.
            UsageError: there is no such class.
        """
        if label >= len(space) and label != space.ignore_index:
            raise UsageError(f"the project has no class {label}: its classes are 0 to {len(space) - 1}")
        state, order = self.labels.read(), self.points.order
        shown = Rules(visible=rules.visible).table(space)[state.labels[order]] if front else None
        index = order[inside(self.points, view, polygon, shown=shown)]
        before = state.labels[index]
        may = rules.table(space)[before] & (before != label)
        which = np.sort(index[may]).astype(np.int64)
        return self.labels.change(which, np.full(len(which), label, state.labels.dtype), expected)

    def take(self, labels: LabelArray, rules: Rules, expected: int, space: LabelSpace) -> Change:
        """Take labels (N,) over from a prediction, where rules let them change; what it does not know stays."""
        before = self.labels.read().labels
        may = rules.table(space)[before] & (labels != before) & (labels != space.ignore_index)
        index = np.flatnonzero(may)
        return self.labels.change(index, labels[index], expected)

    def told(self, change: Change) -> bytes:
        """What changed, as the page takes it.

        Little-endian; a head of 32 bytes: "INTL", version 1, flags (1: a bitmap of ranks, lowest bit first, else ranks
        of 32 bits, ascending; 2: labels of 16 bits, else 8; 4: one label for all), revision, points of the cloud,
        points that changed, changes that can be undone and done again, the one label (32 bits each). Then the ranks,
        filled up to four bytes, and the labels in the order of the ranks, unless one is for all.
        """
        state, which, values = change
        count, ranks = len(self.points), self.points.ranks[which]
        table = np.zeros(count, values.dtype)
        table[ranks] = values
        changed = np.zeros(count, np.bool_)
        changed[ranks] = True
        one = len(values) > 0 and bool((values == values[0]).all())
        flags = _LABELS_16 * (values.itemsize == 2) | _ONE_LABEL * one
        where: NDArray[np.generic] = np.flatnonzero(changed).astype(np.uint32)
        if 4 * len(which) > -(-count // 8):
            where, flags = np.packbits(changed, bitorder="little"), flags | _BITMAP
        head = _CHANGES_HEAD.pack(
            CHANGES, _VERSION, flags, state.revision, count, len(which), state.past, state.future,
            int(values[0]) if one else 0,
        )  # fmt: skip
        return head + _filled(where) + (b"" if one else _filled(table[changed]))

    def write(self, folder: Path, space: LabelSpace) -> tuple[Path, tuple[str, ...]]:
        """Write the file anew with its labels, in its own format where it can be written.

        Returns:
            The file, and what the format does not hold, in sentences.
        """
        target = folder / f"{self.path.stem}{kept_suffix(self.path)}"
        codes = self.codes.by_name(space) if target.suffix.lower() in LAS else None
        return target, write_labels(open_cloud(self.path), target, self.labels.read().labels, space, None, codes)


class Clouds:
    """The clouds of a project; those that were used last stay open.

    Args:
        project: that they are of.
        usual: gives the classes of a model of clouds, for projects without classes of their own.
    """

    def __init__(self, project: Project, usual: Callable[[], LabelSpace | None]) -> None:
        self.project, self._usual = project, usual
        self._opening = threading.Lock()
        self._kept: OrderedDict[tuple[str, tuple[str, int, int]], Cloud] = OrderedDict()

    def open(self, name: str) -> Cloud:
        """Open a cloud by the id of its item; the classes of its file become the project's.

        Raises:
            NoItem: there is no such item.
            UsageError: it is no cloud.
            DataError: it cannot be read.
        """
        item = self.project.item(name)
        file = shown_as(item).cloud_file(item)
        key = name, stamp(item)
        with self._opening:
            if key not in self._kept:
                self._kept[key] = self._read(name, file)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _read(self, name: str, path: Path) -> Cloud:
        points, stored = read_points(open_cloud(path))
        folder = self.project.cloud_folder(name)
        codes = self._codes(folder, stored, is_las=path.suffix.lower() in LAS)
        start = codes.labels(stored, len(points), self.project.space)
        return Cloud(path, points, codes, CloudLabels(folder, name, start))

    def _codes(self, folder: Path, stored: NDArray[np.int64] | None, *, is_las: bool) -> Codes:
        """What the file's numbers mean: decided once, so that names may change afterwards."""
        path = folder / CODES
        if path.exists():
            said = json.loads(path.read_text(encoding="utf-8"))
            return Codes({int(code): index for code, index in said.items()}, is_las)
        codes = understand(self.project, stored, self._usual(), is_las=is_las)
        make_folder(folder)
        write_json(path, dict(codes.classes))
        return codes

    def settle(self) -> None:
        """Make the classes the project's own before labels say their numbers, so that no model replaces them."""
        classes = self.project.classes
        if not classes.chosen:
            self.project.change_classes(classes.rows())

    def adopt(self, space: LabelSpace) -> None:
        """Take a model's classes, while nobody has said any, and keep them."""
        self.project.adopt(space)
        self.settle()


def _filled(values: NDArray[np.generic]) -> bytes:
    """An array's bytes, little-endian, filled up to a multiple of four."""
    data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return data + bytes(-len(data) % 4)
