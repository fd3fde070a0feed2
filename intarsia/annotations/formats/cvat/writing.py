"""Writing CVAT's XML 1.1: images as "for images", videos as "for video", both together as a project."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import IO, Any

from intarsia.annotations.document import AnnotatedImage, AnnotatedVideo, Category, Document, Keyframe, Shape, Track
from intarsia.annotations.drawing import DrawingRules
from intarsia.annotations.formats.cvat.declaring import Declarations, text_of
from intarsia.annotations.formats.cvat.shapes import attributes_of, points_text
from intarsia.annotations.geometry import (
    Cuboid,
    Ellipse,
    Geometry,
    Keypoint,
    Mask,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    Tag,
)
from intarsia.annotations.lost import Lost
from intarsia.annotations.writing import account, account_classes, fitted, fresh_instances, size_of
from intarsia.annotations.xmlfile import XmlWriter
from intarsia.errors import DataError
from intarsia.files import atomic_path

GEOMETRIES = (Rectangle, Ellipse, Polygon, Polyline, Points, Cuboid, Mask, Skeleton, Tag)
DRAWING = DrawingRules("coco", order="z")

_IN_MEMORY = 16 << 20


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write documents as one XML file, one at a time.

    Args:
        documents: images, videos, or both.
        path: the file to write.
        categories: classes to declare first, with their colours and attributes.

    Returns:
        What CVAT cannot express.

    Raises:
        DataError: nothing to write, an image whose size nobody knows, or the place cannot be written.
    """
    lost = Lost()
    declarations = Declarations(categories)
    # Labels and attributes are declared before the images, but only known after them: the body waits in a file.
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="\n") as body:
        writer = _Body(body, declarations, lost)
        for document in documents:
            document.write_to(writer)
        if not writer.images and not writer.videos:
            raise DataError(f"{path}: nothing to write: there is no annotated image")
        body.seek(0)
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
            head = XmlWriter(file, depth=1)
            head.leaf("version", "1.1")
            _write_meta(head, declarations, writer)
            shutil.copyfileobj(body, file)
            file.write("</annotations>\n")
    lost.dropped("a character that XML cannot hold", path.name, writer.xml.unfit + head.unfit)
    declarations.report(lost)
    account_classes(categories, lost, "cvat", stored=("color", "attributes", "keypoints"))
    return lost


class _Body:
    """Writes the `<image>` and `<track>` elements, and remembers what the head must say about them."""

    def __init__(self, file: IO[str], declarations: Declarations, lost: Lost) -> None:
        self.xml = XmlWriter(file, depth=1)
        self.images = 0
        self.videos: list[tuple[str, AnnotatedVideo]] = []
        self._declarations = declarations
        self._lost = lost
        self._tracks = count()

    def image(self, document: AnnotatedImage) -> None:
        account(
            document,
            self._lost,
            "cvat",
            shape=("instance", "z", "attributes", "occluded", "source"),
            image=("subset",),
        )
        width, height = size_of(document)
        if width is None or height is None:
            raise DataError(
                f"{document.source}: the size of {document.name} is not known, which CVAT needs; name the folder "
                "with the images"
            )
        attributes = {"id": str(self.images), "name": document.name}
        if document.subset:
            attributes["subset"] = document.subset
        if document.tool in ("cvat", ""):
            attributes.update(document.extra)
        self.images += 1
        self.xml.open("image", {**attributes, "width": str(width), "height": str(height)})
        for shape in self._fitted(document, (height, width)):
            self._shape(shape, document)
        self.xml.close()

    def _fitted(self, document: AnnotatedImage, size: tuple[int, int]) -> Iterator[Shape]:
        fresh = fresh_instances(document)
        zero: int | None = None
        for number, shape in enumerate(document.shapes, start=1):
            if shape.instance is not None and shape.instance <= 0:
                self._lost.changed("an instance number below 1 was replaced: CVAT counts groups from 1", document.name)
                zero = next(fresh) if zero is None else zero
                shape = replace(shape, instance=zero - shape.instance)
            where = f"{document.name}: shape {number} ({shape.label})"
            yield from fitted(
                shape, self._lost, where, GEOMETRIES, angles=True, drawing=DRAWING, size=size, fresh=fresh
            )

    def _shape(self, shape: Shape, document: AnnotatedImage) -> None:
        if _is_empty(shape.geometry):
            self._lost.dropped("an empty shape", f"{document.name} ({shape.label})")
            return
        tag, geometry = attributes_of(shape.geometry)
        common = {"label": shape.label}
        if shape.source:
            common["source"] = shape.source
        if tag != "tag":
            common.update(occluded=_flag(shape.occluded), **geometry, z_order=str(shape.z))
        elif shape.occluded or shape.z:
            self._lost.dropped("a tag has neither layer nor visibility", f"{document.name} ({shape.label})")
        if shape.instance is not None:
            common["group_id"] = str(shape.instance)
        if document.tool in ("cvat", ""):
            common.update(shape.extra)
        self._declarations.add(shape.label, shape.attributes, shape.geometry, mutable=False)
        self._element(tag, common, shape.geometry, shape.attributes)

    def _element(
        self,
        tag: str,
        attributes: Mapping[str, str],
        geometry: Geometry,
        fields: Mapping[str, Any],
        *,
        keyframe: str = "",
    ) -> None:
        points = geometry.points if isinstance(geometry, Skeleton) else ()
        if not points and not fields:
            self.xml.leaf(tag, attributes=attributes)
            return
        self.xml.open(tag, attributes)
        for point in points:
            assert isinstance(point, Keypoint)
            entry = {
                "label": point.name,
                "outside": _flag(point.state == "absent"),
                "occluded": _flag(point.state == "occluded"),
                "points": points_text(((point.x, point.y),)),
            }
            self.xml.leaf("points", attributes={**entry, **({"keyframe": keyframe} if keyframe else {})})
        for name, value in fields.items():
            self.xml.leaf("attribute", text_of(value), {"name": name})
        self.xml.close()

    def video(self, document: AnnotatedVideo) -> None:
        for field in ("frames_per_second", "attributes"):
            if getattr(document, field):
                self._lost.dropped(f"cvat has no place for the {field} of a video", document.name)
        task = (
            str(document.extra.get("task_id", len(self.videos)))
            if document.tool in ("cvat", "")
            else str(len(self.videos))
        )
        self.videos.append((task, document))
        for number, track in enumerate(document.tracks, start=1):
            self._track(track, document, task, f"{document.name}: track {number} ({track.label})")

    def _track(self, track: Track, document: AnnotatedVideo, task: str, where: str) -> None:
        keyframes = list(self._keyframes(track, document, where))
        if not keyframes:
            self._lost.dropped("a track that has no shape left", where)
            return
        own = document.tool in ("cvat", "")
        if track.extra and not own:
            self._lost.dropped(f"entries of tracks that only {document.tool or 'memory'} knows", where)
        number = next(self._tracks)
        if track.instance is None:
            self._lost.changed("a track without a number got one", where)
        attributes = {"id": str(number if track.instance is None else track.instance), "label": track.label}
        attributes.update({"source": track.source} if track.source else {})
        attributes.update({"task_id": task} if len(self.videos) > 1 or (own and "task_id" in document.extra) else {})
        attributes.update({"subset": document.subset} if document.subset else {})
        attributes.update(track.extra if own else {})
        self.xml.open("track", attributes)
        for keyframe in keyframes:
            tag, geometry = attributes_of(keyframe.geometry)
            flags = {
                "frame": str(keyframe.frame),
                "outside": _flag(keyframe.outside),
                "occluded": _flag(keyframe.occluded),
                "keyframe": _flag(not keyframe.interpolated),
            }
            self._declarations.add(track.label, track.attributes, keyframe.geometry, mutable=False)
            self._declarations.add(track.label, keyframe.attributes, keyframe.geometry, mutable=True)
            self._element(
                tag,
                {**flags, **geometry, "z_order": str(keyframe.z)},
                keyframe.geometry,
                {**track.attributes, **keyframe.attributes},
                keyframe=flags["keyframe"],
            )
        self.xml.close()

    def _keyframes(self, track: Track, document: AnnotatedVideo, where: str) -> Iterator[Keyframe]:
        size = (document.height, document.width) if document.height and document.width else None
        for keyframe in track.keyframes:
            found = list(
                fitted(
                    Shape(track.label, keyframe.geometry),
                    self._lost,
                    where,
                    GEOMETRIES,
                    angles=True,
                    drawing=DRAWING,
                    size=size,
                )
            )
            found = [one for one in found if not isinstance(one.geometry, Tag) and not _is_empty(one.geometry)]
            if len(found) == 1:
                yield replace(keyframe, geometry=_hidden(found[0].geometry, keyframe.outside, self._lost, where))
            else:
                self._lost.dropped("a track cannot hold several shapes or none in a frame", where)


def _hidden(geometry: Geometry, outside: bool, lost: Lost, where: str) -> Geometry:
    """CVAT hides a skeleton by hiding its points."""
    if not outside or not isinstance(geometry, Skeleton):
        return geometry
    if any(point.state != "absent" for point in geometry.points):
        lost.changed("the points of a hidden skeleton are hidden", where)
    return Skeleton(tuple(replace(point, state="absent") for point in geometry.points))


def _is_empty(geometry: Geometry) -> bool:
    if isinstance(geometry, Mask):
        return geometry.bitmap.size == 0
    return isinstance(geometry, Skeleton | Polyline | Points) and not geometry.points


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _write_meta(xml: XmlWriter, declarations: Declarations, body: _Body) -> None:
    project = bool(body.videos) and (bool(body.images) or len(body.videos) > 1)
    xml.open("meta")
    xml.open("project" if project else "task")
    if project:
        xml.open("tasks")
        for task, video in body.videos:
            xml.open("task")
            _write_task(xml, task, video)
            xml.close()
        xml.close()
    elif body.videos:
        _write_task(xml, *body.videos[0])
    else:
        xml.leaf("size", str(body.images))
        xml.leaf("mode", "annotation")
    declarations.write(xml)
    xml.close()
    if len(body.videos) == 1:
        xml.leaf("source", body.videos[0][1].name)
    xml.close()


def _write_task(xml: XmlWriter, task: str, video: AnnotatedVideo) -> None:
    xml.leaf("id", task)
    xml.leaf("name", video.name)
    xml.leaf("size", str((video.stop - video.start) // video.step + 1))
    xml.leaf("mode", "interpolation")
    xml.leaf("start_frame", str(video.start))
    xml.leaf("stop_frame", str(video.stop))
    xml.leaf("frame_filter", f"step={video.step}" if video.step > 1 else "")
    if video.width and video.height:
        xml.open("original_size")
        xml.leaf("width", str(video.width))
        xml.leaf("height", str(video.height))
        xml.close()
