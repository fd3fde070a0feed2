"""Exports of annotation tools as data sets: outlines are drawn when an item is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from intarsia.annotations.archive import Unpacked, is_zip
from intarsia.annotations.document import AnnotatedImage
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.finding import walk
from intarsia.annotations.formats.masks import drawing_of
from intarsia.annotations.geometry import AREAS, Rectangle, name_of
from intarsia.annotations.packing import pack, unpack
from intarsia.annotations.raster import background_label, class_names, rasterize
from intarsia.annotations.tools import SUFFIXES, open_annotations, recognise, tools
from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts import lists
from intarsia.datasets.layouts.candidates import look_like_masks, with_roles
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import SPLITS, classify, natural
from intarsia.datasets.layouts.pairing import Pairs, pair
from intarsia.datasets.meaning import without_ignored
from intarsia.datasets.parts import File
from intarsia.datasets.pictures import image_size
from intarsia.datasets.splits import Item, Size
from intarsia.errors import DataError
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES

_MOST_LOST = 4
_LOOKED_AT = 200


@dataclass(frozen=True)
class Embedded:
    """The copy of an image that an annotation file contains (LabelMe's imageData)."""

    path: Path
    name: str

    def __str__(self) -> str:
        return f"{self.path} (embedded image)"

    def load(self) -> bytes:
        """The image's own file."""
        for document in open_annotations(self.path).images():
            if f"/{self.name}".endswith(f"/{document.name}") and document.embedded:  # a name from the folder on
                return document.embedded
        raise DataError(f"{self.path}: has no embedded image {self.name!r} any more; open the data set again")


@dataclass(frozen=True)
class Outlines:
    """The reader of drawn masks: items' packed documents by id, in the classes of the export.

    It keeps the folder that the export's archive was unpacked into: the images lie there.
    """

    documents: Mapping[str, bytes]
    space: LabelSpace
    drawing: DrawingRules
    unpacked: Unpacked | None = None

    def __call__(self, item: Item, size: Size | None) -> RawMask:
        """The labels of an item, drawn at the image's own size.

        Raises:
            DataError: a shape has no class here, or the document was made for an image of another size.
        """
        return rasterize(unpack(self.documents[item.id]), size or image_size(item), self.space, self.drawing)


def is_export(content: Content) -> bool:
    """Whether the file or folder is a tool's export.

    Masks of the same images beside it count instead, where a file names their values (they were prepared from it), or
    where the export has no outlines (boxes say less than masks).

    Raises:
        DataError: masks of the same images lie beside outlines, so that either may be meant.
    """
    if "tool" in content.options.reader:
        return True
    if content.table is not None:
        # An archive is nothing else, and is unpacked only once: when it is read.
        known = content.table.suffix.lower() in SUFFIXES
        return known and (is_zip(content.table) or recognise(content.table) is not None)
    if not content.tools or lists.pairs_in(content):
        return False
    masks = [path for path in content.below if _is_picture(path) and classify(path, content.root).role == "mask"]
    if content.classes is not None and masks:
        return False
    if any(tool.pictures for tool in content.tools) or not masks or not _are_of_images(content):
        return True
    kind = _outlines_in(content)
    if not kind:
        return False
    raise DataError(
        f"{content.root}: {len(masks)} masks ({masks[0].relative_to(content.root).as_posix()}, ...) and shapes of "
        f"{content.tools[0].name} ({kind}) describe the same images: which are the labels? --layout folder takes the "
        f"masks, --layout annotations the drawn shapes (recipe: data.layout)"
    )


def also_here(content: Content) -> str:
    """A note on an export beside masks, which are read instead; "" where there is none."""
    beside = [] if content.table is not None else [tool.name for tool in content.tools if not tool.pictures]
    if not beside:
        return ""
    return f"Annotations of {beside[0]} lie here, too; the masks are read (--layout annotations: the others)."


def _are_of_images(content: Content) -> bool:
    """Whether masks, which hold few values, belong to images of the folder."""
    try:
        found, _ = with_roles(content.base, content.files, content.options.masks)
        return look_like_masks([mask for *_, mask in pair(content.base, found).matched])
    except DataError:
        return False


def _outlines_in(content: Content) -> str:
    """The geometry with an outline of its own that an export's first documents hold; "" where they hold none."""
    export = open_annotations(content.root)
    try:
        for document in islice(export.images(), _LOOKED_AT):
            for shape in document.shapes:
                if isinstance(shape.geometry, AREAS) and not isinstance(shape.geometry, Rectangle):
                    return name_of(shape.geometry)
    except DataError:  # broken: reading it says how
        return "shape"
    return ""


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def read_export(content: Content) -> PictureReading:
    """Every image that the export describes and that is there.

    Raises:
        DataError: not an export, broken, or none of its images is there.
    """
    place = content.table or content.root
    export = open_annotations(place, **content.options.reader)
    documents: dict[str, bytes] = {}
    labels: set[str] = set()
    drawn: set[str] = set()
    drawing = drawing_of(export)
    kinds: Counter[tuple[str, bool]] = Counter()  # names of geometries, and whether they leave pixels
    twice = 0
    matched: list[tuple[str | None, str, File, File]] = []
    missing: list[str] = []
    for document in export.images():
        image = _image(document)
        if image is None:
            missing.append(document.name)
            continue
        split = _split(document, image, export.root)
        name = Path(document.name).with_suffix("").as_posix()
        name = f"{split}/{name}" if split and not name.startswith(f"{split}/") else name
        twice += name in documents
        while name in documents:
            name += "+"
        documents[name] = pack(document)
        labels |= document.labels()
        drawn |= {shape.label for shape in document.shapes if drawing.draws(shape.geometry)}
        kinds.update((name_of(shape.geometry), drawing.draws(shape.geometry)) for shape in document.shapes)
        matched.append((split, name, image, document.source))
    if not matched:
        raise DataError(
            f"{place}: no image of this {export.tool} export is here"
            + (
                f", for instance {missing[0]}; put the images beside the annotations"
                if missing
                else "; it describes none"
            )
        )
    declared = tuple(category.name for category in export.categories)
    space, note = _space(content, labels, drawn, declared)
    notes = [f"Annotations of {export.tool}.", note]
    if missing:
        shown = ", ".join(missing[:3])
        notes.append(f"Annotated images that are not here, left out: {len(missing)} ({shown}).")
    if twice:
        notes.append(f"Images that are annotated more than once, each time as an item of its own: {twice}.")
    notes += _said_of_shapes(kinds)
    lines = export.lost.lines()
    notes += [f"Annotations: {line}." for line in lines[:_MOST_LOST]]
    if len(lines) > _MOST_LOST:
        notes.append(f"Annotations: {len(lines) - _MOST_LOST} more such lines; see intarsia annotations check {place}.")
    used = {image for *_, image, _ in matched}
    left = () if content.table else tuple(_photos(content.root, used))
    matched.sort(key=lambda entry: natural(entry[1]))
    coding = MaskCoding(values={i: i for i in (*range(len(space)), space.ignore_index)})
    reader = Outlines(documents, space, drawing, export.unpacked)
    broken = export.lost.entries.get(("dropped", "a file that cannot be used"))
    faults = tuple(broken.examples) if broken else ()
    return PictureReading(space, coding, Pairs(tuple(matched), left, (), ()), tuple(notes), reader, faults=faults)


def _said_of_shapes(kinds: Counter[tuple[str, bool]]) -> Iterator[str]:
    """What to know of shapes that are no outlines."""
    boxes = sum(count for (kind, _), count in kinds.items() if kind.endswith("rectangle"))
    if boxes:
        yield f"Boxes are filled, as if the thing filled them: {boxes:,} of {kinds.total():,} shapes."
    undrawn = ", ".join(f"{count} {kind}" for (kind, drawn), count in kinds.most_common() if not drawn)
    if undrawn:
        yield f"Shapes without area, not drawn: {undrawn}."


def _photos(root: Path, used: set[File]) -> Iterator[Path]:
    """The photos that no annotation names; masks, also such as are named like a used photo of the split, are none."""
    found = {path: classify(path, root) for path in walk(root, IMAGE_SUFFIXES)}
    names = {(one.split, path.stem) for path, one in found.items() if path in used}
    for path, one in found.items():
        if path not in used and one.role != "mask" and (one.split, path.stem) not in names:
            yield path


def _image(document: AnnotatedImage) -> File | None:
    if document.image is not None:
        return document.image
    return Embedded(document.source, document.name) if document.embedded else None


def _split(document: AnnotatedImage, image: File, root: Path) -> str | None:
    if document.subset:
        return SPLITS.get(document.subset.lower())
    path = image if isinstance(image, Path) else image.path
    return classify(path, root).split if path.is_relative_to(root) else None


def _space(content: Content, labels: set[str], drawn: set[str], declared: tuple[str, ...]) -> tuple[LabelSpace, str]:
    """The classes: as the user names them, else those that leave pixels, in the order in which the export has them."""
    if content.classes is not None:
        space = without_ignored(content.classes)
        if not content.asked and set(space.names) == set(declared):  # the tool's own list, which names no background
            space = LabelSpace(class_names(space.names)) if background_label(space) == space.ignore_index else space
        lacking = [name for name in class_names(sorted(labels))[1:] if name not in space.names]
        note = ""
        if lacking and not content.asked:  # a file that the tool may have filled in before the class was invented
            space = LabelSpace((*space.names, *lacking))
            note = f", which lacks {', '.join(lacking)}: added"
        rest = background_label(space)
        what = "ignored" if rest == space.ignore_index else space.names[rest]
        return space, f"Classes from {content.classes.source}{note}; pixels without a shape are {what}."
    every = class_names([*declared, *(name for name in sorted(labels) if name not in declared)])
    space = LabelSpace(tuple(name for name in every if name == every[0] or name in drawn) if drawn else every)
    empty = [name for name in every if name not in space.names]
    left = f" Left out, as they have no area anywhere: {', '.join(empty)} (--classes keeps them)." if empty else ""
    known = ", ".join(space.names)
    return space, f"Classes from the annotations: {known}; pixels without a shape are background.{left}"


LAYOUTS: dict[str, Layout] = {
    "annotations": Layout(
        f"the export of an annotation tool: {', '.join(tool.name for tool in tools().values() if tool.read)}",
        is_export,
        read_export,
        files="the tool's files beside or above the images; or the file or zip archive itself",
        tools=True,
        listed=True,
    ),
}
