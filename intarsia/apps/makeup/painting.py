"""Photos and clips with a make-up: what jobs and Python call."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.makeup.face import Colours, Layer, paint_face, refusal
from intarsia.apps.makeup.hair import HairFinder
from intarsia.apps.makeup.look import Look
from intarsia.apps.makeup.steadying import Steadying
from intarsia.bundle import Description
from intarsia.errors import NothingFound, counted
from intarsia.inference import Identity
from intarsia.inference.editing import Edited
from intarsia.inference.faces.parts import HasPoints
from intarsia.inference.video import FrameResult
from intarsia.labels import LabelSpace
from intarsia.media.frames import Frame
from intarsia.media.medium import PHOTO, VIDEO, Form
from intarsia.media.photos import PhotoReader
from intarsia.preprocessing import Preprocessing
from intarsia.result import Render, Segmentation
from intarsia.result.contract import areas, count

Pixels = NDArray[np.uint8]

SPACE = LabelSpace(("untouched", "skin", "hair", "brows", "eyes", "lips"))
"""What pixels were painted as."""

MADE_UP = Render("makeup", lambda pixels, labels, style: pixels)
"""The output of make-up jobs: pixels come painted."""

MEDIA = (VIDEO, PHOTO)
"""What can be made up."""

_NO_FACE = "no face was found"
_ANEW = 15  # frames after which those are looked for who came into view
_LEAST = 0.5  # of a mask, for a pixel to count


class Finder(Protocol):
    """Finds faces in a picture (H, W, 3), and again in the next one of a clip."""

    def find(self, image: Pixels) -> Sequence[Any]:
        """The faces."""

    def track(self, image: Pixels, before: Sequence[Any]) -> Sequence[Any]:
        """The faces, which were there a moment before."""


class MakeUp:
    """A make-up for photos and clips.

    Args:
        look: what is painted.
        finder: finds faces.
        hair: finds hair; None where the look leaves it as it is.
        models: descriptions of what computes; they tell one job's results from another's.
    """

    forms: frozenset[Form] = frozenset({"photo", "frames"})
    given: frozenset[str] = frozenset()
    preprocessing = Preprocessing()
    space = SPACE
    is_free = False

    def __init__(self, look: Look, finder: Finder, hair: HairFinder | None, models: Sequence[Description]) -> None:
        self.look, self.finder, self.hair = look, finder, hair
        self._models, self.bundle = models, models[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Terms of its models that are others than those of the first, of which whoever ends a job tells."""
        others = [model for model in self._models if model.terms != self.bundle.terms]
        return tuple(f"model {Path(model.title).stem}: {model.terms}" for model in others)

    def with_look(self, look: Look) -> MakeUp:
        """Make another make-up with the same networks; hair is found if they were opened for a look with hair."""
        return MakeUp(look, self.finder, self.hair if look.hair else None, self._models)

    def paint(self, image: Pixels) -> tuple[Pixels, list[list[Layer]]]:
        """Make up every face of a picture.

        Args:
            image: (H, W, 3) uint8 sRGB; not changed.

        Returns:
            The painted picture, and what was painted of each face; see `apps.makeup.face.paint_face`.

        Raises:
            NothingFound: there is no face, or none that can be painted.
        """
        faces = self.finder.find(image)
        painted = image.copy()
        layers = self._paint(painted, faces, self.look.colours())
        if reason := _reason(faces, layers):
            raise NothingFound(reason)
        return painted, layers

    def edit(self, photo: PhotoReader) -> Edited:
        """Make up an opened photo; see `paint`."""
        image = photo.read()
        faces = self.finder.find(image)
        painted = image.copy()
        colours = {name: photo.own(colour) for name, colour in self.look.colours().items()}
        layers = self._paint(painted, faces, colours)
        if reason := _reason(faces, layers):
            raise NothingFound(f"cannot make up {photo.name}: {reason}")
        notes = []
        if left := len(faces) - len(layers):
            notes.append(f"{counted(left, 'face')} left as {'it is' if left == 1 else 'they are'}: {_reasons(faces)}")
        if missing := _missing(layers):
            notes.append(f"not found on a face: {', '.join(missing)}")
        found = areas(count(_labels(image.shape[:2], layers), SPACE), SPACE)
        return Edited(painted, found, tuple(notes), {"faces": len(layers)})

    def filming(self) -> Filming:
        """Make it ready for one clip."""
        return Filming(self)

    def identity(self) -> Identity:
        """Tell what decides the pixels: equal identities give equal ones."""
        found = [model.checksum() for model in self._models]
        return Identity("-".join(found), self.look.to_json(), {"name": "onnx", "precision": "fp32"})

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """It computes in one way only."""
        return self

    def _paint(self, image: Pixels, faces: Sequence[HasPoints], colours: Colours) -> list[list[Layer]]:
        good = [face for face in faces if not refusal(face)]
        return [
            paint_face(image, face, self.look, colours, [one for one in faces if one is not face], self.hair)
            for face in good
        ]


class Filming:
    """A make-up on one clip: faces are followed, and their points steadied.

    Args:
        makeup: the make-up.
    """

    forms, given, preprocessing, space, is_free = MakeUp.forms, MakeUp.given, MakeUp.preprocessing, SPACE, False

    def __init__(self, makeup: MakeUp) -> None:
        self._makeup, self.bundle = makeup, makeup.bundle

    def identity(self) -> Identity:
        """Tell what decides the pixels."""
        return self._makeup.identity()

    def stream(self, frames: Iterable[Frame | Pixels]) -> Iterator[FrameResult]:
        """Make up frames lazily, in order; those without a face stay as they are.

        Raises:
            NothingFound: after the last frame, if none had a face.
        """
        steadying, found, name, reason = Steadying(), 0, getattr(frames, "name", "the clip"), _NO_FACE
        faces: Sequence[Any] = ()
        colours = self._makeup.look.colours()
        for index, given in enumerate(frames):
            frame, start = Frame.of(given, index), time.perf_counter()
            finder = self._makeup.finder
            tracks = faces and index % _ANEW
            faces = finder.track(frame.image, faces) if tracks else finder.find(frame.image)
            image = frame.image.copy()
            layers = self._makeup._paint(image, steadying.step(faces), colours)
            reason = _reason(faces, layers)
            found += not reason
            labels = _labels(image.shape[:2], layers)
            note = reason and f"left as it is: {reason}"
            yield FrameResult(
                Segmentation(labels, SPACE, image=image), Frame(image, frame.pts, frame.index), key=True, age=0,
                ran=("face",), cut=index == 0, seconds=time.perf_counter() - start, note=note,
            )  # fmt: skip
        if not found:
            raise NothingFound(f"cannot make up {name}: {reason}")


def _labels(size: tuple[int, ...], faces: Sequence[Sequence[Layer]]) -> NDArray[np.uint8]:
    """What each pixel (H, W) was painted as."""
    labels = np.zeros(size, dtype=np.uint8)
    for layers in faces:
        for layer in layers:
            labels[layer.place][layer.mask >= _LEAST] = SPACE.index(layer.name)
    return labels


def _reasons(faces: Sequence[HasPoints]) -> str:
    return ", or ".join(dict.fromkeys(reason for face in faces if (reason := refusal(face))))


def _missing(layers: Sequence[Sequence[Layer]]) -> list[str]:
    """The names of what was nowhere on a face."""
    return list(dict.fromkeys(one.name for face in layers for one in face if not (one.mask >= _LEAST).any()))


def _reason(faces: Sequence[HasPoints], layers: Sequence[Sequence[Layer]]) -> str:
    """Why nothing was painted; "" if something was."""
    if any((one.mask >= _LEAST).any() for face in layers for one in face):
        return ""
    if missing := _missing(layers):
        return f"not found on its face: {', '.join(missing)}"
    if not faces:
        return f"{_NO_FACE}; faces have to be seen from the front, and their eyes at least 8 pixels apart"
    return f"its only face cannot be painted: {_reasons(faces)}" if len(faces) == 1 else f"no face: {_reasons(faces)}"
