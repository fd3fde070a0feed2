"""Labels that are corrected by clicks, one request a click."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from intarsia.inference.clicks import Changed
from intarsia.labels import LabelSpace
from intarsia.media.images import open_image
from intarsia.media.png import encode_mask
from intarsia.serving.budget import hold
from intarsia.serving.calls import Call
from intarsia.serving.clicking import Click, Remembered, Sessions
from intarsia.serving.documenting import FILE, FORM, PNG, form, gives, takes
from intarsia.serving.problems import UNPROCESSABLE, Problem
from intarsia.serving.routes.segment import engine_of, read, read_classes, read_labels, settings_of
from intarsia.serving.uploads import RGB_BYTES, Form, check_picture

router = APIRouter(prefix="/v1", tags=["segment"])

_MOST_CLICKS = 1000


class Clicking(BaseModel):
    """What may be asked of clicks."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str | None, Field(description="Whose classes the labels are of.")] = None
    method: Annotated[
        Literal["network", "grabcut", "walker"], Field(description="What decides how far a click reaches.")
    ] = "network"


class _Clicked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    x: float
    y: float
    kind: Annotated[int, Field(alias="class", ge=0)]


_CLICKS = TypeAdapter(Annotated[list[_Clicked], Field(min_length=1, max_length=_MOST_CLICKS)])
_LOCKED = TypeAdapter(Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=65536)])


_TEXT = {"type": "string"}
_CLICKED = {"file": FILE, "labels": FILE, "classes": _TEXT, "clicks": _TEXT, "locked": _TEXT, "session": _TEXT}


@router.post(
    "/segment/interactive", response_class=Response, openapi_extra=takes({FORM: form(_CLICKED, ["clicks"])}),
    responses=gives(PNG),
)  # fmt: skip
async def click(request: Request, asked: Annotated[Clicking, Query()]) -> Response:
    """Give the region around a click its class.

    The form has `clicks`: JSON, [{"x": 10, "y": 20, "class": 3}, ...], whole numbers at the middles of pixels, of which
    the last is new, and `locked`: JSON, the indices of classes that stay. At first it has `file` (the photo), `labels`
    (an index mask as PNG) and, where no `model` is named, `classes`, as for /v1/render; from then on `session`, the
    answer's X-Session, and `labels` again only if they were changed by other means. Clicks that are left out at the end
    are taken back first.

    The answer is the changed box of the labels, an index mask as PNG (one pixel where nothing changed). X-Box tells
    where it lies: left, top, right and bottom, right and bottom exclusive.
    """
    engine, call = engine_of(request), Call(request)
    engine.check_room()
    form = await read(request, call)
    clicks, locked = _clicks(form), _locked(form)
    sessions = _sessions(request)

    async def work() -> Response:
        session = form.fields.get("session")
        remembered = sessions.find(session) if session is not None else None
        space = _space(request, form, asked.model) if remembered is None else remembered.session.space
        settings = settings_of(request)
        sent = remembered is None or "labels" in form.files
        with call.stages("decode"):
            labels = image = None
            if sent:
                labels = await engine.beside(call, lambda: read_labels(form.file("labels"), space, settings))
            if remembered is None:
                width, height = check_picture(form.file(), settings, 1)
                hold(request, RGB_BYTES * width * height)
                image = await engine.beside(call, open_image(form.file().content, name=form.file().name).read)

        def compute() -> tuple[Remembered, Changed]:
            found = remembered
            if found is None:
                assert image is not None and labels is not None
                found = sessions.open(image, labels, space, asked.method)
            if labels is not None:
                found.relabel(labels, clicks[:-1])
            return found, found.click(clicks, locked)

        found, changed = await engine.compute_on(call, "onnx", compute)
        with call.stages("encode"):
            content = await engine.beside(call, lambda: _encoded(changed, space))
        headers = {
            "X-Box": ",".join(map(str, changed.box)), "X-Session": found.key, "X-Revision": str(found.revision),
            "Server-Timing": call.stages.header(),
        }  # fmt: skip
        return Response(content, media_type="image/png", headers=headers)

    answer: Response = await engine.admitted(call, work)
    return answer


def _sessions(request: Request) -> Sessions:
    """The sessions of the server that got a request."""
    state = request.app.state
    if not hasattr(state, "click_sessions"):
        state.click_sessions = Sessions()
    found: Sessions = state.click_sessions
    return found


def _space(request: Request, form: Form, model: str | None) -> LabelSpace:
    return engine_of(request).description(model).space if model is not None else read_classes(form)


def _clicks(form: Form) -> list[Click]:
    try:
        return [(one.x, one.y, one.kind) for one in _CLICKS.validate_json(form.fields.get("clicks", ""))]
    except ValidationError as error:
        raise Problem(
            UNPROCESSABLE,
            f'clicks: send 1 to {_MOST_CLICKS} of them as JSON: [{{"x": 10, "y": 20, "class": 3}}] ({_first(error)})',
        ) from error


def _locked(form: Form) -> list[int]:
    try:
        return _LOCKED.validate_json(form.fields.get("locked", "[]"))
    except ValidationError as error:
        raise Problem(UNPROCESSABLE, f"locked: send indices of classes as JSON: [0, 3] ({_first(error)})") from error


def _first(error: ValidationError) -> str:
    return str(error.errors()[0]["msg"])


def _encoded(changed: Changed, space: LabelSpace) -> bytes:
    labels = changed.labels if changed.labels.size else np.full((1, 1), space.ignore_index, space.dtype)
    return encode_mask(labels, space)
