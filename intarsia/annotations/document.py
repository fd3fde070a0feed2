"""AnnotatedImage, AnnotatedVideo, AnnotationSet: what every annotation tool's files become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

from intarsia.annotations.archive import Unpacked
from intarsia.annotations.geometry import Geometry
from intarsia.annotations.lost import Lost
from intarsia.annotations.shapes import Keyframe, Shape, Track
from intarsia.labels import Color

__all__ = [
    "BACKGROUND_NAMES",
    "IGNORE_NAME",
    "AnnotatedImage",
    "AnnotatedVideo",
    "AnnotationSet",
    "Attribute",
    "Category",
    "Document",
    "DocumentWriter",
    "Keyframe",
    "Shape",
    "Track",
    "images",
    "is_unlabelled",
]

BACKGROUND_NAMES = ("background", "_background_", "__background__")
"""Class names (in lower case) that stand for everything without a shape."""

IGNORE_NAME = "__ignore__"
"""The class name that is written for "nothing is known here"; see `is_unlabelled` for those that are read."""

_IGNORED = frozenset((
    "ignore", "ignored", "ignoreregion", "ignoredregion", "ignorelabel", "ignoreclass", "void", "unlabeled",
    "unlabelled", "notlabeled", "notlabelled", "nolabel", "unannotated", "notannotated", "dontcare", "donotcare",
    "nodata",
))  # fmt: skip


def is_unlabelled(name: str) -> bool:
    """Tell whether a class name stands for "nothing is known here": ignore, void, Don't care, no data, ..."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) in _IGNORED


class DocumentWriter(Protocol):
    """Takes documents, each kind in its own way."""

    def image(self, document: AnnotatedImage) -> None:
        """Write an image."""

    def video(self, document: AnnotatedVideo) -> None:
        """Write a video."""


@dataclass(frozen=True)
class AnnotatedImage:
    """The annotations of one image or video frame.

    Attributes:
        name: the image's name as the file gives it, with forward slashes; never a safe path by itself.
        source: the annotation file.
        image: the image file, found inside the data set's folder; None when it is not there.
        width: of the upright image in pixels (EXIF rotation applied); None where the file does not say it.
        height: likewise.
        shapes: in the file's order.
        attributes: the annotator's fields of the whole image.
        subset: "train", "val", ... where the file divides its images; else "".
        frame: number in the source video, counted from 0; None for still images.
        time: seconds in the source video; None for still images.
        embedded: the image's own compressed file where the annotation file contains it (JPEG or PNG bytes).
        tool: name of the tool whose `extra` entries these are; "" when made in memory.
        extra: what the tool stored besides, under its own names.
        unpacked: keeps the folder that `image` and `source` lie in, where they come from a zip archive.
    """

    name: str
    source: Path = Path()
    image: Path | None = None
    width: int | None = None
    height: int | None = None
    shapes: tuple[Shape, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    subset: str = ""
    frame: int | None = None
    time: float | None = None
    embedded: bytes | None = field(default=None, repr=False)
    tool: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    unpacked: Unpacked | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "images"
    frames: ClassVar[int] = 1
    tracks: ClassVar[tuple[Track, ...]] = ()

    def labels(self) -> set[str]:
        """The class names that occur."""
        return {shape.label for shape in self.shapes}

    def things(self) -> list[tuple[str, Geometry]]:
        """Label and geometry of everything that is drawn."""
        return [(shape.label, shape.geometry) for shape in self.shapes]

    def images(self) -> Iterator[AnnotatedImage]:
        """Yield the pictures that it stands for: itself."""
        yield self

    def stills(self) -> tuple[AnnotatedImage, ...]:
        """Return the pictures with a file of their own: itself."""
        return (self,)

    def map_stills(self, change: Callable[[AnnotatedImage], AnnotatedImage]) -> AnnotatedImage:
        """Return the document with its `stills` changed."""
        return change(self)

    def faults(self) -> Iterator[str]:
        """Yield what contradicts itself, as far as the document alone tells."""
        yield from ()

    def picture_names(self, root: Path) -> Iterator[str]:
        """Yield what its picture may be called, the usual name first; later ones are longer, and seldom another's.

        Args:
            root: the export's folder.
        """
        yield self.name
        yield from self.path_below(root)
        for folder in (self.subset, self.source.stem):
            if folder:
                yield f"{folder}/{self.name}"

    def with_picture_name(self, name: str) -> AnnotatedImage:
        """Return it under one of its `picture_names`."""
        return replace(self, name=name)

    def path_below(self, root: Path) -> Iterator[str]:
        """Yield the path of the image file below a folder, where the name is its end."""
        if self.image is not None and self.image.is_relative_to(root):
            path = self.image.relative_to(root).as_posix()
            if path.endswith(f"/{self.name}"):
                yield path

    def write_to(self, writer: DocumentWriter) -> None:
        """Have it written as what it is."""
        writer.image(self)


@dataclass(frozen=True)
class AnnotatedVideo:
    """The annotations of one video. Frames run from `start` to `stop` (both included) in steps of `step`.

    `frame_name` is a format for the frames' image names with the field {frame}, for instance "frame_{frame:06d}.png".
    `frame_images` holds the image files of frames, by frame number, where the export has them.
    The other attributes are those of `AnnotatedImage`.
    """

    name: str
    tracks: tuple[Track, ...]
    start: int
    stop: int
    step: int = 1
    source: Path = Path()
    image: Path | None = None
    width: int | None = None
    height: int | None = None
    frames_per_second: float | None = None
    frame_name: str = "frame_{frame:06d}.png"
    frame_images: Mapping[int, Path] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    subset: str = ""
    tool: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    unpacked: Unpacked | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "videos"

    def labels(self) -> set[str]:
        """The class names that occur."""
        return {track.label for track in self.tracks}

    @property
    def frames(self) -> int:
        """How many pictures it stands for."""
        return 1 + (self.stop - self.start) // max(self.step, 1)

    def things(self) -> list[tuple[str, Geometry]]:
        """Label and first geometry of every track."""
        return [(track.label, track.keyframes[0].geometry) for track in self.tracks if track.keyframes]

    def stills(self) -> tuple[AnnotatedImage, ...]:
        """Return none: its frames lie in one file."""
        return ()

    def map_stills(self, change: Callable[[AnnotatedImage], AnnotatedImage]) -> AnnotatedVideo:
        """Return it as it is."""
        return self

    def faults(self) -> Iterator[str]:
        """Yield the tracks without a keyframe, and those that leave the video."""
        for number, track in enumerate(self.tracks, start=1):
            frames = [keyframe.frame for keyframe in track.keyframes]
            if not frames:
                yield f"track {number} ({track.label}) has no keyframe"
            elif frames[0] < self.start or frames[-1] > self.stop:
                yield f"track {number} ({track.label}) has keyframes outside the video ({self.start} to {self.stop})"

    def picture_names(self, root: Path) -> Iterator[str]:
        """Yield the formats of its frames' names: its own, and the same below the video's name."""
        yield self.frame_name
        folder = self.name.replace("{", "{{").replace("}", "}}")
        yield f"{folder}/{self.frame_name}"

    def with_picture_name(self, name: str) -> AnnotatedVideo:
        """Return it with one of its `picture_names`."""
        return replace(self, frame_name=name)

    def write_to(self, writer: DocumentWriter) -> None:
        """Have it written as what it is."""
        writer.video(self)

    def images(self) -> Iterator[AnnotatedImage]:
        """Yield every frame as an image, with the tracks' shapes in the order of the tracks (`Track.shape_at`)."""
        for frame in range(self.start, self.stop + 1, self.step):
            shapes = (track.shape_at(frame) for track in self.tracks)
            yield AnnotatedImage(
                name=self.frame_name.format(frame=frame),
                source=self.source,
                image=self.frame_images.get(frame),
                width=self.width,
                height=self.height,
                shapes=tuple(shape for shape in shapes if shape),
                attributes=self.attributes,
                subset=self.subset,
                frame=frame,
                time=None if self.frames_per_second is None else frame / self.frames_per_second,
                tool=self.tool,
                unpacked=self.unpacked,
            )


Document: TypeAlias = AnnotatedImage | AnnotatedVideo
"""Whatever was annotated: no reader or writer needs to ask which, as each answers for itself."""


@dataclass(frozen=True)
class Attribute:
    """One field that annotators fill in. `values` are the choices of a closed list; `kind` as the tool names it."""

    name: str
    values: tuple[str, ...] = ()
    kind: str = "text"
    default: str = ""
    mutable: bool = False


@dataclass(frozen=True)
class Category:
    """One class as the tool declares it: name, colour, number, fields, a skeleton's points, whether it has things."""

    name: str
    color: Color | None = None
    id: int | None = None
    group: str = ""
    attributes: tuple[Attribute, ...] = ()
    keypoints: tuple[str, ...] = ()
    thing: bool = True


@dataclass
class AnnotationSet:
    """A tool's export: its classes, and a stream of documents that is read anew by every iteration.

    Attributes:
        tool: the tool's name in the registry.
        source: the file or folder that was opened.
        root: the folder that image names may not leave.
        categories: classes that the export declares, in its order; empty where it declares none.
        stream: called with the tally to fill; yields one document after the other.
        lost: what the latest iteration skipped (complete when it has ended).
        unpacked: keeps the folder of a zip archive, as the documents do; None when nothing was unpacked.
    """

    tool: str
    source: Path
    root: Path
    categories: tuple[Category, ...]
    stream: Callable[[Lost], Iterator[Document]]
    lost: Lost = field(default_factory=Lost)
    unpacked: Unpacked | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[Document]:
        self.lost = Lost()
        return self.stream(self.lost)

    def images(self) -> Iterator[AnnotatedImage]:
        """Every image; of videos every frame."""
        return images(self)


def images(documents: Iterable[Document]) -> Iterator[AnnotatedImage]:
    """Every image of some documents; of videos every frame."""
    for document in documents:
        yield from document.images()
