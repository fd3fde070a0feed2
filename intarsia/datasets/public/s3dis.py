"""S3DIS: indoor point clouds of six areas, room by room; splits for Area 5 and for the six folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from intarsia.datasets.layouts.clouds import CloudReading, CloudSplit
from intarsia.datasets.layouts.contract import Content, Layout
from intarsia.datasets.layouts.filenames import natural
from intarsia.datasets.public.entry import Entry, find, layout
from intarsia.datasets.public.protocol import EvaluationProtocol, averages
from intarsia.datasets.splits import Item
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds.rooms import ANNOTATIONS, S3DIS_CLASSES, class_of, read_room

S3DIS = LabelSpace(
    S3DIS_CLASSES,
    (
        (0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 255, 0), (255, 0, 255), (100, 100, 255), (200, 200, 100),
        (170, 120, 200), (255, 0, 0), (200, 100, 100), (10, 200, 100), (200, 200, 200), (50, 50, 50),
    ),
)  # fmt: skip
"""The 13 classes; things of other names ("stairs") count as clutter."""

AREAS = (1, 2, 3, 4, 5, 6)

PROTOCOL = EvaluationProtocol(
    "s3dis",
    "overall and mean accuracy and mean IoU of 13 classes; six folds are pooled",
    "Armeni et al. 2016",
    lambda: (S3DIS,),
    averages({"overall accuracy": "pixel_accuracy", "mean accuracy": "mean_accuracy", "mean IoU": "miou"}),
)
_READ = 3  # rooms whose lines are looked at when the data are opened

ENTRY = Entry(
    name="s3dis",
    title="S3DIS: Stanford Large-Scale 3D Indoor Spaces",
    about="272 rooms in six areas as coloured point clouds, 13 classes",
    space=lambda: S3DIS,
    splits="Area 5 for testing (val) and the others for training; or six folds, whose counts are pooled",
    ignored="nothing",
    size="272 rooms",
    license="for research; form needed",
    citation="Armeni et al., 3D Semantic Parsing of Large-Scale Indoor Spaces, CVPR 2016",
    homepage="http://buildingparser.stanford.edu/dataset.html",
    steps=("fill in the form at the homepage, fetch Stanford3dDataset_v1.2_Aligned_Version.zip, and unpack it",),
    tree="""Stanford3dDataset_v1.2_Aligned_Version/
  Area_1/office_1/office_1.txt  (x y z r g b, a point a line)
  Area_1/office_1/Annotations/chair_1.txt  (a file for each thing)""",
    protocol=PROTOCOL,
)


@dataclass(frozen=True)
class Room:
    """One room.

    Attributes:
        area: 1 to 6.
        name: "office_1".
        cloud: all of its points.
        things: class index and points file of everything in it.
    """

    area: int
    name: str
    cloud: Path
    things: tuple[tuple[int, Path], ...]

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.cloud.parent


def _found(content: Content) -> Path | None:
    places = ("", "Stanford3dDataset_v1.2_Aligned_Version", "Stanford3dDataset_v1.2")
    for number in AREAS:
        folder = find(content, *places, holding=(f"Area_{number}",))
        if folder is not None and next(folder.glob(f"Area_{number}/*/{ANNOTATIONS}"), None) is not None:
            return folder
    return None


def rooms(root: Path) -> list[Room]:
    """Every room below a folder, by area and name.

    Raises:
        DataError: there is no Area_N, or a room lacks its points or its annotations.
    """
    folder = _found(Content(root))
    if folder is None:
        raise ENTRY.missing(Content(root), "it has no Area_N/ROOM/Annotations")
    found = []
    for area in AREAS:
        places = (folder / f"Area_{area}").glob(f"*/{ANNOTATIONS}")
        for place in sorted(places, key=lambda path: natural(path.parent.name)):
            room = place.parent
            cloud = room / f"{room.name}.txt"
            files = sorted(place.glob("*.txt"), key=lambda path: natural(path.name))
            if not cloud.exists() or not files:
                raise DataError(
                    f"{room}: its {'points ' + cloud.name if files else 'annotations'} are missing; unpack it again"
                )
            found.append(Room(area, room.name, cloud, tuple((class_of(path.stem), path) for path in files)))
    return found


def divide(every: Sequence[Room], test_area: int = 5) -> tuple[tuple[Room, ...], tuple[Room, ...]]:
    """(train, test): one area for testing. Area 5 is the usual one; the six areas in turn are the six folds.

    Raises:
        UsageError: no such area, or no room on one of the sides.
    """
    if test_area not in AREAS:
        raise UsageError(f"S3DIS has no area {test_area!r}; it has the areas 1 to 6")
    train = tuple(room for room in every if room.area != test_area)
    test = tuple(room for room in every if room.area == test_area)
    if not train or not test:
        present = ", ".join(str(area) for area in sorted({room.area for room in every}))
        raise UsageError(f"testing on area {test_area} needs it and at least one other; here are: {present or 'none'}")
    return train, test


TEST_AREA = {"s3dis": 5} | {f"s3dis-area-{area}": area for area in AREAS}
"""The area that each layout holds out."""


def _rooms_below(content: Content) -> list[Path]:
    """The folders of rooms, wherever they lie; beside photos (as in Pascal VOC) "Annotations" are something else."""
    if content.has_pictures:
        return []
    return sorted({file.parent.parent for file in content.below if file.parent.name == ANNOTATIONS})


def _matches(content: Content) -> bool:
    areas = {folder.parent.name for folder in _rooms_below(content)}
    return f"Area_{TEST_AREA['s3dis']}" in areas and len(areas) > 1


def _read(content: Content, *, area: int) -> CloudReading:
    """S3DIS as it is released, one area held out as "val"."""
    halves = zip(("train", "val"), divide(rooms(content.root), area), strict=True)
    divided = [(split, room.folder) for split, half in halves for room in half]
    note = f"Area {area} is held out as val, the others are for training."
    found = _reading(content, divided)
    return replace(found, notes=(note, *found.notes), complete=True)


def _read_some(content: Content) -> CloudReading:
    """Only some of its rooms, or such of your own, which are divided by name."""
    found = _rooms_below(content)
    if not found:
        raise ENTRY.missing(content, "it has no ROOM/Annotations")
    return _reading(content, [(None, folder) for folder in found])


def _reading(content: Content, folders: Sequence[tuple[str | None, Path]]) -> CloudReading:
    clouds = tuple(
        (split, Item(folder.relative_to(content.root).as_posix(), folder, folder)) for split, folder in folders
    )
    repaired = tuple(note for _, folder in folders[:_READ] for note in read_room(folder)[1])
    codes = {code: code for code in range(len(S3DIS))}
    return CloudReading(S3DIS, codes, clouds, repaired)


ENTRIES = (ENTRY,)
_layout = partial(layout, ENTRY, kind=CloudSplit, sole=True)
LAYOUTS: dict[str, Layout] = {
    "s3dis": _layout("S3DIS rooms: Area_N/ROOM/Annotations", _matches, partial(_read, area=TEST_AREA["s3dis"])),
    **{
        f"s3dis-area-{area}": _layout(
            f"the same, Area {area} held out: one of the six folds", None, partial(_read, area=area)
        )
        for area in AREAS
    },
    "s3dis-rooms": _layout(
        "some rooms of S3DIS, or such of your own, divided by name: ROOM/Annotations",
        lambda content: bool(_rooms_below(content)),
        _read_some,
    ),
}
