"""Videos of Labelbox: objects listed frame by frame, gathered into tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from intarsia.annotations.document import AnnotatedVideo, Keyframe, Track
from intarsia.annotations.finding import ImageFinder
from intarsia.annotations.formats.labelbox.objects import answers, geometry_of, label_of
from intarsia.annotations.geometry import Mask
from intarsia.annotations.lost import Lost
from intarsia.annotations.reading import BadShape, whole_number

_MOST_FRAMES = 10_000_000


def video_of(
    frames: Sequence[Any],
    name: str,
    path: Path,
    finder: ImageFinder,
    lost: Lost,
    *,
    segments: Mapping[str, Any] | None = None,
    media: Mapping[str, Any] | None = None,
    mask: Any = None,
) -> AnnotatedVideo:
    """A video from frames of the form {"frameNumber": n, "objects": [...]}; Labelbox counts frames from 1.

    Args:
        frames: as export v1 has them.
        name: of the video.
        path: the export file.
        finder: of the data set's folder.
        lost: the tally.
        segments: by object, the [first, last] frames in which it is there; without, an object is gone in frames that
            are listed without it.
        media: width, height, frame_rate and frame_count, where the export has them.
        mask: `mask(entry, frame)` reads the mask of an object in a frame; None: there are none.
    """
    where = f"{path.name}: {name}"
    media = media or {}
    listed: list[int] = []
    found: dict[str, dict[int, Keyframe]] = {}
    first: dict[str, Mapping[str, Any]] = {}
    for entry in frames:
        number = whole_number(entry.get("frameNumber")) if isinstance(entry, Mapping) else None
        if number is None or not 1 <= number <= _MOST_FRAMES:
            lost.dropped("a frame has no number", where)
            continue
        frame = number - 1
        listed.append(frame)
        objects = entry.get("objects")
        for index, one in enumerate(objects if isinstance(objects, list) else [], start=1):
            try:
                if not isinstance(one, Mapping):
                    raise BadShape("an object is no object")
                identity = str(one.get("featureId") or one.get("feature_id") or index)
                label_of(one)
                keyframe = _keyframe(one, frame, mask)
            except BadShape as error:
                lost.dropped(str(error), f"{where}: frame {number}: object {index}")
                continue
            first.setdefault(identity, one)
            found.setdefault(identity, {})[frame] = keyframe
    listed = sorted(set(listed))
    count = whole_number(media.get("frame_count")) or 0
    stop = max([0, *listed, min(count, _MOST_FRAMES) - 1])
    tracks = tuple(
        Track(
            label=label_of(first[identity]),
            keyframes=_closed(keyframes, _ends(identity, keyframes, listed, segments), stop),
            instance=number,
            extra={"feature_id": identity},
        )
        for number, (identity, keyframes) in enumerate(found.items())
    )
    rate = media.get("frame_rate")
    width, height = (whole_number(media.get(key)) or None for key in ("width", "height"))
    place = finder.root / Path(name).name
    return AnnotatedVideo(
        name=name,
        tracks=tracks,
        start=0,
        stop=stop,
        source=path,
        image=place if "\0" not in name and len(place.name) < 256 and place.is_file() else None,
        width=width,
        height=height,
        frames_per_second=float(rate) if isinstance(rate, int | float) and 0 < rate < 1e6 else None,
        tool="labelbox",
    )


def _keyframe(entry: Mapping[str, Any], frame: int, mask: Any) -> Keyframe:
    def read(one: Mapping[str, Any]) -> Mask:
        if mask is None:
            raise BadShape("a mask in a video has no file")
        found = mask(one, frame + 1)
        assert isinstance(found, Mask)
        return found

    return Keyframe(
        frame=frame,
        geometry=geometry_of(entry, read),
        interpolated=entry.get("keyframe") is False,
        attributes=answers(entry.get("classifications")),
    )


def _ends(
    identity: str, keyframes: Mapping[int, Keyframe], listed: Sequence[int], segments: Mapping[str, Any] | None
) -> list[int]:
    """The frames from which an object is gone."""
    spans = segments.get(identity) if segments else None
    if isinstance(spans, list):
        lasts = [whole_number(span[-1]) for span in spans if isinstance(span, list) and span]
        # Frames count from 1, so that the number of the last frame is the index of the one after it.
        return [last for last in lasts if last is not None and last > 0]
    following = dict(pairwise(listed))
    after = (following.get(frame) for frame in keyframes)
    return [frame for frame in after if frame is not None and frame not in keyframes]


def _closed(keyframes: Mapping[int, Keyframe], ends: Sequence[int], stop: int) -> tuple[Keyframe, ...]:
    all_frames = dict(keyframes)
    for end in ends:
        before = [frame for frame in keyframes if frame < end]
        if before and end not in keyframes and end <= stop:
            all_frames[end] = Keyframe(end, keyframes[max(before)].geometry, outside=True)
    return tuple(all_frames[frame] for frame in sorted(all_frames))
