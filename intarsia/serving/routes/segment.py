"""Pictures in, labels out; and labels that somebody corrected in every form that predictions have."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intarsia.inference import Predictor
from intarsia.labels import LabelArray, LabelSpace, check_values
from intarsia.media.images import open_image
from intarsia.media.maskfile import read_mask_file
from intarsia.preprocessing import Preprocessing, expect
from intarsia.result import Segmentation
from intarsia.serving.answers import Answer, Made, Wish, choose_answer, media_types
from intarsia.serving.budget import hold
from intarsia.serving.calls import Call
from intarsia.serving.documenting import FILE, FORM, form, gives_files, takes, takes_photo
from intarsia.serving.engine import Engine
from intarsia.serving.files import segment_file
from intarsia.serving.problems import UNPROCESSABLE, UNSUPPORTED, Problem, reasons
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import RGB_BYTES, Form, Upload, check_picture, check_working, read_form

router = APIRouter(prefix="/v1", tags=["segment"])


class Asked(BaseModel):
    """What may be asked of an answer."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[str | None, Field(description="A form of answer (/v1/answers); default: by Accept.")] = None
    opacity: Annotated[float, Field(ge=0, le=1, description="Of an overlay's colours.")] = 0.5
    keep: Annotated[list[str], Field(description="Of alpha, the classes that stay.")] = []
    name: Annotated[str, Field(max_length=200, description="Of the photo, where the body is the photo itself.")] = ""

    def wish(self, upload: Upload) -> Wish:
        """Say how the answer about a photo is made."""
        return Wish(upload.stem, upload.suffix, upload.content, self.opacity, tuple(self.keep))


class Segmenting(Asked):
    """What may be asked of a prediction."""

    model: Annotated[str | None, Field(description="Default: what a look at the picture says.")] = None
    long_side: Annotated[int | None, Field(ge=0, le=20_000)] = None
    tile: Annotated[int | None, Field(ge=64, le=4096)] = None
    tta: bool = False
    refine: Annotated[str | None, Field(max_length=40)] = None
    decide: Literal["argmax", "rankseg"] = "argmax"

    def options(self, answer: Answer) -> dict[str, Any]:
        """The options of the predictor."""
        return {
            "long_side": self.long_side, "tile": self.tile, "tta": self.tta, "refine": self.refine,
            "decide": None if self.decide == "argmax" else self.decide, "confidence": answer.confidence,
        }  # fmt: skip


@router.post("/segment", response_class=Response, openapi_extra=takes_photo(), responses=gives_files(media_types()))
async def segment(request: Request, asked: Annotated[Segmenting, Query()]) -> Response:
    """Give every pixel of a picture, GeoTIFF or volume its class."""
    engine, call = engine_of(request), Call(request)
    answer = choose_answer(asked.format, request.headers.get("accept", ""))
    engine.check_room()
    form = await read(request, call)
    upload = form.file()

    async def work() -> Response:
        if not upload.is_plain:
            return await segment_file(
                engine, call, upload, asked.model or request.app.state.default, asked.options(answer), asked.format
            )
        name, predictor, note = await choose(request, call, upload, asked.model, asked.options(answer))
        result = await predict(engine, call, predictor, upload, photo=answer.photo)
        return await respond(engine, call, answer, result, asked.wish(upload), name, note)

    found: Response = await engine.admitted(call, work)
    return found


class Rendering(Asked):
    """What may be asked of labels that are there."""

    model: Annotated[str | None, Field(description="Whose classes the labels are of.")] = None


_TO_RENDER = takes({FORM: form({"labels": FILE, "file": FILE, "classes": {"type": "string"}}, ["labels"])})


@router.post("/render", response_class=Response, openapi_extra=_TO_RENDER, responses=gives_files(media_types()))
async def render(request: Request, asked: Annotated[Rendering, Query()]) -> Response:
    """Give labels that are there any form that predictions have.

    The form has the fields `labels` (an index mask as PNG), `file` (the photo, for what is drawn over it), and, where
    no `model` is named, `classes`: JSON, [{"name": ..., "color": "#rrggbb"}, ...].
    """
    engine, call = engine_of(request), Call(request)
    answer = choose_answer(asked.format, request.headers.get("accept", ""))
    if answer.confidence:
        raise Problem(UNPROCESSABLE, f"{answer.name} is of predictions; labels that are there have no confidence")
    engine.check_room()
    form = await read(request, call)
    space = engine.description(asked.model).space if asked.model is not None else read_classes(form)

    def make() -> Made:
        labels = read_labels(form.file("labels"), space, settings_of(request))
        photo = form.file() if answer.photo or "file" in form.files else None
        if photo is not None:
            width, height = check_picture(photo, settings_of(request), len(space))
            hold(request, RGB_BYTES * width * height)
        image = open_image(photo.content, name=photo.name).read() if photo is not None and answer.photo else None
        return answer.make(Segmentation(labels, space, image=image), asked.wish(photo or form.file("labels")))

    async def work() -> Response:
        with call.stages("encode"):
            made = await engine.beside(call, make)
        return to_response(call, made)

    found: Response = await engine.admitted(call, work)
    return found


def engine_of(request: Request) -> Engine:
    """The engine of the server that got a request."""
    engine: Engine = request.app.state.engine
    return engine


def settings_of(request: Request) -> Settings:
    """The settings of the server that got a request."""
    settings: Settings = request.app.state.settings
    return settings


async def read(request: Request, call: Call) -> Form:
    """Read the body of a request."""
    with call.stages("read"):
        return await read_form(request)


async def choose(
    request: Request, call: Call, upload: Upload, model: str | None, options: dict[str, Any]
) -> tuple[str, Predictor, str]:
    """Give the model that was named, or that a look at the picture says: its name, itself, and why.

    Raises:
        Problem: it has too many pixels for the model, or the model is of point clouds.
    """
    engine, note = engine_of(request), ""
    width, height = check_picture(upload, settings_of(request), 1)
    hold(request, RGB_BYTES * width * height)
    if model is None:
        with call.stages("decode"):
            pixels = await engine.beside(call, open_image(upload.content, name=upload.name).read)
        choice = await engine.choose(call, pixels)
        model, note = choice.model, choice.reason
    description = engine.description(model)
    refusal = Problem(UNSUPPORTED, f"{model} is a model of point clouds: post them to /v1/pointclouds/segment")
    expect(description.preprocessing, Preprocessing, refusal).check_medium("picture", upload.name)
    width, height = check_picture(upload, settings_of(request), len(description.space))
    with call.stages("load"):
        predictor = await engine.of_pictures(model, options)
    check_working(upload.name, width, height, predictor.preprocessing, settings_of(request), len(predictor.space))
    return model, predictor, note


async def predict(
    engine: Engine, call: Call, predictor: Predictor, upload: Upload, *, photo: bool = False
) -> Segmentation:
    """Decode a picture beside the models, and segment it on the thread of its model's runtime.

    Args:
        engine: with the models.
        call: the request.
        predictor: the model.
        upload: the picture.
        photo: the result holds the picture too.
    """
    reader = open_image(upload.content, name=upload.name, windows=predictor.preprocessing.windows)
    with call.stages("decode"):
        await engine.beside(call, reader.hold)
    return await engine.compute(call, predictor, lambda: predictor.segment_opened(reader, photo=photo))


async def respond(
    engine: Engine, call: Call, answer: Answer, result: Segmentation, wish: Wish, model: str, note: str
) -> Response:
    """Encode an answer beside the models."""
    with call.stages("encode"):
        made = await engine.beside(call, lambda: answer.make(result, wish))
    return to_response(call, made, {"X-Model": quote(model, safe="/ :"), "X-Note": quote(note, safe=" :,")})


def to_response(call: Call, made: Made, headers: dict[str, str] | None = None) -> Response:
    """Send what was made, with what it lost and how long each stage took."""
    losses = {"X-Losses": quote("; ".join(made.losses), safe=" ;:,()")} if made.losses else {}
    told = {name: value for name, value in (headers or {}).items() if value}
    return Response(
        made.content, media_type=made.media_type, headers=told | losses | {"Server-Timing": call.stages.header()}
    )


class _Class(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = ""


def read_classes(form: Form, field: str = "classes") -> LabelSpace:
    """Read the classes of a form.

    Raises:
        Problem: there are none, or they are no list of classes.
    """
    try:
        said = json.loads(form.fields.get(field, ""))
        classes = [_Class.model_validate(one) for one in said]
    except (ValueError, TypeError) as error:
        why = reasons(error) if isinstance(error, ValidationError) else error
        raise Problem(
            UNPROCESSABLE,
            f'{field}: name a model, or send the classes as JSON: [{{"name": "sky", "color": "#4682b4"}}] ({why})',
        ) from error
    colors = tuple(
        (int(one.color[1:3], 16), int(one.color[3:5], 16), int(one.color[5:7], 16)) for one in classes if one.color
    )
    return LabelSpace(tuple(one.name for one in classes), colors if len(colors) == len(classes) else ())


def read_labels(upload: Upload, space: LabelSpace, settings: Settings) -> LabelArray:
    """Read an index mask of some classes, (H, W).

    Raises:
        Problem: too many pixels.
        DataError: it is no index mask, or has values that are no class.
    """
    check_picture(upload, settings, 1)
    stored = read_mask_file(upload.content, upload.name, settings.max_pixels).shown(colors=False)
    if stored.ndim != 2:
        raise Problem(
            UNPROCESSABLE, f"{upload.name} is a picture of colours; labels are an index mask (palette or grey PNG)"
        )
    if int(stored.max(initial=0)) > np.iinfo(space.dtype).max:
        raise Problem(
            UNPROCESSABLE, f"{upload.name} has the value {int(stored.max())}, and there are {len(space)} classes"
        )
    labels: LabelArray = stored.astype(space.dtype)
    check_values(labels, space, upload.name)
    return labels
