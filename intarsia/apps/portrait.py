"""Portrait mode: the person of a photo as they are, and behind them the background out of focus, or another one."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import intarsia
from intarsia.apps.bokeh import out_of_focus
from intarsia.apps.grounds import BLUR, Blur, Ground, Transparent, read_ground
from intarsia.errors import NothingFound, UsageError
from intarsia.inference.matting import Floats, Matting, Pixels, working_size
from intarsia.media.images import WRITTEN, ImageLike, read_image
from intarsia.media.medium import PICTURE
from intarsia.media.video import is_video
from intarsia.result import Render, Style
from intarsia.runtimes.upsampling import Upsampling

if TYPE_CHECKING:
    from intarsia.inference import Predictor
    from intarsia.jobs import Plan

MODEL = PERSON = "person"

PHOTOS = (replace(PICTURE, outputs=("portrait",), targets=WRITTEN),)
"""The media of portraits; a single file of one is named as pictures are."""

_LEAST = 0.002  # of the photo, that somebody covers
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
    render = portrait_render(Blur(blur) if background == BLUR else read_ground(background))
    predictor: Predictor = intarsia.load(model) if isinstance(model, str | os.PathLike) else model
    pixels = read_image(photo)
    shares = predictor.probabilities(pixels)[predictor.space.index(PERSON)]
    return Image.fromarray(render.draw(pixels, shares, Style(predictor.space)))


def portrait_render(ground: Ground, *, lossless: bool = False) -> Render:
    """The drawing of a photo's people before a ground, for jobs.

    Args:
        ground: what is behind them.
        lossless: whether it is written as PNG, as what is transparent always is.
    """
    clear = isinstance(ground, Transparent)
    return Render(
        "portrait", partial(_draw, ground=ground), alpha=clear, lossless=lossless or clear, of=PERSON,
        settings=ground.settings,
    )  # fmt: skip


def _draw(photo: Pixels, shares: Floats, _: Style, *, ground: Ground) -> Pixels:
    if np.count_nonzero(shares > 0.5) < _LEAST * shares.size:
        raise NothingFound("nobody is found in this photo, so there is nothing to put before another background")
    size = (photo.shape[0], photo.shape[1])
    rows, columns = working_size(*size)
    small, mask = (cv2.resize(one, (columns, rows), interpolation=cv2.INTER_AREA) for one in (photo, shares))
    matting = Matting(np.asarray(small, dtype=np.uint8), np.asarray(mask, dtype=np.float32), size)
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


def _covering(ground: Ground, small: Pixels, alpha: Floats, size: tuple[int, int]) -> Pixels:
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


def check_file(plan: Plan, render: Render) -> None:
    """Refuse a job whose named file cannot hold what is drawn.

    Raises:
        UsageError: transparency in a format without it, or a video among the photos.
    """
    for task in plan.tasks:
        name = task.outputs[render.name]
        if render.alpha and not name.lower().endswith((".png", ".webp", ".tif", ".tiff")):
            raise UsageError(f"{name} cannot be transparent: name a file that ends in .png, .webp or .tif")
        if is_video(task.source):
            raise UsageError(f"{task.source} is a video: intarsia background {task.source} --with blur")
