"""Steady: how likely each pixel of a video is of one class, without the flicker of frames that are judged alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.pictures.predictor import GridPredictor
from intarsia.inference.video import State, VideoPredictor
from intarsia.labels import LabelArray
from intarsia.media.frames import Frame
from intarsia.runtimes.upsampling import softmax
from intarsia.transforms.preprocess import normalise, resize_image, working_size

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_KEPT, _KEPT_IN_DOUBT = 0.55, 0.97  # how much of what was said before counts, where the frame alone is sure or not
_STRANGE = 60.0  # grey levels by which colours may differ from where they came from, or the past counts little there
_CUT = 30.0  # of the same, over the whole frame: another scene
_AROUND = 5  # pixels over which differences are averaged


class SteadyPredictor(VideoPredictor):
    """A predictor on video that also tells how likely each pixel is of one class, evenly over time.

    What was said of the frame before moves along with the picture (DIS flow: Kroeger et al., ECCV 2016,
    arXiv:1603.03590), and counts where the picture looks the same there, above all where the frame alone is in doubt;
    a cut, or another size, begins anew. Each frame's labels and shares are its own: none waits for a later frame.

    Args:
        predictor: the model, made ready.
        of: the class; all that is not of it gets the label of the first other one.

    Raises:
        UsageError: the model has no such class; and as `VideoPredictor`.
    """

    def __init__(self, predictor: GridPredictor, of: str) -> None:
        super().__init__(predictor)
        self._of = of
        self.settings = self.settings | {"steady": of}
        self._steps = _Steady(predictor, predictor.space.index(of))

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """Make the same predictor on another runtime."""
        return type(self)(self._predictor.at(runtime), self._of)


class _Steady:
    """Any runtime: the whole network on every frame, and what was said before."""

    framewise = False

    def __init__(self, predictor: GridPredictor, index: int) -> None:
        self._predictor, self._class = predictor, index

    def step(self, frame: Frame, state: State | None) -> tuple[LabelArray, State, dict[str, Any]]:
        runtime, earlier = self._predictor.runtime, dict(state or {})
        preprocessing = self._predictor.preprocessing
        height, width = frame.image.shape[:2]
        picture = resize_image(frame.image, *working_size(height, width, preprocessing))
        shares = softmax(runtime.logits(normalise(picture, preprocessing))[0])[self._class]
        picture = resize_image(picture, *shares.shape)
        cut = earlier.get("size") != frame.image.shape
        if not cut:
            moved, strange = _moved(picture, earlier["picture"], earlier["shares"])
            cut = float(strange.mean()) > _CUT
            if not cut:
                sure = np.abs(2 * shares - 1)
                kept = _KEPT_IN_DOUBT + (_KEPT - _KEPT_IN_DOUBT) * sure * sure * sure
                kept *= np.exp(-np.square(strange / _STRANGE))
                shares = shares + kept * (moved - shares)
        following = {
            "index": int(earlier.get("index", 0)) + 1, "size": frame.image.shape, "picture": picture, "shares": shares,
        }  # fmt: skip
        likely = cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        kind = self._predictor.space.dtype.type
        labels = np.where(likely, kind(self._class), kind(self._class == 0))
        return labels, following, {"key": True, "age": 0, "ran": ("deep",), "cut": cut, "shares": shares}


def _moved(now: Pixels, before: Pixels, values: Floats) -> tuple[Floats, Floats]:
    """Values of the frame before where they are now, and by how many levels the colours there differ."""
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (now, before)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST).calc(grey[0], grey[1], None)  # type: ignore[call-overload]
    rows, columns = values.shape
    x = flow[..., 0] + np.arange(columns, dtype=np.float32)
    y = flow[..., 1] + np.arange(rows, dtype=np.float32)[:, None]
    carried, colours = (
        cv2.remap(one, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for one in (values, before)
    )
    apart = cv2.absdiff(now, np.asarray(colours, dtype=np.uint8)).astype(np.float32) @ np.full(3, 1 / 3, np.float32)
    strange = cv2.blur(apart, (_AROUND, _AROUND))
    return np.asarray(carried, dtype=np.float32), np.asarray(strange, dtype=np.float32)
