"""The route of rembg's server, for programs that call it: a photo in, the people of it cut out (`serve --rembg`)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated
from urllib.parse import quote

import cv2
import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field, ValidationError

from intarsia.apps.grounds import Transparent
from intarsia.apps.portrait import PERSON, Portraits
from intarsia.inference import Predictor
from intarsia.media.photos import PhotoReader
from intarsia.serving.answers import Made, encode_picture
from intarsia.serving.calls import Call
from intarsia.serving.documenting import FILE, form, gives, takes
from intarsia.serving.engine import Engine
from intarsia.serving.problems import UNPROCESSABLE, Problem, reasons
from intarsia.serving.routes.segment import choose, engine_of, predict, read, to_response
from intarsia.serving.uploads import Upload

router = APIRouter(prefix="/api", tags=["rembg"])

_COLOUR = re.compile(r"\d{1,3}(,\d{1,3}){2,3}", re.ASCII)
_IDLE = {
    "a": "edges are matted anyway", "af": "matting takes no thresholds", "ab": "matting takes no thresholds",
    "ae": "matting takes no size", "extras": "models take no extras",
}  # fmt: skip
_FIELDS = ("model", "a", "af", "ab", "ae", "om", "ppm", "bgc", "extras")


class Removing(BaseModel):
    """What rembg's clients may ask for."""

    model: str = PERSON
    a: bool = False
    af: Annotated[int, Field(ge=0, le=255)] = 240
    ab: Annotated[int, Field(ge=0, le=255)] = 10
    ae: Annotated[int, Field(ge=0)] = 10
    om: bool = False
    ppm: bool = False
    bgc: str = ""
    extras: str = ""


_TAKEN = takes({"multipart/form-data": form({"file": FILE} | {name: {"type": "string"} for name in _FIELDS})})


@router.get("/remove", response_class=Response, responses=gives("image/png"))
async def refuse_address(request: Request) -> Response:
    """Refuse to fetch a photo."""
    raise Problem(
        UNPROCESSABLE, "this server fetches nothing: post the photo itself (curl -F file=@photo.jpg .../api/remove)"
    )


@router.post("/remove", response_class=Response, openapi_extra=_TAKEN, responses=gives("image/png"))
async def remove(request: Request) -> Response:
    """Cut the people out of a photo: PNG with transparency, or the mask alone.

    Fields are rembg's: `om` for the mask alone, `bgc` for a colour behind (r,g,b,a), `ppm` for a mask without soft
    edges, which is the class's own pixels. Edges are always matted otherwise.
    """
    engine, call = engine_of(request), Call(request)
    engine.check_room()
    sent = await read(request, call)
    said = {**request.query_params, **sent.fields}
    if "url" in said:
        raise Problem(UNPROCESSABLE, "url: this server fetches nothing: post the photo itself as the field 'file'")
    asked, upload = _read({name: said[name] for name in _FIELDS if name in said}), sent.file()
    colour = _colour(asked.bgc)

    async def work() -> Response:
        _, predictor, _ = await choose(request, call, upload, asked.model, {})
        road = _hard if asked.ppm else _matted
        pixels = await road(engine, call, predictor, upload)
        with call.stages("encode"):
            made = await engine.beside(call, lambda: _encoded(pixels, colour, only_mask=asked.om))
        note = "; ".join(f"{name}: {why}" for name, why in _IDLE.items() if said.get(name))
        return to_response(call, made, {"X-Model": quote(asked.model, safe="/ :"), "X-Note": note})

    found: Response = await engine.admitted(call, work)
    return found


async def _matted(engine: Engine, call: Call, predictor: Predictor, upload: Upload) -> NDArray[np.uint8]:
    """The people with soft edges, out of which the background's colours are taken: (H, W, 4)."""
    photo = PhotoReader(upload.content)
    photo.name = upload.name
    with call.stages("decode"):
        await engine.beside(call, photo.hold)
    edited = await engine.compute(call, predictor, lambda: _cutter(predictor).edit(photo))
    return edited.pixels


@lru_cache(maxsize=4)
def _cutter(predictor: Predictor) -> Portraits:
    """Portrait mode of a loaded model, kept because what looks for faces and bodies takes as long as the photo."""
    return Portraits(predictor, Transparent())


async def _hard(engine: Engine, call: Call, predictor: Predictor, upload: Upload) -> NDArray[np.uint8]:
    """The pixels of the class: (H, W, 4), either opaque or transparent."""
    index = predictor.space.index(PERSON)
    result = await predict(engine, call, predictor, upload, photo=True)
    assert result.image is not None
    return np.dstack([result.image, np.where(result.labels == index, np.uint8(255), np.uint8(0))])


def _encoded(pixels: NDArray[np.uint8], colour: tuple[int, ...] | None, *, only_mask: bool) -> Made:
    if only_mask:
        _, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., 3]))
        return Made(encoded.tobytes(), "image/png", ".png")
    cut = Image.fromarray(pixels)
    if colour is not None:
        cut = Image.alpha_composite(Image.new("RGBA", cut.size, colour), cut)
    return encode_picture(cut, lossless=True)


def _colour(said: str) -> tuple[int, ...] | None:
    """A colour as rembg's clients write it."""
    if not said:
        return None
    values = tuple(int(part) for part in said.split(",")) if _COLOUR.fullmatch(said) else (256,)
    if max(values) > 255:
        raise Problem(UNPROCESSABLE, f"bgc: {said[:100]!r} is no colour; write r,g,b,a from 0 to 255: 255,255,255,255")
    return values


def _read(said: dict[str, str]) -> Removing:
    try:
        return Removing.model_validate(said)
    except ValidationError as error:
        raise Problem(UNPROCESSABLE, reasons(error)) from None
