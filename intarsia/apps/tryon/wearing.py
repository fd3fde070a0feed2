"""From a photo and the labels of clothes to the photo with other cloth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.tryon.borders import distance_inside, soften
from intarsia.apps.tryon.cloth import Cloth, plain, printed, said, worn
from intarsia.apps.tryon.fitting import Fit, Points, by_axes, by_body
from intarsia.apps.tryon.shading import likeness, shade
from intarsia.apps.tryon.wish import GARMENTS, Wish
from intarsia.bundle import Description
from intarsia.errors import NothingFound, UsageError
from intarsia.inference import Identity
from intarsia.inference.editing import Edited
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.images import ImageLike, read_image
from intarsia.media.medium import PHOTO, Form
from intarsia.media.oklab import Floats, colour, to_oklab
from intarsia.media.photos import PhotoReader
from intarsia.preprocessing import Preprocessing
from intarsia.result import Render

PERSON = ("skin", "hair", "glasses")
"""Those that must not change, whatever is tried on."""

_LEAST = 1 / 1000  # of a photo, below which a garment is a speck
_PIECE = 0.02  # of the largest piece of a garment, below which another is a speck
_INWARD = 0.7  # of the way from the middle of a body's joints, where they are looked for on a garment
_INNER = 0.04  # of a garment's size, from its border to where all pixels surely belong to it


TRIED_ON = Render("tryon", lambda pixels, labels, style: pixels, lossless=True)
"""The output of try-on jobs: pixels come changed."""

MEDIA = (PHOTO,)
"""What can be changed."""


class Clothes(Protocol):
    """A model of clothes: `intarsia.load("clothes")`, or what stands for it."""

    bundle: Description
    space: LabelSpace

    def identity(self) -> Identity:
        """Tell what decides its labels."""

    def segment(self, source: Any) -> Any:
        """Labels of a photo, by names of classes."""


class HasJoints(Protocol):
    """A body: `intarsia.inference.bodies.Body`, or what stands for it."""

    @property
    def points(self) -> NDArray[np.float32]:
        """(33, 4): x and y in pixels, depth, visibility."""


FindBodies = Callable[[NDArray[np.uint8]], Sequence[HasJoints]]
"""From a photo (H, W, 3) uint8 RGB to the bodies on it; along one, textures bend."""
SeesSomebody = Callable[[NDArray[np.uint8]], bool]
"""Whether a face or a body is on a photo (H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class TryOn:
    """A photo with other cloth.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        alpha: (H, W) float32 0..1, how much of each pixel is new; 0 outside of the garment and its soft border.
        garment: what was changed.
        cloth: what it is made of now, in words.
        axes: what can be told of it: the shares of the "background" and of "identity" (skin, hair, glasses) that are
            what they were bit for bit; "shading", the correlation of the garment's lightness before and after, each as
            a share of the cloth's own; "texture", the mean distance in OKLab of its chroma from the cloth's; "shape",
            the IoU of the garment with what the model finds again. Nothing is claimed of realism.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    garment: str
    cloth: str
    axes: Mapping[str, float]


class TryingOn:
    """Changes a garment of the people on photos; an `Editor` for jobs.

    Args:
        wish: what is tried on.
        clothes: model of clothes, which finds the garment, and again on the result.
        bodies: finds the bodies that cloth is laid along; None lays it straight.
        sees: tells whether somebody is on a photo: the bundled model sees clothes in cups and on white paper, too. None
            takes it for granted.
    """

    forms: frozenset[Form] = frozenset({"photo"})
    given: frozenset[str] = frozenset()
    preprocessing = Preprocessing()
    is_free = False

    def __init__(
        self, wish: Wish, clothes: Clothes, bodies: FindBodies | None = None, sees: SeesSomebody | None = None
    ) -> None:
        self._wish, self._clothes, self._bodies, self._sees = wish, clothes, bodies, sees
        self.bundle, self.space = clothes.bundle, clothes.space

    def edit(self, photo: PhotoReader) -> Edited:
        """Change an opened photo; see `wear`."""
        pixels = photo.read()
        if self._sees is not None and not self._sees(pixels):
            raise NothingFound(
                f"cannot change {photo.name}: neither a face nor a body is seen, so nobody wears anything"
            )
        result = self._clothes.segment(pixels)
        try:
            found = wear(pixels, result.labels, self._wish, self._clothes, photo, self._bodies)
        except NothingFound as error:
            raise NothingFound(f"cannot change {photo.name}: {error}") from None
        shares = {found.garment: float((found.alpha > 0).mean())}
        return Edited(found.image, shares, (), {"cloth": found.cloth, "axes": dict(found.axes)})

    def identity(self) -> Identity:
        """Tell what decides the pixels: equal identities give equal ones."""
        found = self._clothes.identity()
        return Identity(found.model, found.settings | {"wish": self._wish.to_json()}, found.runtime)

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """It computes in one way only."""
        return self


def try_on(
    photo: ImageLike,
    garment: str,
    *,
    clothes: Clothes,
    bodies: FindBodies | None = None,
    colour: str | None = None,
    texture: ImageLike | None = None,
    scale: float = 0.5,
    other: ImageLike | None = None,
) -> TryOn:
    """Show a garment on a photo in another colour, texture, or as somebody else wears it.

    Args:
        photo: a path, encoded bytes, a PIL image or an array (H, W, 3) uint8 RGB.
        garment: one of `GARMENTS`.
        clothes: model of clothes: ``intarsia.load("clothes")``.
        bodies: finds the bodies that cloth is laid along; None lays it straight.
        colour: as people write it: a name or #rrggbb.
        texture: picture of a cloth or print.
        scale: width of the texture, in sizes of the garment (the root of its area).
        other: photo of somebody who wears such a garment.

    Raises:
        DataError: a photo cannot be read.
        NothingFound: nobody on it wears such a garment.
        UsageError: no such garment or colour, or not exactly one of colour, texture and other is given.
    """
    wish = Wish(garment, colour, texture, scale, other)
    opened = PhotoReader(photo)
    pixels = opened.read()
    return wear(pixels, clothes.segment(pixels).labels, wish, clothes, opened, bodies)


def wear(
    photo: NDArray[np.uint8],
    labels: LabelArray,
    wish: Wish,
    clothes: Clothes,
    reader: PhotoReader | None = None,
    bodies: FindBodies | None = None,
) -> TryOn:
    """Do what is wished, on the labels (H, W) of a photo (H, W, 3).

    Args:
        photo: uint8 RGB.
        labels: of the model's classes.
        wish: what is tried on.
        clothes: the model.
        reader: of the photo, whose colour profile says what values stand for a colour; None: sRGB.
        bodies: finds the bodies that cloth is laid along; None lays it straight.

    Raises:
        NothingFound: nobody wears such a garment, here or on the other photo.
        UsageError: the model has no such class.
    """
    space = clothes.space
    mask = garment_mask(labels, space, wish.garment)
    fit, cloth = _fitted(photo, mask, wish, clothes, reader, bodies)
    others = (labels != space.index(wish.garment)) & (labels != space.index("background"))
    depth = distance_inside(mask)
    alpha = soften(photo, mask, depth, others)
    rows, columns = np.nonzero(alpha)
    before = photo[rows, columns]
    lab = cloth.at(fit.to_cloth(np.stack([columns, rows], axis=1).astype(np.float64)))
    inner = depth[rows, columns] > _INNER * np.sqrt(mask.sum())
    after = shade(before, lab, inner if inner.any() else None)
    weight = alpha[rows, columns][:, None]
    image = photo.copy()
    image[rows, columns] = np.rint(before + weight * (after.astype(np.float32) - before)).astype(np.uint8)
    person = np.isin(labels, [space.index(name) for name in PERSON if name in space.names])
    axes = _measured(photo, image, alpha, person, lab)
    again = clothes.segment(image)[wish.garment]
    axes["shape"] = round(float((again & mask).sum() / (again | mask).sum()), 4)
    return TryOn(image, alpha, wish.garment, cloth.said, axes)


def garment_mask(labels: LabelArray, space: LabelSpace, garment: str) -> NDArray[np.bool_]:
    """Find a garment among labels (H, W), without specks.

    Raises:
        NothingFound: there is none.
        UsageError: the model has no such class.
    """
    pieces, areas = _pieces(labels == space.index(garment))
    if not _is_garment(areas, labels.size):
        others = [name for name in GARMENTS if name in space.names]
        worn_here = [name for name in others if _is_garment(_pieces(labels == space.index(name))[1], labels.size)]
        there = f"; there is: {', '.join(worn_here)}" if worn_here else ", nor any other garment"
        raise NothingFound(f"no garment of the class {garment} is found{there}")
    kept = np.concatenate([[False], areas >= _PIECE * areas.max()])
    return np.asarray(kept[pieces])


def _pieces(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The connected pieces of a mask (H, W), numbered from 1, and their areas."""
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(pieces, np.int32), np.asarray(facts[1:, cv2.CC_STAT_AREA], np.int32)


def _is_garment(areas: NDArray[np.int32], pixels: int) -> bool:
    return bool(areas.max(initial=0) >= max(_LEAST * pixels, 16))


def _fitted(
    photo: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    wish: Wish,
    clothes: Clothes,
    reader: PhotoReader | None,
    bodies: FindBodies | None,
) -> tuple[Fit, Cloth]:
    """How cloth lies on the garment, and the cloth."""
    straight = by_axes(mask)
    if wish.colour is not None:
        wanted = colour(wish.colour)
        return straight, plain(reader.own(wanted) if reader is not None else wanted, wish.colour)
    along = _along(photo, mask, bodies)
    if wish.texture is not None:
        return along or straight, printed(wish.texture, scale=wish.scale)
    assert wish.other is not None  # as `Wish` says
    other = read_image(wish.other)
    try:
        theirs = garment_mask(clothes.segment(other).labels, clothes.space, wish.garment)
    except NothingFound as error:
        raise UsageError(f"{said(wish.other)}: {error}; name another photo to take a garment from") from None
    their_own = _along(other, theirs, bodies)
    if along is None or their_own is None:
        along, their_own = straight, by_axes(theirs)
    return along, worn(other, theirs, their_own, said(wish.other))


def _along(photo: NDArray[np.uint8], mask: NDArray[np.bool_], bodies: FindBodies | None) -> Fit | None:
    """How cloth lies along the body that wears most of the garment; None where no body is found on it."""
    if bodies is None:
        return None
    fits = [fit for body in bodies(photo) if (fit := by_body(body.points)) is not None]
    inside = [_inside(fit.pixels, mask) for fit in fits]
    return fits[int(np.argmax(inside))] if any(inside) else None


def _inside(points: Points, mask: NDArray[np.bool_]) -> int:
    """Count the joints that lie on a garment; they are moved a little to their middle, as many lie on its border."""
    middle = points.mean(axis=0)
    places = np.rint(middle + _INWARD * (points - middle)).astype(int)
    seen = ((places >= 0) & (places < mask.shape[::-1])).all(axis=1)
    return int(mask[places[seen, 1], places[seen, 0]].sum())


def _measured(
    before: NDArray[np.uint8], after: NDArray[np.uint8], alpha: Floats, person: NDArray[np.bool_], lab: Floats
) -> dict[str, float]:
    """Tell what a try-on kept, and how near it comes to the cloth; see `TryOn`.

    Args:
        before: (H, W, 3).
        after: (H, W, 3).
        alpha: (H, W), how much of each pixel is new.
        person: (H, W), skin, hair and glasses.
        lab: (N, 3) or (3,), OKLab, of the new cloth at each pixel that is new in part.
    """
    same = (before == after).all(axis=2)
    weights = alpha[alpha > 0]
    chosen = weights == 1 if (weights == 1).any() else weights > 0
    old, new = before[alpha > 0][chosen], after[alpha > 0][chosen]
    cloth = np.broadcast_to(lab, (len(chosen), 3))[chosen]
    return {
        "background": _share(same, alpha == 0),
        "identity": _share(same, person),
        "shading": round(likeness(old, new, cloth), 4),
        "texture": round(float(np.linalg.norm((to_oklab(new) - cloth)[:, 1:], axis=1).mean()), 4),
    }


def _share(same: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    return float(same[where].mean()) if where.any() else 1.0
