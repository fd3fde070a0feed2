"""AnnotatedImage, AnnotatedVideo, AnnotationSet: what every annotation tool's files become."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from intarsia.annotations.archive import Unpacked
from intarsia.annotations.geometry import Geometry
from intarsia.annotations.interpolation import between
from intarsia.annotations.lost import Lost
from intarsia.labels import Color

BACKGROUND_NAMES = ("background", "_background_", "__background__")
"""Class names (in lower case) that stand for everything without a shape."""

IGNORE_NAMES = ("__ignore__", "void", "ignore", "unlabeled", "unlabelled")
"""Class names (in lower case) that stand for "nothing is known here"."""


@dataclass(frozen=True)
class Shape:
    """One drawn thing.

    Attributes:
        label: class name.
        geometry: where it is.
        instance: shapes of one image with the same label and number are parts of one thing; None: a thing of its own.
        z: layer; higher ones lie on top when shapes are drawn in the order "z".
        attributes: the annotator's own fields (name -> text, number, bool, or list of texts).
        occluded: partly hidden, as the annotator said.
        crowd: a group of things that are not told apart (COCO's iscrowd).
        source: how it was made ("manual", "auto", ...), as the tool names it; "" when not said.
        score: confidence 0..1 of a prediction; None for a person's work.
        extra: what the tool stored besides, under its own names; only the same tool's writer writes it back.
    """

    label: str
    geometry: Geometry
    instance: int | None = None
    z: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    occluded: bool = False
    crowd: bool = False
    source: str = ""
    score: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


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

    def labels(self) -> set[str]:
        """The class names that occur."""
        return {shape.label for shape in self.shapes}


@dataclass(frozen=True)
class Keyframe:
    """A track's shape from a frame on, until its next keyframe.

    Attributes:
        frame: number in the source video.
        geometry: where the thing is in this frame.
        outside: the thing is not in the picture from this frame on.
        occluded: partly hidden.
        interpolated: the file marks the position as computed by the tool, not set by a person.
        z: layer.
        attributes: fields that change over time.
    """

    frame: int
    geometry: Geometry
    outside: bool = False
    occluded: bool = False
    interpolated: bool = False
    z: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """One thing through a video; its keyframes rise in `frame`. `attributes` hold for the whole track."""

    label: str
    keyframes: tuple[Keyframe, ...]
    instance: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def shape_at(self, frame: int) -> Shape | None:
        """Return the track's shape in a frame; None before the first keyframe and after an `outside` one.

        A shape holds from its keyframe until the next one and moves towards that one's position; after the last
        keyframe it stays.
        """
        number = bisect_right(self.keyframes, frame, key=lambda keyframe: keyframe.frame) - 1
        if number < 0 or self.keyframes[number].outside:
            return None
        now = self.keyframes[number]
        geometry = now.geometry
        if now.frame < frame and number + 1 < len(self.keyframes):
            later = self.keyframes[number + 1]
            geometry = between(geometry, later.geometry, (frame - now.frame) / (later.frame - now.frame))
        return Shape(
            label=self.label,
            geometry=geometry,
            instance=self.instance,
            z=now.z,
            attributes={**self.attributes, **now.attributes},
            occluded=now.occluded,
            source=self.source,
            extra=self.extra,
        )


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

    def labels(self) -> set[str]:
        """The class names that occur."""
        return {track.label for track in self.tracks}

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
        if isinstance(document, AnnotatedVideo):
            yield from document.images()
        else:
            yield document
