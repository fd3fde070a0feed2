"""Labelbox's export v2: one data row a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from intarsia.annotations.document import AnnotatedImage, Document
from intarsia.annotations.finding import ImageFinder
from intarsia.annotations.formats.labelbox.files import name_of, rows
from intarsia.annotations.formats.labelbox.masks import MaskFolder, stem
from intarsia.annotations.formats.labelbox.objects import answers, shape_of
from intarsia.annotations.formats.labelbox.video import video_of
from intarsia.annotations.geometry import Mask
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, kept, whole_number
from intarsia.labels import Color


def documents(path: Path, finder: ImageFinder, masks: MaskFolder, lost: Lost) -> Iterator[Document]:
    """Every labelled data row."""
    for row in rows(path):
        data = _mapping(row.get("data_row"))
        name = name_of(data.get("external_id"), data.get("global_key"), data.get("row_data"), data.get("id"))
        where = f"{path.name}: {name}"
        label = _label(row, where, lost)
        if label is None:
            lost.dropped("a data row was skipped or not labelled", where)
            continue
        media = _mapping(row.get("media_attributes"))
        annotations = _mapping(label.get("annotations"))
        image = finder.find(name, lost=lost)
        width, height = (whole_number(media.get(key)) or None for key in ("width", "height"))
        size = (height, width) if height and width else None
        reader = _Masks(masks, data, label, annotations, f"{path}: {name}", image, size)
        if "frames" in annotations:
            yield video_of(
                _frames(annotations["frames"]),
                name,
                path,
                finder,
                lost,
                segments=_mapping(annotations.get("segments")),
                media=media,
                mask=reader.in_frame,
            )
            continue
        objects = annotations.get("objects")
        relations = annotations.get("relationships")
        lost.dropped("a relation between objects", where, len(relations) if isinstance(relations, list) else 0)
        shapes = kept(objects if isinstance(objects, list) else [], partial(shape_of, mask=reader), where, lost)
        yield AnnotatedImage(
            name=name,
            source=path,
            image=None if image in masks.used else image,
            width=width,
            height=height,
            shapes=shapes,
            attributes=answers(annotations.get("classifications")),
            tool="labelbox",
            extra=_extra(data, label, media),
        )


def _label(row: Mapping[str, Any], where: str, lost: Lost) -> Mapping[str, Any] | None:
    """The one label of a data row that is read: of several, the benchmark, or else the first."""
    projects = _mapping(row.get("projects")).values()
    found = [
        label
        for project in projects
        for label in (_mapping(project).get("labels") or [])
        if isinstance(label, Mapping) and isinstance(label.get("annotations"), Mapping)
    ]
    if len(found) > 1:
        lost.dropped("a data row has several labels (consensus), one is taken", where, len(found) - 1)
    benchmarks = [
        one for one in found if _mapping(one.get("label_details")).get("is_benchmark_reference_label") is True
    ]
    return next(iter(benchmarks + found), None)


class _Masks:
    """Finds the masks of one data row's objects."""

    def __init__(
        self,
        masks: MaskFolder,
        data: Mapping[str, Any],
        label: Mapping[str, Any],
        annotations: Mapping[str, Any],
        where: str,
        image: Path | None,
        size: tuple[int, int] | None,
    ) -> None:
        self._masks = masks
        names = (label.get("id"), data.get("id"), stem(data.get("external_id")), stem(data.get("global_key")))
        self._shared = [str(name) for name in names if name]
        objects = annotations.get("objects")
        self._alone = sum("mask" in _mapping(entry) for entry in (objects if isinstance(objects, list) else ())) == 1
        self._where = where
        self._image = image
        self._size = size

    def __call__(self, entry: Mapping[str, Any]) -> Mask:
        return self._read(entry, [str(entry.get("feature_id") or "")])

    def in_frame(self, entry: Mapping[str, Any], frame: int) -> Mask:
        """The mask of an object of a video, whose file also has the frame's number."""
        identity = str(entry.get("feature_id") or "")
        return self._read(entry, [f"{identity}_{frame}", identity])

    def _read(self, entry: Mapping[str, Any], own: list[str]) -> Mask:
        composite = _mapping(entry.get("composite_mask"))
        color = _color(composite.get("color_rgb"))
        if composite and color is None:
            raise BadShape("a mask has no colour")
        shared = self._shared if composite or self._alone else []
        return self._masks.read(own, shared, where=self._where, size=self._size, color=color, photo=self._image)


def _color(value: Any) -> Color | None:
    if isinstance(value, list) and len(value) == 3:
        channels = [whole_number(channel) for channel in value]
        if all(channel is not None and 0 <= channel <= 255 for channel in channels):
            return tuple(channels)  # type: ignore[return-value]
    return None


def _frames(value: Any) -> list[dict[str, Any]]:
    """Export v2's frames, an object by frame number, in the form of export v1."""
    return [
        {"frameNumber": number, "objects": list(_mapping(_mapping(frame).get("objects")).values())}
        for number, frame in _mapping(value).items()
    ]


def _extra(data: Mapping[str, Any], label: Mapping[str, Any], media: Mapping[str, Any]) -> dict[str, Any]:
    entries = {
        "data_row": data.get("id"),
        "global_key": data.get("global_key"),
        "label": label.get("id"),
        "exif_rotation": media.get("exif_rotation"),
    }
    return {key: value for key, value in entries.items() if isinstance(value, str | int)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
