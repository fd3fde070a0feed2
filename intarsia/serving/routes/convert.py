"""Annotations of one tool as another tool's files, and what was lost on the way."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from intarsia.serving.answers import media_types
from intarsia.serving.budget import hold
from intarsia.serving.calls import Call
from intarsia.serving.converting import Converted, convert
from intarsia.serving.documenting import BYTES, FILE, FILES, JSON, form, gives_files, takes
from intarsia.serving.filenames import disposition
from intarsia.serving.jsonsize import check_json
from intarsia.serving.problems import UNPROCESSABLE, Problem
from intarsia.serving.routes.segment import engine_of, settings_of
from intarsia.serving.uploads import Upload, read_body, read_form, safe_name

router = APIRouter(prefix="/v1", tags=["convert"])

_MOST_TOLD = 4000  # characters of losses in a header


class Converting(BaseModel):
    """What may be asked of a conversion."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[str, Field(description="Tool to write for.")]
    tool: Annotated[str, Field(alias="from", description="Tool whose files they are; auto: by their content.")] = "auto"
    name: Annotated[str, Field(max_length=200, description="Of the file, where the body is the file itself.")] = ""


_TAKEN = takes({"multipart/form-data": form({"file": FILES, "photos": FILES}), BYTES: FILE})


@router.post("/convert", response_class=Response, openapi_extra=_TAKEN, responses=gives_files(media_types()))
async def convert_annotations(request: Request, asked: Annotated[Converting, Query()]) -> Response:
    """Write annotations for another tool.

    The body is a form with `file` (a file, several, or a zip archive) and, where they are needed, `photos`; or the file
    itself. The answer is the other tool's file, or a zip archive of its files; the header `X-Losses` lists what it
    cannot express. With `Accept: application/json` it is `{"from", "to", "name", "media_type", "losses", "content"}`,
    whose content is base64.
    """
    engine, call = engine_of(request), Call(request)
    engine.check_room()
    with call.stages("read"):
        files, photos = await _sent(request, asked.name)

    def make() -> Converted:
        return convert(files, photos, asked.to, asked.tool, settings_of(request), call.check)

    async def work() -> Response:
        with call.stages("convert"):
            hold(request, await engine.beside(call, lambda: check_json(files, settings_of(request).max_held)))
            found = await engine.beside(call, make)
        headers = {"X-From": found.source, "Server-Timing": call.stages.header()}
        wanted = [part.partition(";")[0].strip() for part in request.headers.get("accept", "").lower().split(",")]
        if JSON in wanted:
            return JSONResponse(_enveloped(found, asked.to), headers=headers)
        told = _short(found.made.losses)
        headers |= {"X-Losses": quote(told, safe=" ;:,()")} if told else {}
        headers["Content-Disposition"] = disposition(found.name)
        return Response(found.made.content, media_type=found.made.media_type, headers=headers)

    answered: Response = await engine.admitted(call, work)
    return answered


async def _sent(request: Request, name: str) -> tuple[list[Upload], list[Upload]]:
    """The annotation files, and the photos."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        body = await read_body(request)
        files = [_named(Upload(body, safe_name(name), ""))] if body else []
        photos: list[Upload] = []
    else:
        sent = (await read_form(request)).files
        files, photos = [_named(one) for one in sent.get("file", [])], sent.get("photos", [])
    if not files:
        raise Problem(
            UNPROCESSABLE,
            "send the annotations as the field 'file' of a form (curl -F file=@export.zip), or as the body itself",
        )
    return files, list(photos)


def _named(upload: Upload) -> Upload:
    """The file with a suffix, by its first bytes where its name has none."""
    start = upload.content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    known = {b"PK": ".zip", b"<": ".xml", b"{": ".json", b"[": ".json"}
    suffix = next((suffix for begin, suffix in known.items() if start.startswith(begin)), ".txt")
    return upload if "." in upload.name else replace(upload, name=f"{upload.name}{suffix}")


def _enveloped(found: Converted, to: str) -> dict[str, Any]:
    return {
        "from": found.source, "to": to, "name": found.name, "media_type": found.made.media_type,
        "losses": found.losses, "content": base64.b64encode(found.made.content).decode(),
    }  # fmt: skip


def _short(lines: tuple[str, ...]) -> str:
    """Lines of losses as one that a header can carry."""
    told = "; ".join(lines)
    return told if len(told) <= _MOST_TOLD else f"{told[:_MOST_TOLD]}... (all of them: Accept: application/json)"
