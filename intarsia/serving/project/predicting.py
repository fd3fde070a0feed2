"""What a model says of an item, in the project's classes, and how sure it is."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference import Predictor
from intarsia.labels import LabelArray
from intarsia.media.png import encode_mask
from intarsia.media.source import PixelSource
from intarsia.result import Segmentation
from intarsia.serving.project.drafts import Draft
from intarsia.serving.project.items import Found
from intarsia.serving.project.project import Project


class Answer(NamedTuple):
    """A draft with its pictures.

    Attributes:
        labels: index PNG.
        doubt: grey PNG, 0 sure to 255 unsure.
        draft: what is said of it.
    """

    labels: bytes
    doubt: bytes
    draft: Draft


def source_for(project: Project, item: Found, frame: int, predictor: Predictor) -> PixelSource:
    """What a model reads of an item; see `Shown.source`.

    Raises:
        UsageError: the item has no pixels, or the model cuts volumes along another plane.
        DataError: the item cannot be read, or the model is for another medium.
    """
    return project.views.open(item).source(predictor.preprocessing, frame)


def say(project: Project, name: str, frame: int, model: str, result: Segmentation) -> Answer:
    """Turn a prediction into a draft of the project, and keep it.

    Args:
        project: that the item is of.
        name: the item's id.
        frame: that was predicted.
        model: name of the model.
        result: with confidence.
    """
    assert result.confidence is not None
    classes = project.classes
    labels: LabelArray = classes.lookup_from(result.space)[result.labels]
    doubt = 1 - result.confidence.astype(np.float32)
    draft = Draft(
        model, round(float(doubt.mean()), 6), _agreement(project, name, frame, labels), classes.lacks(result.space)
    )
    answer = Answer(encode_mask(labels, classes.space), _gray(doubt), draft)
    project.drafts.keep(name, frame, *answer)
    return answer


def kept(project: Project, name: str, frame: int, model: str) -> Answer | None:
    """The draft that the model made earlier; None where there is none, or the classes have changed since."""
    draft = project.drafts.of(name).get(frame)
    if draft is None or draft.model != model or set(draft.left_out) & set(project.space.names):
        return None
    return Answer(project.drafts.labels(name, frame), project.drafts.doubt(name, frame), draft)


def _agreement(project: Project, name: str, frame: int, labels: LabelArray) -> float | None:
    there = project.labels(name, frame)
    if there is None:
        return None
    target = project.decoded(name, there[0], name)
    known = target != project.space.ignore_index
    return round(float((labels[known] == target[known]).mean()), 6) if known.any() else None


def _gray(doubt: NDArray[np.float32]) -> bytes:
    _, data = cv2.imencode(".png", np.rint(255 * doubt).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()
