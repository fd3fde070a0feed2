"""Try-on: a garment of a photo in another colour, cloth, or as somebody else wears it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from intarsia.apps.tryon import GARMENTS, TryingOn, Wish
from intarsia.errors import DataError, UsageError
from intarsia.inference.bodies import find_bodies
from intarsia.inference.choosing import sees_somebody
from intarsia.serving.problems import UNAVAILABLE, Problem
from intarsia.serving.uploads import check_picture
from intarsia.serving.uses.contract import AGREED, Asked, FileField, Outcome, Use, Work, said

MODEL = "clothes"


class AskedTryOn(Asked):
    """What may be asked of a try-on."""

    garment: Annotated[
        str,
        Field(max_length=20, title="Garment", description="What is changed.", json_schema_extra={"enum": [*GARMENTS]}),
    ]
    colour: Annotated[
        str | None,
        Field(
            max_length=40,
            title="Colour",
            description="#rrggbb, or a colour's name.",
            json_schema_extra=said(format="color", start="#1f6f8b"),
        ),
    ] = None
    scale: Annotated[
        float, Field(gt=0, le=20, title="Scale", description="Width of the texture, in sizes of the garment.")
    ] = 0.5
    model: Annotated[
        str, Field(description="A model of clothes.", json_schema_extra=said(format="model", argument=""))
    ] = MODEL


async def tryon(work: Work, asked: AskedTryOn) -> Outcome:
    """Change a garment, as the command does."""
    if asked.model == MODEL and MODEL not in work.engine.names:
        raise Problem(
            UNAVAILABLE,
            "this server has no model of clothes; name one that it has (?model=...), or start it with one: intarsia "
            "serve --model CLOTHES.safetensors",
        )
    sent = {name: work.sent(name) for name in ("texture", "from")}
    for upload in sent.values():
        if upload is not None:
            check_picture(upload, work.settings, 1)
    texture, other = (None if one is None else one.content for one in sent.values())
    wish = Wish(asked.garment, asked.colour, texture, asked.scale, other)
    photo, clothes = await work.photo(), await work.predictor(asked.model)
    try:
        trying = TryingOn(wish, clothes, find_bodies, sees_somebody if asked.model == MODEL else None)
        edited = await work.engine.compute(work.call, clothes, lambda: trying.edit(photo))
    except (DataError, UsageError) as error:
        raise type(error)(str(error).replace("<bytes>", "the texture or the other photo")) from error
    made = await work.written(lambda path: photo.save(path, edited.pixels), ".tryon.png")
    return Outcome(made, (*photo.notes, *edited.notes), edited.details)


_PYTHON = """import intarsia
from PIL import Image

from intarsia.apps.tryon import try_on
from intarsia.inference.bodies import find_bodies

found = try_on({file}{arguments}, clothes=intarsia.load("clothes"), bodies=find_bodies)
Image.fromarray(found.image).save("{stem}.tryon.png")"""

TRYON = Use(
    "tryon", "Try-on", "Shows a garment in another colour, in another cloth, or as somebody else wears it.",
    AskedTryOn, tryon, "intarsia tryon", {"": _PYTHON},
    files=(
        FileField("texture", "Picture of a cloth or print.", "--texture", "texture"),
        FileField("from", "Photo of somebody who wears such a garment.", "--from", "other"),
    ),
    consent=AGREED, needs=MODEL,
)  # fmt: skip
