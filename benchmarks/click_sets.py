"""Things to correct, of sets or parts of sets that the network of clicks has not seen, with predictions of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "tools"))

from click_scenes import grey, indices, train_part

import intarsia
from intarsia.media.images import read_image

UNKNOWN = 255
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Thing:
    """Something that is corrected.

    Attributes:
        image: (H, W, 3).
        truth: (H, W), classes; 255 where it is unknown.
        predicted: (H, W), classes.
        kind: the class whose IoU is brought to its goal.
    """

    image: NDArray[np.uint8]
    truth: Labels
    predicted: Labels
    kind: int

    def from_empty(self) -> Thing:
        """The same as a matter of two classes, of which nothing is predicted."""
        truth = np.where(self.truth == UNKNOWN, UNKNOWN, self.truth == self.kind).astype(np.uint8)
        return Thing(self.image, truth, np.zeros_like(truth), 1)

    def iou(self, labels: NDArray[Any]) -> float:
        """IoU of the class in `labels`."""
        known = self.truth != UNKNOWN
        found, true = (labels == self.kind) & known, self.truth == self.kind
        return float((found & true).sum() / max((found | true).sum(), 1))


def degraded(truth: Labels, random: np.random.Generator) -> Labels:
    """Make labels as a weak network gives them: blurred, with noise as wide as things are, then the likeliest class."""
    kinds = [int(kind) for kind in np.unique(truth) if kind != UNKNOWN]
    side = max(truth.shape)
    scores = np.empty((len(kinds), *truth.shape), np.float32)
    for place, kind in enumerate(kinds):
        blurred = cv2.GaussianBlur((truth == kind).astype(np.float32), (0, 0), 0.012 * side)
        coarse = random.standard_normal((9, 9)).astype(np.float32)
        noise = cv2.resize(coarse, truth.shape[::-1], interpolation=cv2.INTER_CUBIC)
        scores[place] = blurred + 0.35 * noise
    return np.asarray(kinds, np.uint8)[scores.argmax(axis=0)]


def held_out(photos: list[Path]) -> list[Path]:
    """The last fifth by name: what `train_part` leaves."""
    known = set(train_part([photo.stem for photo in photos]))
    return sorted(photo for photo in photos if photo.stem not in known)


def _streets(data: Path) -> Iterator[tuple[NDArray[np.uint8], Labels, Labels]]:
    model: Any = intarsia.load("street")
    for photo in sorted((data / "camvid" / "val").glob("*.*"))[::4]:
        truth = grey(data / "camvid" / "valannot" / f"{photo.stem}.png")
        image = read_image(photo)
        yield image, np.where(truth == 11, UNKNOWN, truth).astype(np.uint8), model.segment(image).labels


def _people(folder: str, *, whole: bool) -> Callable[[Path], Iterator[tuple[NDArray[np.uint8], Labels, Labels]]]:
    def read(data: Path) -> Iterator[tuple[NDArray[np.uint8], Labels, Labels]]:
        model: Any = intarsia.load("person")
        photos = sorted((data / folder / "images").iterdir())
        for photo in photos if whole else held_out(photos):
            image = read_image(photo)
            truth = (grey(data / folder / "masks" / f"{photo.stem}.png") > 0).astype(np.uint8)
            yield image, truth, model.segment(image).labels

    return read


def _degraded(
    folder: str, photos: str, masks: str, read: Callable[[Path], Labels], *, whole: bool = False
) -> Callable[[Path], Iterator[tuple[NDArray[np.uint8], Labels, Labels]]]:
    def pictures(data: Path) -> Iterator[tuple[NDArray[np.uint8], Labels, Labels]]:
        random = np.random.default_rng(7)
        found = sorted((data / folder / photos).iterdir())
        if folder.startswith("liver"):  # by patient
            kept = {*train_part(list({photo.stem.split("_")[1] for photo in found}))}
            found = [photo for photo in found if photo.stem.split("_")[1] not in kept]
        elif not whole:
            found = held_out(found)
        for photo in found:
            truth = read(next((data / folder / masks).glob(f"{photo.stem}.*")))
            yield read_image(photo), truth, degraded(truth, random)

    return pictures


def _above(file: Path) -> Labels:
    return (grey(file) > 127).astype(np.uint8)


SETS: dict[str, tuple[str, Callable[[Path], Iterator[tuple[NDArray[np.uint8], Labels, Labels]]]]] = {
    "streets": ("street", _streets),
    "people *": ("person", _people("person_varied", whole=True)),
    "pedestrians *": ("person", _people("pedestrians", whole=True)),
    "faces *": ("degraded", _degraded("faces_celebamask", "images", "masks", indices, whole=True)),
    "clothes": ("degraded", _degraded("clothes_ccp", "images", "masks", indices)),
    "aerial roads *": ("degraded", _degraded("aerial_roads", "images", "groundtruth", _above, whole=True)),
    "livers": ("degraded", _degraded("liver_ct_slices", "images", "masks", _above)),
    "membranes": ("degraded", _degraded("isbi_em", "image", "label", _above)),
}
"""Name, what predicts it, and its pictures with truth and prediction; no part of those with a star was trained on."""


def things(name: str, data: Path, most: int, goal: float) -> list[Thing]:
    """Choose things whose IoU is below the goal, one of a picture, spread over the set.

    Args:
        name: of the set.
        data: folder of the sets.
        most: that are chosen.
        goal: the IoU.
    """
    random = np.random.default_rng(3)
    found = []
    for image, truth, predicted in SETS[name][1](data):
        if len(found) == most:
            break
        kinds = [int(kind) for kind in np.unique(truth) if kind not in (0, UNKNOWN) or name == "streets"]
        for kind in random.permutation([kind for kind in kinds if kind != UNKNOWN]).tolist():
            thing = Thing(image, truth, np.asarray(predicted, np.uint8), kind)
            if (truth == kind).sum() >= 0.002 * truth.size and thing.iou(thing.predicted) < goal:
                found.append(thing)
                break
    return found
