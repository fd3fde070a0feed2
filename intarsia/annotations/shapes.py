"""Shape, Keyframe, Track: what annotators draw, in one picture or through a video."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from intarsia.annotations.geometry import Geometry
from intarsia.annotations.interpolation import between


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
