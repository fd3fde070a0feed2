"""Bundles whose network is one step of several: what computes them, as runtimes of pictures to logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Description
from intarsia.errors import UsageError
from intarsia.inference.bodies import BodyFinder
from intarsia.inference.faces.finding import FaceFinder
from intarsia.inference.faces.parts import PARTS, face_parts
from intarsia.media.source import Place
from intarsia.runtimes.contract import Floats, Precision, Runtime
from intarsia.runtimes.processor import feature

_LEAST = 1e-6  # of a probability, so that it has a logarithm


class _Steps:
    """What all of them answer: they see a picture whole, at the size of its preprocessing, in values of 0 to 1."""

    name, precision = "onnx", "fp32"
    in_channels, stride, align_corners, margin = 3, 1, False, 0

    def __init__(self) -> None:
        self.processor = f"cpu {feature()}"

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        pixels = np.rint(x.transpose(0, 2, 3, 1) * 255).clip(0, 255).astype(np.uint8)
        found: Floats = np.log(np.stack([self._probabilities(one) for one in pixels]).clip(_LEAST, 1))
        return found

    def _probabilities(self, image: NDArray[np.uint8]) -> Floats:
        """Those (C, H, W) of an image (H, W, 3)."""
        raise NotImplementedError


class BodyRuntime(_Steps):
    """People, whole ones by the network of bodies; see `BodyFinder.mask`."""

    def __init__(self) -> None:
        super().__init__()
        self._finder = BodyFinder()

    def _probabilities(self, image: NDArray[np.uint8]) -> Floats:
        mask = self._finder.mask(image)
        return np.stack([1 - mask, mask])


class FaceRuntime(_Steps):
    """The parts of faces; see `face_parts`."""

    def __init__(self) -> None:
        super().__init__()
        self._finder = FaceFinder()

    def _probabilities(self, image: NDArray[np.uint8]) -> Floats:
        height, width = image.shape[:2]
        found = np.zeros((1 + len(PARTS), height, width), np.float32)
        for face in self._finder.find(image):
            left, top = np.maximum(np.floor(face.box[:2]).astype(int) - 1, 0)
            right, bottom = np.minimum(np.ceil(face.box[2:]).astype(int) + 1, (width, height))
            if left >= right or top >= bottom:
                continue
            moved = replace(face, points=face.points - np.array([left, top, 0], np.float32))
            masks = face_parts(moved, (int(bottom - top), int(right - left)))
            for side in ("left", "right"):
                masks[f"{side}_eye"] = masks[f"{side}_eye"] - masks[f"{side}_iris"]
            place = found[1:, top:bottom, left:right]
            np.maximum(place, np.stack([masks[name] for name in PARTS]), out=place)
        found[0] = 1 - found[1:].sum(axis=0).clip(0, 1)
        return found


PIPELINES: dict[str, Callable[[], Runtime]] = {"body": BodyRuntime, "face": FaceRuntime}
"""What computes a converted network that is only one step, by the name that its description gives it."""
NO_PIXELS = {
    "clicks": "moves regions that were clicked, and finds none by itself: intarsia serve, or ClickSession",
    "edge": "makes edges of people fine for intarsia portrait, and finds nobody by itself; segment with -m person",
    "face-detector": "finds faces for the bundle face and no pixels; segment with that: -m face",
    "search": "makes vectors for intarsia search, and no pixels",
}
"""What bundled networks are for that label no pixels by themselves."""


def open_steps(bundle: Description, runtime: str, precision: Precision, device: str) -> Runtime | None:
    """Make a converted network ready that is one step of several; None for one that is all by itself.

    Raises:
        UsageError: it gives no pixels by itself, or is asked to be computed otherwise than on ONNX Runtime.
    """
    network = str(bundle.options.get("network"))
    if network in NO_PIXELS:
        raise UsageError(f"{bundle.title} {NO_PIXELS[network]}")
    if network not in PIPELINES:
        return None
    if runtime not in ("auto", "onnx") or precision not in ("auto", "fp32") or device not in ("auto", "cpu"):
        raise UsageError(f"{bundle.title} is computed by the runtime onnx, in fp32 on the CPU, and not otherwise")
    return PIPELINES[network]()
