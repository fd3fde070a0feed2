"""Which bundled model a picture gets when none is named: a cheap look at what it shows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.inference.bodies import BodyFinder
from intarsia.inference.faces.finding import FaceFinder
from intarsia.media.images import ImageLike
from intarsia.media.medium import ROWS, medium_of
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.contract import Floats
from intarsia.transforms.preprocess import resize_image
from intarsia.zoo import bundled_models

Picture = TypeVar("Picture")

OTHERWISE = "street"
"""What is neither people nor a page gets this model."""
CHOICES = ("person", "handwriting", OTHERWISE)
"""The models that a look chooses among."""
_SIDE = 640  # pixels at which a picture is looked at
_MOST_PIXELS = 100_000_000
_LOOKED_AT = 5  # pictures of many
_REMEMBERED = 64  # choices
_NEAR = 0.05  # of the picture that people fill
_CLEAR = 0.7  # undecided pixels of their mask, at most, for one that is decided
_FACE, _SURE = 0.1, 0.9  # of the longer side; of a face's score
# Cats fill pictures, cells and CT slices have no colours: there a body has to be whole, the mask of a face clear.
_FILLED, _CLEARER = 0.8, 0.25  # of the picture; as _CLEAR
_GREY, _COLOURED = 4, 0.01  # levels between channels, and the share of pixels that may have more
# A page: bright and pale, with much ink in many pieces, nothing brighter than paper, and nobody on it.
_PAPER, _PALE, _INK, _PIECES, _GLARE, _NOBODY = 150, 50, 0.03, 100, 0.02, 0.02
_DARKER = 25  # than the paper about it


@dataclass(frozen=True)
class Choice:
    """A model, and why.

    Attributes:
        model: name of a bundled model.
        reason: half a sentence for people.
    """

    model: str
    reason: str

    def __str__(self) -> str:
        return f"model {self.model}: {self.reason} (-m decides otherwise)"


class Chooser:
    """Looks at pictures; its rule was set on people of all sizes, faces, streets, pages and textures."""

    def __init__(self) -> None:
        self._bodies, self._known = BodyFinder(), bundled_models()
        self._choices: dict[tuple[tuple[int, ...], bytes], Choice] = {}  # of late, by what was seen

    @cached_property
    def _faces(self) -> FaceFinder:
        """Opened where there may be somebody."""
        return FaceFinder(brief=True)

    def choose(self, image: NDArray[np.uint8]) -> Choice:
        """Choose for one picture (H, W, 3) uint8 RGB; what was looked at of late is not looked at again."""
        seen = _reduced(image)
        key = seen.shape, hashlib.sha256(seen.tobytes()).digest()
        if key not in self._choices:
            while len(self._choices) >= _REMEMBERED:
                self._choices.pop(next(iter(self._choices)))
            self._choices[key] = self._choose(seen)
        return self._choices[key]

    def _choose(self, seen: NDArray[np.uint8]) -> Choice:
        mask = self._bodies.person(seen)
        share = float(np.mean(mask > 0.5))
        if share >= _NEAR and _undecided(mask) <= _CLEAR * share and self._sees_somebody(seen, mask):
            return Choice("person", f"people fill {100 * share:.0f} % of it")
        if "handwriting" in self._known and share < _NOBODY and _is_page(seen):
            return Choice("handwriting", "it is a page of writing")
        return Choice(OTHERWISE, "neither people close by nor a page of writing were seen")

    def sees_somebody(self, image: NDArray[np.uint8]) -> bool:
        """Tell whether a face or a body is in a picture (H, W, 3): masks of people alone see them in cups and cats."""
        seen = _reduced(image)
        return self._sees_somebody(seen, self._bodies.person(seen))

    def _sees_somebody(self, seen: NDArray[np.uint8], mask: Floats) -> bool:
        share, grey = float(np.mean(mask > 0.5)), _is_grey(seen)
        near = _FACE * max(seen.shape[:2])
        if not (grey and _undecided(mask) > _CLEARER * share) and any(
            face.score > _SURE and float((face.box[2:] - face.box[:2]).max()) > near for face in self._faces.find(seen)
        ):
            return True
        return any(body.whole or not (grey or share > _FILLED) for body in self._bodies.find(seen))


@lru_cache(maxsize=1)
def _chooser() -> Chooser:
    return Chooser()


def sees_somebody(image: NDArray[np.uint8]) -> bool:
    """Tell whether a face or a body is in a picture (H, W, 3) uint8 RGB; see `Chooser.sees_somebody`."""
    return _chooser().sees_somebody(image)


def _undecided(mask: Floats) -> float:
    """The share of a picture that is neither surely people nor surely not."""
    return float(np.mean(np.abs(mask - 0.5) < 0.4))


def _is_grey(image: NDArray[np.uint8]) -> bool:
    red, green, blue = cv2.split(image)
    spread = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    return bool(np.count_nonzero(spread > _GREY) <= _COLOURED * spread.size)


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    return resize_image(image, *(max(1, round(side * scale)) for side in image.shape[:2]))


def choose_for(pictures: Sequence[Picture], read: Callable[[Picture], NDArray[np.uint8]]) -> Choice:
    """Choose one model for some pictures, by a few of them; what most of these show decides.

    Args:
        pictures: wherever they are.
        read: reads one of them; those that cannot be read are left to whoever segments them.
    """
    step = max(1, -(-len(pictures) // _LOOKED_AT))
    chooser = Chooser()
    found = list(_chosen(chooser, pictures[::step], read))
    if not found:
        return Choice(OTHERWISE, "no picture could be looked at")
    (model, count), *_ = Counter(one.model for one in found).most_common()
    first = next(one for one in found if one.model == model)
    if len(found) == 1:
        return first
    looked = f"the choice for {count} of the {len(found)} pictures that were looked at"
    return Choice(model, f"{looked}; of the first, {first.reason}")


def look(picture: ImageLike) -> NDArray[np.uint8]:
    """Read a picture to look at it: (H, W, 3) uint8 RGB.

    Raises:
        DataError: it cannot be read, or has too many pixels for a look.
    """
    reader = medium_of(picture, media=ROWS).open(picture, Preprocessing(), {})
    if reader.height * reader.width > _MOST_PIXELS:
        raise DataError(f"{reader.name} has too many pixels for a look; name a model")
    pixels: NDArray[np.uint8] = reader.picture(reader.read())
    return pixels


def _chosen(
    chooser: Chooser, pictures: Iterable[Picture], read: Callable[[Picture], NDArray[np.uint8]]
) -> Iterable[Choice]:
    for picture in pictures:
        try:
            image = read(picture)
        except DataError:
            continue
        yield chooser.choose(image)


def _is_page(image: NDArray[np.uint8]) -> bool:
    """Whether a picture is a page of writing: dark strokes on something bright and pale."""
    grey, saturation = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1]
    paper = cv2.medianBlur(grey, 31).astype(np.int16)
    ink = (paper - grey > _DARKER).astype(np.uint8)
    # Texture has as many bright spots as dark ones; ink is only dark.
    if np.mean(grey - paper > _DARKER) > _GLARE or ink.mean() < _INK:
        return False
    if np.median(paper) < _PAPER or np.median(saturation) > _PALE:
        return False
    _, _, facts, _ = cv2.connectedComponentsWithStats(ink)
    return int(np.count_nonzero(facts[1:, cv2.CC_STAT_AREA] > 8)) >= _PIECES
