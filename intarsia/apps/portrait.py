"""Portrait mode: the people of a photo as they are, and behind them the background out of focus, or another one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.apps.bokeh import out_of_focus
from intarsia.apps.grounds import BLUR, Blur, Ground, Plain, Transparent, read_ground
from intarsia.apps.loading import load_predictor
from intarsia.errors import NothingFound, UsageError
from intarsia.inference import Identity
from intarsia.inference.choosing import Chooser
from intarsia.inference.edges import NAME as EDGE
from intarsia.inference.edges import EdgeFinder
from intarsia.inference.editing import Edited
from intarsia.inference.matting import Floats, Matting, Pixels, working_size
from intarsia.media.images import ImageLike, open_image, read_image
from intarsia.media.medium import PHOTO, VIDEO, Form
from intarsia.media.photos import PhotoReader
from intarsia.result import Render
from intarsia.result.contract import areas, count
from intarsia.runtimes.upsampling import Upsampling

if TYPE_CHECKING:
    from intarsia.inference import Predictor
    from intarsia.jobs import Plan

MODEL = PERSON = "person"
MEDIA = (PHOTO,)
"""What portraits are made of."""

LEAST = 0.002
"""Share of a picture that somebody covers."""

_ROWS = 256


def portrait(
    photo: ImageLike,
    *,
    background: str | os.PathLike[str] = BLUR,
    blur: float = 0.6,
    model: str | os.PathLike[str] | Predictor = MODEL,
) -> Image.Image:
    """Put what is behind the people of a photo out of focus, or something else in its place.

    Pixels that are the person's alone stay what they are, bit for bit; at edges, and between hairs, the old background
    is taken out of the colours before the new one comes in.

    Args:
        photo: a path, encoded bytes, a PIL image or an array; upright, as its EXIF orientation says.
        background: ``"blur"``, ``"transparent"``, a colour (``"#b0123b"``, ``"navy"``) or a picture file.
        blur: above 0, at most 1: how far out of focus the background is.
        model: that finds people: a name or file as for `intarsia.load`, or one that is loaded; it has a class "person".

    Returns:
        The photo at its own size, RGB, or RGBA where it is transparent.

    Raises:
        NothingFound: nobody is in the photo, or nothing else.
        DataError: the photo, or the background, cannot be read.
        UsageError: an argument out of range, or a model without people.
    """
    ground = Blur(blur) if background == BLUR else read_ground(background)
    portraits, pixels = Portraits(load_predictor(model), ground), read_image(photo)
    return Image.fromarray(put_before(pixels, portraits.shares(pixels), ground, portraits.edges))


class Portraits:
    """The people of photos before a ground, for jobs.

    Args:
        predictor: finds people: it has a class "person".
        ground: what is behind them.

    Attributes:
        edges: finds alpha where the mask of a model ends that names it; None for others, whose masks it was not trained
            on.

    Raises:
        UsageError: the model has no such class.
    """

    forms: frozenset[Form] = frozenset({"photo"})

    def __init__(self, predictor: Predictor, ground: Ground) -> None:
        self._predictor, self._ground = predictor, ground
        self._class = predictor.space.index(PERSON)
        self.bundle, self.space, self.given = predictor.bundle, predictor.space, predictor.given
        # Both know the bundled masks of people: the look, that these see somebody in cups and cats.
        known = predictor.bundle.edges == EDGE
        self._look = Chooser() if known else None
        self.edges = EdgeFinder() if known else None

    @property
    def preprocessing(self) -> Any:
        """What happens to pixels before the network."""
        return self._predictor.preprocessing

    @property
    def is_free(self) -> bool:
        """Whether the precision, and perhaps the runtime, was left open."""
        return self._predictor.is_free

    def identity(self) -> Identity:
        """Tell what decides the pixels: equal identities give equal ones."""
        found = self._predictor.identity()
        edges = {} if self.edges is None else {"edges": EDGE}
        return replace(found, settings=found.settings | self._ground.settings | edges)

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """Make the same on another runtime."""
        return type(self)(self._predictor.at(runtime), self._ground)

    def before(self, ground: Ground) -> Self:
        """Make the same before another ground; the networks that it has opened are shared."""
        made = copy(self)
        made._ground = ground
        return made

    def shares(self, pixels: Pixels) -> Floats:
        """How likely each pixel of a picture (H, W, 3) is a person, (H, W) float32.

        Raises:
            NothingFound: a bundled model of people is asked, and neither a face nor a body is seen.
        """
        if self._look is not None and not self._look.sees_somebody(pixels):
            raise NothingFound("neither a face nor a body is seen in this photo, so there is nobody to put anywhere")
        rows = self._predictor.rows(open_image(pixels), probabilities=True)
        some = [part.probabilities[self._class].copy() for part in rows if part.probabilities is not None]
        return np.concatenate(some)

    def edit(self, photo: PhotoReader) -> Edited:
        """Put the people of an opened photo before the ground; what is transparent in it counts as white."""
        pixels, alpha = photo.read(), photo.alpha()
        if alpha is not None:
            pixels = (255 - (255 - pixels.astype(np.uint16)) * alpha[..., None] // 255).astype(np.uint8)
        shares = self.shares(pixels)
        made = put_before(pixels, shares, self._ground, self.edges)
        if alpha is not None and made.shape[2] == 3:
            made = np.dstack([made, np.full_like(alpha, 255)])
        labels = np.where(shares > 0.5, self._class, int(self._class == 0)).astype(self.space.dtype)
        return Edited(made, areas(count(labels, self.space), self.space))


def portrait_output(ground: Ground, *, lossless: bool = False) -> Render:
    """The output of portrait jobs: pixels come drawn. What is transparent is written as PNG, others as `lossless`."""
    clear = isinstance(ground, Transparent)
    return Render("portrait", lambda pixels, labels, style: pixels, alpha=clear, lossless=lossless or clear)


def put_before(photo: Pixels, shares: Floats, ground: Ground, edges: EdgeFinder | None = None) -> Pixels:
    """Put the people of a photo before a ground.

    Args:
        photo: (H, W, 3) uint8 RGB.
        shares: (H, W) float32, 0 to 1: how likely each pixel is a person.
        ground: what is behind them.
        edges: finds alpha; None: the guided filter alone does.

    Returns:
        (H, W, 3) uint8 RGB, or (H, W, 4) RGBA before nothing.

    Raises:
        NothingFound: nobody is in the photo, or nothing else.
    """
    if np.count_nonzero(shares > 0.5) < LEAST * shares.size:
        raise NothingFound("nobody is found in this photo, so there is nothing to put before another background")
    size = (photo.shape[0], photo.shape[1])
    rows, columns = working_size(*size)
    known, kind = (shares, cv2.INTER_AREA) if edges is None else (edges.alpha(photo, shares), cv2.INTER_LINEAR)
    small = cv2.resize(photo, (columns, rows), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(known, (columns, rows), interpolation=kind)
    matting = Matting(
        np.asarray(small, dtype=np.uint8), np.asarray(mask, dtype=np.float32), size, fine=edges is not None
    )
    if matting.alpha.all():
        raise NothingFound("the person fills this photo: there is no background to change")
    if isinstance(ground, Transparent):
        parts = [matting.rows(top, rows).cut_out(rows) for top, rows in _bands(photo)]
        return np.concatenate(parts)
    found = _covering(ground, np.asarray(small, dtype=np.uint8), matting.alpha, size)
    for top, pixels in _bands(photo):
        place = slice(top, top + len(pixels))
        found[place] = matting.rows(top, pixels).over(pixels, found[place])
    return found


def _bands(photo: Pixels) -> list[tuple[int, Pixels]]:
    return [(top, photo[top : top + _ROWS]) for top in range(0, len(photo), _ROWS)]


def _covering(ground: Blur | Plain, small: Pixels, alpha: Floats, size: tuple[int, int]) -> Pixels:
    """The ground at the photo's own size."""
    if not isinstance(ground, Blur):
        return ground.covering(*size)
    planes = np.moveaxis(out_of_focus(small, alpha, ground.strength), 2, 0)[None]
    upsampling = Upsampling(small.shape[:2], size, align_corners=False)
    found: NDArray[np.uint8] = np.empty((*size, 3), dtype=np.uint8)
    for top in range(0, size[0], _ROWS):
        bottom = min(top + _ROWS, size[0])
        for channel, plane in enumerate(upsampling.planes(planes, 0, (top, bottom))):
            found[top:bottom, :, channel] = np.rint(plane)
    return found


def check_files(plan: Plan) -> None:
    """Refuse a job whose named file cannot hold what is drawn.

    Raises:
        UsageError: transparency in a format without it, or a video among the photos.
    """
    for task in plan.tasks:
        (name,), (render,) = task.outputs.values(), task.renders.values()
        if render.alpha and not name.lower().endswith((".png", ".webp", ".tif", ".tiff")):
            raise UsageError(f"{name} cannot be transparent: name a file that ends in .png, .webp or .tif")
        if VIDEO.is_surely(Path(task.source)):
            raise UsageError(f"{task.source} is a video: intarsia background {task.source} --with blur")
