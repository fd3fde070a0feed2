"""Make-up: lips, hair, skin, eyes and brows of a photo, or of a camera's frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from PIL import Image
from pydantic import Field

from intarsia.apps.makeup import Look, MakeUp, open_makeup
from intarsia.inference.video import FrameResult
from intarsia.media.photos import photo_suffix
from intarsia.media.pixels import RGB
from intarsia.serving.answers import encode_picture
from intarsia.serving.uses.contract import AGREED, Asked, Outcome, Use, Work, said
from intarsia.serving.uses.people import Session

_EVERYTHING = Look(lips="red", hair="red")  # so that all that finds parts of faces is opened


def _colour(title: str, **more: str) -> object:
    about = said(format="color", **more)
    return Field(max_length=40, title=title, description="#rrggbb, or a colour's name.", json_schema_extra=about)


class AskedMakeUp(Asked):
    """What may be asked of a make-up."""

    lips: Annotated[str | None, _colour("Lips", start="#b0123b")] = None
    hair: Annotated[str | None, _colour("Hair")] = None
    eyes: Annotated[str | None, _colour("Eyes")] = None
    brows: Annotated[str | None, _colour("Brows")] = None
    skin: Annotated[
        Literal["smooth"] | None, Field(title="Skin", description="smooth: even the skin out, edges stay.")
    ] = None
    strength: Annotated[
        float,
        Field(ge=0, le=1, title="Strength", description="Of all of it: 0 changes nothing, 1 is the very colour."),
    ] = 0.8
    session: Session = None

    def look(self) -> Look:
        """What is painted.

        Raises:
            UsageError: nothing, or no such colour.
        """
        return Look(self.lips, self.hair, self.skin, self.eyes, self.brows, self.strength)


async def makeup(work: Work, asked: AskedMakeUp) -> Outcome:
    """Make up the faces of a photo, as the command does; those of a live stream are followed."""
    look = asked.look()
    with work.call.stages("load"):
        known = await work.shelf.app(work.engine, "makeup", lambda: open_makeup(_EVERYTHING))
    painter = known.with_look(look)
    if asked.session is not None:
        return await _film(work, (asked.session, look), painter)
    photo = await work.photo()
    edited = await work.engine.compute_on(work.call, "onnx", lambda: painter.edit(photo))
    made = await work.written(lambda path: photo.save(path, edited.pixels), f".makeup{photo_suffix(work.upload.path)}")
    return Outcome(made, (*photo.notes, *edited.notes), edited.details)


class Feed:
    """Frames for what goes through a clip by itself: each time it asks for the next one, the newest is there.

    Args:
        painter: makes up faces, and follows them.
    """

    def __init__(self, painter: MakeUp) -> None:
        self._frames: list[RGB] = []
        self._results = painter.filming().stream(self._pending())

    def step(self, frame: RGB) -> FrameResult:
        """Make up the next frame, (H, W, 3) uint8."""
        self._frames.append(frame)
        return next(self._results)

    def _pending(self) -> Iterator[RGB]:
        while self._frames:
            yield self._frames.pop()


async def _film(work: Work, key: tuple[str, Look], painter: MakeUp) -> Outcome:
    key_of_stream = ("makeup", key)
    stream = work.shelf.stream(key_of_stream, lambda: Feed(painter))
    async with stream.turn:
        frame = await work.pixels(work.upload)
        try:
            found = await work.engine.compute_on(work.call, "onnx", lambda: stream.memory.step(frame))
        except BaseException:
            work.shelf.streams.drop(key_of_stream)  # what was broken off cannot go on
            raise
    with work.call.stages("encode"):
        picture = Image.fromarray(found.frame.image)
        made = await work.beside(lambda: encode_picture(picture, lossless=False))
    return Outcome(made, (found.note,) if found.note else ())


MAKEUP = Use(
    "makeup", "Make-up", "Paints lips, hair, skin, eyes and brows of the faces in a photo; their texture stays.",
    AskedMakeUp, makeup, "intarsia makeup",
    {"": "from PIL import Image\n\nfrom intarsia.apps.makeup import make_up\n\n"
         'Image.fromarray(make_up({file}{arguments})).save("{stem}.makeup.png")'},
    consent=AGREED, live=True,
)  # fmt: skip
