"""Portraits and backgrounds: the people of a photo, or of a camera's frames, before something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
from PIL import Image
from pydantic import Field

from intarsia.apps.background import Filming
from intarsia.apps.grounds import BLUR, Blur, Ground, Plain, Transparent, named_ground
from intarsia.apps.portrait import MODEL, Portraits
from intarsia.inference import Predictor
from intarsia.inference.video import State
from intarsia.media.photos import photo_suffix
from intarsia.media.pixels import RGB
from intarsia.serving.answers import encode_picture
from intarsia.serving.problems import CONFLICT, UNPROCESSABLE, Problem
from intarsia.serving.uses.contract import AGREED, Asked, FileField, Outcome, Use, Work, said

PICTURE = "picture"
"""Of live streams, the ground that an earlier frame brought."""
_LONGEST = 1920  # pixels of the longer side of a picture that a live stream remembers

Session = Annotated[
    str | None,
    Field(
        pattern=r"^[\w-]{8,64}$",
        title="Live stream",
        description="Of a camera's frames: a name that nobody else uses; frames are then steadied over time.",
        json_schema_extra=said(format="session", option="", argument=""),
    ),
]


Blurred = Annotated[
    float | None,
    Field(
        gt=0,
        le=1,
        title="Blur",
        description="How far out of focus the background is; default: 0.6.",
        json_schema_extra=said(format=BLUR, usual="0.6"),
    ),
]
Model = Annotated[str, Field(description="With a class person.", json_schema_extra=said(format="model"))]


def _lossless(**more: str) -> Any:
    return Field(
        title="Lossless",
        description="Answer PNG: the people's pixels are those of the photo, bit for bit.",
        json_schema_extra=said(argument="", **more),
    )


class AskedPortrait(Asked):
    """What may be asked of a portrait."""

    background: Annotated[
        str | None,
        Field(
            max_length=40,
            title="Background",
            description="transparent, or a colour (#rrggbb or a name), in place of a blur.",
            json_schema_extra=said(format="ground"),
        ),
    ] = None
    blur: Blurred = None
    lossless: Annotated[bool, _lossless()] = False
    model: Model = MODEL


class AskedBackground(Asked):
    """What may be asked of a background."""

    behind: Annotated[
        str | None,
        Field(
            max_length=40,
            title="Background",
            description="blur, transparent, a colour (#rrggbb or a name), or, of a live stream, picture: the one that "
            "came with an earlier frame.",
            json_schema_extra=said(format="ground", option="--with"),
        ),
    ] = None
    blur: Blurred = None
    lossless: Annotated[bool, _lossless(option="")] = False
    model: Model = MODEL
    session: Session = None


async def portrait(work: Work, asked: AskedPortrait) -> Outcome:
    """Put the people of a photo before a ground, as the command does."""
    return await _portrait(work, asked, await _ground(work, "background", asked.background, asked.blur), "portrait")


async def background(work: Work, asked: AskedBackground) -> Outcome:
    """Put the people of a photo before a ground as the command does; those of a live stream steadied over time."""
    if asked.session is not None:
        return await _film(work, asked)
    return await _portrait(work, asked, await _ground(work, "behind", asked.behind, asked.blur), "background")


async def _portrait(work: Work, asked: AskedPortrait | AskedBackground, ground: Ground, name: str) -> Outcome:
    photo = await work.photo()
    predictor = await work.predictor(asked.model)
    portraits = await work.shelf.app(
        work.engine, ("portraits", id(predictor)), lambda: Portraits(predictor, Transparent())
    )
    edited = await work.engine.compute(work.call, predictor, lambda: portraits.before(ground).edit(photo))
    lossless = asked.lossless or isinstance(ground, Transparent)
    suffix = ".png" if lossless else photo_suffix(work.upload.path)
    made = await work.written(lambda path: photo.save(path, edited.pixels), f".{name}{suffix}")
    return Outcome(made, (*photo.notes, *edited.notes))


async def _ground(work: Work, name: str, told: str | None, blur: float | None) -> Ground:
    """What shall be behind people: a file, or what was said.

    Raises:
        Problem: two of them.
        UsageError: it is no ground.
    """
    picture = work.sent(name)
    given = [one for one in (picture, None if told == BLUR else told, blur) if one is not None]
    if len(given) > 1:
        raise Problem(UNPROCESSABLE, f"the background is one of a blur, {name}=... and a file {name!r}; choose one")
    if picture is not None:
        return Plain(await work.pixels(picture))
    if told is not None and told != BLUR:
        return named_ground(told)
    return Blur() if blur is None else Blur(blur)


@dataclass
class Clip:
    """What a live stream remembers.

    Attributes:
        state: of the steadying.
        picture: that came with a frame, to be behind people.
        model: that the state is of.
        key: of what `filming` was made for.
        filming: puts people before the ground.
    """

    state: State | None = None
    picture: Plain | None = None
    model: Predictor | None = None
    key: Any = None
    filming: Filming | None = None

    def before(self, key: Any, predictor: Predictor, ground: Ground) -> Filming:
        """Make it ready for frames, or keep what is ready; another model begins anew."""
        if self.filming is None or self.key != key:
            if predictor is not self.model:
                self.model, self.state = predictor, None
            self.key, self.filming = key, Filming(predictor, ground)
        return self.filming


async def _film(work: Work, asked: AskedBackground) -> Outcome:
    stream = work.shelf.stream(("background", asked.session), Clip)
    async with stream.turn:
        clip = stream.memory
        ground = await _live_ground(work, asked, clip)
        predictor = await work.predictor(asked.model)
        frame = await work.pixels(work.upload)
        filming = clip.before((id(predictor), asked.behind, asked.blur, id(clip.picture)), predictor, ground)

        def step() -> Any:
            found, clip.state = filming.step(frame, clip.state)
            return found.shares

        shares = await work.engine.compute(work.call, predictor, step)
        with work.call.stages("draw"):
            drawn = await work.beside(lambda: filming.draw(frame, shares))
    with work.call.stages("encode"):
        clear = asked.lossless or drawn.shape[2] == 4
        return Outcome(await work.beside(lambda: encode_picture(Image.fromarray(drawn), lossless=clear)))


async def _live_ground(work: Work, asked: AskedBackground, clip: Clip) -> Ground:
    """As `_ground`; a picture is remembered for the frames that come after.

    Raises:
        Problem: the picture is not remembered any more (409).
    """
    if "behind" in work.form.files:
        ground = await _ground(work, "behind", None if asked.behind == PICTURE else asked.behind, asked.blur)
        assert isinstance(ground, Plain)  # as a file came
        clip.picture = Plain(_reduced(ground.picture))
        return clip.picture
    if asked.behind != PICTURE:
        return await _ground(work, "behind", asked.behind, asked.blur)
    if clip.picture is None:
        raise Problem(CONFLICT, "no picture is remembered for this live stream; send it again as the file 'behind'")
    return clip.picture


def _reduced(picture: RGB) -> RGB:
    scale = _LONGEST / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


_PYTHON = """from intarsia.apps.portrait import portrait

portrait({file}{arguments}).save("{stem}.portrait.png")"""

PORTRAIT = Use(
    "portrait", "Portrait", "Puts what is behind the people of a photo out of focus, or something else there.",
    AskedPortrait, portrait, "intarsia portrait", {"": _PYTHON},
    files=(FileField("background", "A picture to be the background.", "--background", "background"),), consent=AGREED,
)  # fmt: skip

BACKGROUND = Use(
    "background", "Background", "Changes what is behind the people of a photo, or of a camera's frames.",
    AskedBackground, background, "intarsia background",
    {"": "from intarsia.apps.background import background\n\n"
         "for frame in background({file}{arguments}):  # of a clip, or camera:0\n    print(frame.shape)"},
    files=(FileField("behind", "A picture to be the background.", "--with", "behind"),), consent=AGREED, live=True,
)  # fmt: skip
