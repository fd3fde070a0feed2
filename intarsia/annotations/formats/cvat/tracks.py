"""CVAT's tracks: one thing through a video.

Skeletons occur in two forms: with points inside every frame's element, and (older) with one nested track a point.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from intarsia.annotations.document import Attribute, Keyframe, Track
from intarsia.annotations.formats.cvat.meta import Meta, read_attributes
from intarsia.annotations.formats.cvat.shapes import geometry_of, keypoint_of
from intarsia.annotations.geometry import Geometry, Keypoint, Skeleton
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, kept, whole_number
from intarsia.annotations.xmlfile import Element

_KNOWN = ("id", "label", "source", "task_id", "subset")


def read_track(element: Element, meta: Meta, file: str, lost: Lost) -> Track | None:
    """Read a `<track>`; None when nothing in it can be used (which is counted)."""
    label = element.get("label", "")
    where = f"{file}: track {element.get('id', '')} ({label})"
    declared = meta.kinds.get(label, {})
    points = _nested(element, where, lost)
    entries = [child for child in element if child.tag != "track"]
    found = kept(entries, lambda child: _keyframe(child, declared, points), where, lost)
    keyframes = {keyframe.frame: keyframe for keyframe in sorted(found, key=lambda one: one.frame)}
    lost.dropped("a track has several shapes in one frame", where, len(found) - len(keyframes))
    if not keyframes:
        lost.dropped("a track has no shape", where)
        return None
    constant, changing = _divided(tuple(keyframes.values()), declared)
    return Track(
        label=label,
        keyframes=changing,
        instance=whole_number(element.get("id")),
        attributes=constant,
        source=element.get("source", ""),
        extra={key: text for key, text in element.attrib.items() if key not in _KNOWN},
    )


class _PointTrack:
    """A skeleton's point through the video, in the older form."""

    def __init__(self, element: Element, keyframes: dict[int, Keypoint]) -> None:
        self.name = element.get("label", "")
        self.frames = sorted(keyframes)
        self.points = [keyframes[frame] for frame in self.frames]

    def at(self, frame: int) -> Keypoint:
        """Find where the point is: as set last, or as set first if it is asked for earlier."""
        return self.points[max(0, bisect_right(self.frames, frame) - 1)]


def _nested(element: Element, where: str, lost: Lost) -> list[_PointTrack]:
    found = []
    for track in element.iterfind("track"):
        name = track.get("label", "")
        entries = kept(track, lambda child, name=name: _point(child, name), f"{where} {name}", lost)  # type: ignore[misc]
        if entries:
            found.append(_PointTrack(track, dict(entries)))
    return found


def _point(element: Element, name: str) -> tuple[int, Keypoint]:
    if element.tag != "points":
        raise BadShape(f"shape type {element.tag!r} is not a skeleton's point")
    point = keypoint_of(element)
    return _frame(element), Keypoint(name, point.x, point.y, point.state)


def _frame(element: Element) -> int:
    frame = whole_number(element.get("frame"))
    if frame is None or frame < 0:
        raise BadShape("a track's shape has no frame number")
    return frame


def _keyframe(element: Element, declared: Mapping[str, Attribute], points: list[_PointTrack]) -> Keyframe:
    frame = _frame(element)
    geometry: Geometry
    if element.tag == "skeleton" and points:
        geometry = Skeleton(tuple(track.at(frame) for track in points))
    else:
        geometry = geometry_of(element)
    outside = element.get("outside") == "1"
    if isinstance(geometry, Skeleton) and geometry.points and "outside" not in element.attrib:
        outside = all(point.state == "absent" for point in geometry.points)
    return Keyframe(
        frame=frame,
        geometry=geometry,
        outside=outside,
        occluded=element.get("occluded") == "1",
        interpolated=element.get("keyframe") == "0",
        z=whole_number(element.get("z_order")) or 0,
        attributes=read_attributes(element, declared),
    )


def _divided(
    keyframes: tuple[Keyframe, ...], declared: Mapping[str, Attribute]
) -> tuple[dict[str, object], tuple[Keyframe, ...]]:
    """The attributes of the whole track (declared as immutable, the same in every frame), and the keyframes without."""
    first = keyframes[0].attributes
    constant = {
        name: value
        for name, value in first.items()
        if name in declared
        and not declared[name].mutable
        and all(name in k.attributes and k.attributes[name] == value for k in keyframes)
    }
    return constant, tuple(_without(keyframes, constant))


def _without(keyframes: tuple[Keyframe, ...], names: Mapping[str, object]) -> Iterator[Keyframe]:
    for keyframe in keyframes:
        rest = {name: value for name, value in keyframe.attributes.items() if name not in names}
        yield Keyframe(
            keyframe.frame,
            keyframe.geometry,
            keyframe.outside,
            keyframe.occluded,
            keyframe.interpolated,
            keyframe.z,
            rest,
        )
