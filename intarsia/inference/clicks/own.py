"""OwnClicks: a model of the user's own, as two ONNX files in the form that Segment Anything's exporter writes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import ModelError
from intarsia.inference.clicks.region import Likely
from intarsia.inference.clicks.view import View
from intarsia.runtimes.network import computed, open_session

_NEEDED = ("image_embeddings", "point_coords", "point_labels")
_LOW = 256  # along the side of the mask that the decoder may start from
_KEPT = 4  # pictures whose embeddings are remembered


class OwnClicks:
    """An encoder that sees the picture once, and a decoder that is asked at each click. Nothing is downloaded.

    The encoder takes one input (1, 3, S, S), RGB less `mean` over `std`, and gives one output. The decoder takes
    `image_embeddings` (that output), `point_coords` (1, N, 2), in pixels of the encoder's input, and `point_labels`
    (1, N), 1 for the class and 0 against it; and, where it has them, `mask_input` (1, 1, 256, 256) with
    `has_mask_input` (1,), which stay empty, and `orig_im_size` (2,). Of its outputs `masks` (1, K, h, w) are taken, or
    `low_res_masks`, logits above 0 for the thing; and of K the mask for which `iou_predictions` (1, K) is highest, or
    the first.

    Args:
        encoder: ONNX file.
        decoder: ONNX file.
        mean: of each channel, 0..255.
        std: of each channel.

    Raises:
        ModelError: a file is missing or damaged, or lacks one of these inputs or outputs; the message names them.
    """

    whole = True

    def __init__(
        self,
        encoder: str | os.PathLike[str],
        decoder: str | os.PathLike[str],
        *,
        mean: tuple[float, float, float] = (123.675, 116.28, 103.53),
        std: tuple[float, float, float] = (58.395, 57.12, 57.375),
    ) -> None:
        self._files = Path(encoder), Path(decoder)
        self._encoder, self._decoder = (open_session(file) for file in self._files)
        self._mean, self._std = (np.array(value, np.float32).reshape(3, 1, 1) for value in (mean, std))
        self._seen: dict[bytes, NDArray[Any]] = {}
        inputs, self._takes = self._encoder.get_inputs(), {one.name for one in self._decoder.get_inputs()}
        shape = list(inputs[0].shape)
        if len(inputs) != 1 or len(shape) != 4 or not isinstance(shape[3], int) or shape[2] != shape[3]:
            raise ModelError(f"{self._files[0]}: an encoder of clicks takes one input (1, 3, S, S), not {shape}")
        missing = [name for name in _NEEDED if name not in self._takes]
        if missing:
            raise ModelError(f"{self._files[1]}: a decoder of clicks takes {', '.join(_NEEDED)}; it lacks {missing[0]}")
        gives = [one.name for one in self._decoder.get_outputs()]
        chosen = [name for name in ("masks", "low_res_masks") if name in gives]
        if not chosen:
            raise ModelError(f"{self._files[1]}: a decoder of clicks gives masks or low_res_masks, not {gives}")
        self._masks, self.side = chosen[0], int(shape[3])

    def probability(self, view: View) -> Likely:
        """Tell how likely each pixel of a view is of the thing that was clicked."""
        points = np.array([*view.yes, *view.no], np.float32)[None]
        given: dict[str, NDArray[Any]] = {
            "image_embeddings": self._embedding(view),
            "point_coords": points + np.float32(0.5),
            "point_labels": np.array([[1.0] * len(view.yes) + [0.0] * len(view.no)], np.float32),
            "mask_input": np.zeros((1, 1, _LOW, _LOW), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.array([self.side, self.side], np.float32),
        }
        taken = {name: value for name, value in given.items() if name in self._takes}
        made = computed(self._decoder, taken, self._files[1])
        scores = made.get("iou_predictions")
        best = 0 if scores is None else int(scores[0].argmax())
        logits = cv2.resize(made[self._masks][0, best], (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        return np.asarray(1 / (1 + np.exp(-logits.clip(-60, 60))), np.float32)

    def _embedding(self, view: View) -> NDArray[Any]:
        """What the encoder says of a view's pixels; of the last few pictures it is remembered."""
        key = hashlib.sha256(view.pixels.tobytes()).digest()
        if key not in self._seen:
            x = (view.pixels.transpose(2, 0, 1).astype(np.float32) - self._mean) / self._std
            name = self._encoder.get_inputs()[0].name
            made = computed(self._encoder, {name: np.ascontiguousarray(x[None])}, self._files[0])
            while len(self._seen) >= _KEPT:
                del self._seen[next(iter(self._seen))]
            self._seen[key] = next(iter(made.values()))
        return self._seen[key]
