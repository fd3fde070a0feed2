"""Long videos: stretches of time, each decoded from the key frame before it.

Parts hold labels alone. Whoever writes the outputs decodes the video from its beginning, as it would alone, and takes
the labels of those frames whose pixels are the very ones that a part has seen; it computes the others. So it does not
matter whether a file's index is right, and drawings, sound and encoders are the same as without parts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from intarsia.inference import FrameResult, VideoPredictor
from intarsia.jobs.cutting.archive import DAMAGED, PartFile, is_ended
from intarsia.jobs.cutting.contract import Cutting, Packed, There
from intarsia.jobs.task import JobOptions, Span
from intarsia.labels import LabelArray
from intarsia.media.frames import Frame
from intarsia.result import Segmentation

_LABELS = "labels"


def joined_frames(predictor: VideoPredictor, frames: Iterable[Frame], there: There) -> Iterator[FrameResult]:
    """Go through all frames of a video: those whose labels are there, and the others computed.

    One part is open at a time, so that memory does not grow with the video.
    """
    left, part = list(there.items()), None
    with ExitStack() as opened:
        for frame in frames:
            while left and frame.pts >= left[0][0][0]:
                opened.close()
                _, path = left.pop(0)
                part = None if path is None else opened.enter_context(PartFile(path))
            labels = None if part is None else _taken(part, frame)
            if labels is None:
                yield predictor.step(frame)[0]
            else:
                found = Segmentation(labels, predictor.space, image=frame.image)
                yield FrameResult(found, frame, key=True, age=0, ran=(), cut=False, seconds=0.0)


def _taken(part: PartFile, frame: Frame) -> LabelArray | None:
    """The labels that a part has of a frame; None if it has none of these very pixels, or they are damaged."""
    name = _name(frame)
    try:
        return part.take(name)[_LABELS] if name in part else None
    except DAMAGED:
        return None


def _name(frame: Frame) -> str:
    """Of a frame in a part: its time, and a checksum of its pixels."""
    return f"{frame.pts}/{zlib.crc32(np.ascontiguousarray(frame.image).data):08x}"


def _pack(result: FrameResult) -> Packed:
    return _name(result.frame), {_LABELS: result.segmentation.labels}


def _extent(predictor: Any, source: Any, options: JobOptions) -> Span | None:
    """All times; of a video of which only some frames are done, whichever come in time, none.

    Nor by what does not say, as an app may, that the result of each frame is its own.
    """
    if options.limit is not None or options.deadline is not None or not hasattr(predictor, "extent"):
        return None
    extent: Span | None = predictor.extent(source)
    return extent


FRAMES = Cutting(
    extent=_extent,
    length=lambda source, extent: round((extent[1] - extent[0]) * source.time_base * source.rate),
    # Of frames: those between the key frame and the first of a part are decoded for nothing.
    least=64,
    most=2048,
    compute=lambda predictor, source, stretch, options: predictor.stream(source.between(*stretch)),
    pack=_pack,
    is_sound=is_ended,  # each frame is looked at when it comes
)
"""How videos are cut, if the labels of each frame are its own."""
