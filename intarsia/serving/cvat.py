"""CVAT's automatic annotation: a function module for `cvat-cli task auto-annotate` and for CVAT's agents.

    cvat-cli task auto-annotate 7 --function-module intarsia.serving.cvat -p model=str:street --allow-unmatched-labels

Interface: https://docs.cvat.ai/docs/api_sdk/sdk/auto-annotation/
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.annotations.geometry import Mask, Polygon
from intarsia.annotations.raster import background_label
from intarsia.annotations.rle import runs
from intarsia.annotations.tools import tool_named
from intarsia.apps.loading import load_predictor
from intarsia.errors import UsageError
from intarsia.jobs.preannotation import shapes_for
from intarsia.result import Segmentation

_MODEL = "street"


def create(model: str = _MODEL, classes: str = "") -> Detector:
    """Make the function that CVAT calls, with the parameters that `-p` gives.

    Args:
        model: a bundled name, a bundle file or a run folder.
        classes: names with commas between; "" for all of the model's but a background.

    Raises:
        UsageError: no such model or class, or CVAT's SDK is not installed.
    """
    # `-p classes=int:1` hands over a number, and `-p model=int:1` as well: names all the same.
    names = [name.strip() for name in str(classes).split(",")]
    return Detector(str(model), [*dict.fromkeys(filter(None, names))])  # CVAT takes each label once


class Detector:
    """Finds the classes of a model in CVAT's frames.

    Attributes:
        spec: the labels, as CVAT wants to be told; each has its class's number.

    Args:
        model: a bundled name, a bundle file or a run folder.
        classes: names of those to find; none for all but a background.
    """

    def __init__(self, model: str, classes: list[str]) -> None:
        self._cvat = _sdk()
        self._predictor = load_predictor(model, confidence=True)
        space = self._predictor.space
        rest = background_label(space)
        self._classes = [space.index(name) for name in classes] or [i for i in range(len(space)) if i != rest]
        self.spec = self._cvat.DetectionFunctionSpec(
            labels=[self._cvat.label_spec(space.names[index], index, type="mask") for index in self._classes]
        )

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """Find the classes in one frame: of each a mask, or polygons where CVAT asks for them.

        Args:
            context: with the least confidence (the mean of a class's pixels), and whether masks shall be polygons.
            image: the frame.

        Returns:
            CVAT's own shapes.
        """
        result = self._predictor.segment(image)
        least = context.conf_threshold
        found = [index for index in self._classes if _is_sure(result, index, least)]
        make = self._polygons if context.conv_mask_to_poly else self._masks
        return list(make(result, found))

    def _masks(self, result: Segmentation, found: list[int]) -> Iterator[Any]:
        for index in found:
            yield self._cvat.mask(index, encode_mask(result.labels == index))

    def _polygons(self, result: Segmentation, found: list[int]) -> Iterator[Any]:
        """Outlines without holes: what lies in another one comes after it, and above it."""
        kept = np.where(np.isin(result.labels, found), result.labels, result.space.ignore_index)
        shapes = shapes_for(tool_named("cvat"), kept.astype(result.space.dtype), result.space)
        numbers = {result.space.names[index]: index for index in found}
        for layer, shape in enumerate(shapes):
            if shape.label in numbers:
                assert isinstance(shape.geometry, Polygon)
                points = [value for point in shape.geometry.rings[0] for value in point]
                yield self._cvat.polygon(numbers[shape.label], points, z_order=layer)


def encode_mask(bitmap: NDArray[np.bool_]) -> list[float]:
    """Encode a mask (H, W) as the points of CVAT's masks: runs in its box row by row, then the box, ends included."""
    mask = Mask(bitmap).cropped()
    height, width = mask.bitmap.shape
    box = [mask.left, mask.top, mask.left + width - 1, mask.top + height - 1]
    return [float(value) for value in [*runs(mask.bitmap, "C").tolist(), *box]]


def _is_sure(result: Segmentation, index: int, least: float | None) -> bool:
    """Whether a class is there, and its pixels are sure enough in the mean."""
    assert result.confidence is not None
    mask = result.labels == index
    return bool(mask.any()) and (least is None or float(result.confidence[mask].mean(dtype=np.float64)) >= least)


def _sdk() -> ModuleType:
    try:
        return importlib.import_module("cvat_sdk.auto_annotation")
    except ImportError as error:
        raise UsageError("cvat_sdk is not installed; it comes with: pip install cvat-cli") from error
