"""Uses: what apps make of a picture."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from intarsia.errors import suggest
from intarsia.serving.answers import media_types
from intarsia.serving.calls import Call
from intarsia.serving.documenting import gives_files, takes_photo
from intarsia.serving.filenames import disposition
from intarsia.serving.problems import NOT_FOUND, Problem
from intarsia.serving.routes.segment import engine_of, read, settings_of, to_response
from intarsia.serving.uses.contract import Asked, Use, Work
from intarsia.serving.uses.drive import DRIVE, AskedDrive
from intarsia.serving.uses.handwriting import HANDWRITING, AskedHandwriting
from intarsia.serving.uses.makeup import MAKEUP, AskedMakeUp
from intarsia.serving.uses.people import BACKGROUND, PORTRAIT, AskedBackground, AskedPortrait
from intarsia.serving.uses.search import SEARCH, AskedSearch
from intarsia.serving.uses.tryon import TRYON, AskedTryOn

router = APIRouter(prefix="/v1", tags=["uses"])

USES = {use.name: use for use in (PORTRAIT, BACKGROUND, MAKEUP, TRYON, HANDWRITING, DRIVE, SEARCH)}
"""Every use by name, in the order in which they are offered."""


@router.get("/uses")
async def list_uses(request: Request) -> list[dict[str, Any]]:
    """List the uses, with their parameters as JSON schema, their files, and how they are called elsewhere."""
    return [use.to_json(engine_of(request)) for use in USES.values()]


def _documented(use: Use) -> dict[str, Any]:
    """What the API's document says of a use's files and answers."""
    return {
        "response_class": Response, "openapi_extra": takes_photo(*(one.name for one in use.files)),
        "responses": gives_files(media_types()),
    }  # fmt: skip


@router.post("/composite/portrait", **_documented(PORTRAIT))
async def portrait(request: Request, asked: Annotated[AskedPortrait, Query()]) -> Response:
    """Put what is behind the people of a photo out of focus, or a colour, a picture (file `background`) or nothing."""
    return await _answer(request, PORTRAIT, asked)


@router.post("/composite/background", **_documented(BACKGROUND))
async def background(request: Request, asked: Annotated[AskedBackground, Query()]) -> Response:
    """Change what is behind the people of a photo, or, with a `session`, of a camera's frames one after the other."""
    return await _answer(request, BACKGROUND, asked)


@router.post("/composite/makeup", **_documented(MAKEUP))
async def makeup(request: Request, asked: Annotated[AskedMakeUp, Query()]) -> Response:
    """Make up the faces of a photo, or, with a `session`, of a camera's frames one after the other."""
    return await _answer(request, MAKEUP, asked)


@router.post("/composite/tryon", **_documented(TRYON))
async def tryon(request: Request, asked: Annotated[AskedTryOn, Query()]) -> Response:
    """Show a garment in another colour, in a cloth (file `texture`), or as somebody else wears it (file `from`)."""
    return await _answer(request, TRYON, asked)


@router.post("/composite/handwriting", **_documented(HANDWRITING))
async def handwriting(request: Request, asked: Annotated[AskedHandwriting, Query()]) -> Response:
    """Find the lines and words of a page."""
    return await _answer(request, HANDWRITING, asked)


@router.post("/composite/drive", **_documented(DRIVE))
async def drive(request: Request, asked: Annotated[AskedDrive, Query()]) -> Response:
    """See road, lanes, vehicles and people; the file `camera` is a calibration (YAML), which gives metres."""
    return await _answer(request, DRIVE, asked)


@router.post("/composite/search", **_documented(SEARCH))
async def search(request: Request, asked: Annotated[AskedSearch, Query()]) -> Response:
    """Find, among the files `photos` (pictures or a zip) or in an `index`, what looks most like the photo."""
    return await _answer(request, SEARCH, asked)


@router.post("/composite/{use}", include_in_schema=False)
async def unknown(use: str) -> Response:
    """Say which uses there are."""
    raise Problem(NOT_FOUND, f"no use is named {use!r}.{suggest(use, USES)}")


async def _answer(request: Request, use: Use, asked: Asked) -> Response:
    """Read what was sent, wait for the models, and send what they made."""
    engine, call = engine_of(request), Call(request)
    engine.check_room()
    form = await read(request, call)
    use.check(form)
    job = Work(engine, call, settings_of(request), form, request.app.state.uses)

    async def work() -> Response:
        found = await use.make(job, asked)
        headers = {
            "Content-Disposition": disposition(f"{job.upload.stem}{found.made.suffix}", "inline"),
            "X-Note": quote("; ".join(found.notes), safe=" :;,()%'"),
            "X-Facts": quote(json.dumps(found.facts, separators=(",", ":")), safe='{}[]":, ') if found.facts else "",
        }
        return to_response(call, found.made, headers)

    found: Response = await engine.admitted(call, work)
    return found
