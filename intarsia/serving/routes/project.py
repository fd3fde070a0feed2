"""The studio's project over HTTP: pictures, labels with revisions, and classes."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from intarsia.errors import IntarsiaError
from intarsia.files import encoded
from intarsia.serving.budget import hold
from intarsia.serving.documenting import BYTES, FILE, FILES, FORM, PNG, form, gives, takes
from intarsia.serving.problems import CONFLICT, NOT_FOUND, TOO_LARGE, UNPROCESSABLE, Problem
from intarsia.serving.project import Conflict, NoItem, Order, OtherClasses, Project
from intarsia.serving.project.current import Current
from intarsia.serving.project.items import Found
from intarsia.serving.project.suiting import usual_model
from intarsia.serving.project.views import encode, stamp
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import RGB_BYTES, read_form

router = APIRouter(prefix="/v1/project", tags=["project"])
T = TypeVar("T")

_UNSAID = 428  # Precondition Required
_MOST = 500  # items of one answer
_AS_IT_WAS: dict[int | str, dict[str, Any]] = {304: {"description": "It is as it was"}}
_TAG = re.compile(r'(?:W/)?"?(\d{1,15})"?')

Frame = Annotated[int, Query(ge=0, description="Of a video or the slice of a volume, from 0.")]
ClassesRevision = Annotated[
    int | None, Query(ge=0, description="Whose numbers the mask holds: 409 where classes have other numbers by now.")
]


async def project_of(request: Request) -> Project:
    """The project that the studio works on.

    Raises:
        DataError: the data cannot be opened.
    """
    current: Current = request.app.state.project
    return await asyncio.to_thread(current.get)


def usual_of(request: Request, project: Project) -> Callable[[Found], str | None]:
    """Tell of items which model predicts them where none is named; see `usual_model`."""
    state = request.app.state
    return partial(usual_model, project, state.engine, state.default if state.settings.models else None)


async def asked(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Run what reads or writes files beside everything else; an item that is not there is 404, other classes 409."""
    try:
        return await asyncio.to_thread(function, *arguments, **named)
    except NoItem as error:
        raise Problem(NOT_FOUND, str(error)) from error
    except OtherClasses as error:
        raise Problem(CONFLICT, str(error), classes_revision=error.present) from error


@router.get("")
async def show_project(
    request: Request,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=10_000)] = _MOST,
    order: Annotated[Order, Query(description="uncertainty: the most uncertain first; worst: where labels agree least")]
    = "name",
) -> dict[str, Any]:  # fmt: skip
    """Tell the classes and, a part at a time, the items of the project."""
    project = await project_of(request)
    settings: Settings = request.app.state.settings
    model = usual_of(request, project)

    def told() -> dict[str, Any]:
        names = project.listed(order)
        return {
            "name": project.name, **_classes(project), "total": len(names), "offset": offset,
            "items": [tell(project, name, model) for name in names[offset : offset + limit]],
            "notes": list(project.notes),
            **({"folder": encoded(str(project.folder)).decode()} if settings.is_local else {}),
        }  # fmt: skip

    return await asked(told)


def _classes(project: Project) -> dict[str, Any]:
    classes = project.classes
    return {
        "classes": classes.rows(), "ignore_index": classes.space.ignore_index,
        "classes_revision": classes.revision, "classes_numbered": classes.numbered,
    }  # fmt: skip


def tell(project: Project, name: str, model: Callable[[Found], str | None]) -> dict[str, Any]:
    """Tell an item as the API does, with the model that predicts it; of one that cannot be read, why."""
    item, status = project.item(name), project.status(name)
    told: dict[str, Any] = {"id": name, "name": item.place, "medium": item.medium, "model": model(item)}
    try:
        width, height, frames = project.views.facts(item)
    except IntarsiaError as error:
        told |= {"width": 0, "height": 0, "error": str(error)}
        frames = None
    else:
        told |= {"width": width, "height": height}
    if frames is not None:
        told |= {"frames": frames, "labelled": list(status.labelled)}
    return told | {
        "revision": status.revision, "state": status.state, "uncertainty": status.uncertainty,
        "agreement": status.agreement,
    }  # fmt: skip


class Row(BaseModel):
    """A class."""

    model_config = ConfigDict(extra="forbid")

    index: Annotated[int | None, Field(ge=0, description="Its number in masks; none: a new class.")] = None
    name: Annotated[str, Field(min_length=1, max_length=200)]
    color: Annotated[str | None, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = None


class Changes(BaseModel):
    """What changes of a project."""

    model_config = ConfigDict(extra="forbid")

    classes: Annotated[list[Row], Field(min_length=1, max_length=65_535, description="All, in their order.")]
    classes_revision: Annotated[
        int | None, Field(ge=0, description="That the change began with: 409 where it is another by now. None: any.")
    ] = None


@router.patch("")
async def change_project(request: Request, changes: Changes) -> dict[str, Any]:
    """Add, rename, recolour and reorder classes; their numbers in masks stay. While nothing is labelled some may go."""
    project = await project_of(request)
    rows = [row.model_dump(exclude_none=True) for row in changes.classes]
    await asked(project.change_classes, rows, changes.classes_revision)
    return _classes(project)


@router.post("/items", status_code=201, openapi_extra=takes({FORM: form({"file": FILES}), BYTES: FILE}))
async def add_items(request: Request) -> dict[str, Any]:
    """Add files, sent as a form; what cannot be used is told beside what was added."""
    project = await project_of(request)
    form = await read_form(request)
    uploads = [upload for files in form.files.values() for upload in files]
    if not uploads:
        raise Problem(UNPROCESSABLE, "no file was sent; send files as a form (curl -F file=@photo.jpg)")
    added, refused = [], []
    for upload in uploads:
        name = upload.name if upload.name.lower().endswith(upload.suffix) else f"{upload.name}{upload.suffix}"
        try:
            added.append(await asked(project.add, name, upload.content))
        except IntarsiaError as error:
            if len(uploads) == 1:
                raise
            refused.append({"name": upload.name, "detail": str(error)})
    model = usual_of(request, project)
    return {"items": [await asked(tell, project, name, model) for name in added], "refused": refused}


@router.get("/items/{item}")
async def show_item(request: Request, item: str) -> dict[str, Any]:
    """Tell all of an item: also the times of a video's frames, and the spacing and usual window of a volume."""
    project = await project_of(request)

    def told() -> dict[str, Any]:
        shown = project.views.open(project.item(item))
        return tell(project, item, usual_of(request, project)) | shown.details()

    return await asked(told)


@router.delete("/items/{item}", status_code=204)
async def remove_item(request: Request, item: str) -> Response:
    """Take an item and its labels out of the project; files of somebody's own data stay as they are."""
    await asked((await project_of(request)).remove, item)
    return Response(status_code=204)


@router.get("/items/{item}/image", response_class=Response, responses=gives(PNG) | _AS_IT_WAS)
async def show_image(
    request: Request,
    item: str,
    max_side: Annotated[int | None, Query(ge=1, le=20_000)] = None,
    frame: Frame = 0,
    window: Annotated[str | None, Query(max_length=60, description="low,high: values that are black and white")] = None,
) -> Response:
    """Send an item's pixels as the models get them: upright, 8 bits, RGB; lossless."""
    project = await project_of(request)
    found = await asked(project.item, item)
    said = f"{await asked(stamp, found)} {max_side} {frame} {window}"
    headers = {"ETag": f'"{hashlib.sha256(said.encode()).hexdigest()[:16]}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    values, settings = _window(window), request.app.state.settings

    def drawn() -> bytes:
        hold(request, _require_pixels(project, found, settings, max_side))
        if max_side is not None:
            return encode(project.views.thumbnail(found, max_side, frame, values))
        return encode(project.views.picture(found, frame, values))

    return Response(await asked(drawn), media_type="image/png", headers=headers)


def _window(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not -1e9 < low < high < 1e9:
        raise Problem(UNPROCESSABLE, f"window is two numbers, the lower one first, for instance -160,240, not {text!r}")
    return low, high


def _require_pixels(project: Project, found: Found, settings: Settings, max_side: int | None) -> int:
    """Refuse what is too large to be shown; gives the bytes of what has to be decoded for it."""
    width, height, _ = project.views.facts(found)
    longest = max(width, height)
    pixels = width * height * (min(max_side or longest, longest) / longest) ** 2
    if pixels > settings.max_pixels:
        raise Problem(
            TOO_LARGE,
            f"{found.place} has {pixels / 1e6:.1f} megapixels, the limit is {settings.max_pixels / 1e6:g}; ask "
            "for less (max_side), or raise --max-pixels",
        )
    return RGB_BYTES * (width * height if max_side is None else round(pixels))


@router.get("/items/{item}/labels", response_class=Response, responses=gives(PNG))
async def show_labels(request: Request, item: str, frame: Frame = 0) -> Response:
    """Send an item's labels as an index mask; the ETag is their revision."""
    project = await project_of(request)
    found = await asked(project.labels, item, frame)
    if found is None:
        raise Problem(NOT_FOUND, f"{item} has no labels yet", revision=0)
    mask, revision = found
    headers = {"ETag": f'"{revision}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(mask, media_type="image/png", headers=headers)


@router.put("/items/{item}/labels", status_code=204, openapi_extra=takes({FORM: form({"file": FILE}), PNG: FILE}))
async def save_labels(
    request: Request, item: str, frame: Frame = 0, classes_revision: ClassesRevision = None
) -> Response:
    """Save an item's labels, an index mask, over the revision that they began with (If-Match; "0": the first)."""
    project = await project_of(request)
    said = _TAG.fullmatch(request.headers.get("if-match", "").strip())
    if said is None:
        raise Problem(
            _UNSAID, 'say which revision the labels began with: If-Match: "3", as the ETag told; "0" for the first'
        )
    mask = (await read_form(request)).file()
    width, height, _ = await asked(project.facts, item)
    hold(request, RGB_BYTES * width * height)
    try:
        revision = await asked(
            project.put, item, mask.content, expected=int(said[1]), frame=frame, classes=classes_revision
        )
    except Conflict as error:
        raise Problem(CONFLICT, str(error), headers={"ETag": f'"{error.present}"'}, revision=error.present) from error
    return Response(status_code=204, headers={"ETag": f'"{revision}"'})
