"""Jobs over HTTP: what takes longer than a client waits; started, followed, fetched and cancelled."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from typing import Annotated, Any, get_origin

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import JSONResponse, StreamingResponse

from intarsia.errors import IntarsiaError, UsageError, suggest
from intarsia.jobs import Manifest
from intarsia.serving.answers import media_types
from intarsia.serving.documenting import BYTES, FILE, FILES, FORM, JSON, ZIP, form, gives, gives_files, takes
from intarsia.serving.jobs import Job, Jobs, Kind
from intarsia.serving.jobs.events import MEDIA_TYPE, follow, read_seen
from intarsia.serving.jobs.kinds import Asked
from intarsia.serving.jobs.receiving import receive
from intarsia.serving.jobs.results import send_file, zipped
from intarsia.serving.problems import NOT_FOUND, UNPROCESSABLE, Problem, problem_of

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_LINES = "application/x-ndjson"
_PARTS: dict[int | str, dict[str, Any]] = {
    206: {"description": "A part of it"}, 304: {"description": "It is as it was"},
    416: {"description": "No part of it"},
}  # fmt: skip
_OWN = ("kind", "name")  # of the query, and no options of the kind
_BODY = takes({FORM: form({"files": FILES}, []), BYTES: FILE})


@router.post("", status_code=202, openapi_extra=_BODY, responses=gives(JSON, status=202))
async def start_job(
    request: Request,
    kind: Annotated[str, Query(description="What is done (/v1/jobs/kinds); its options stand in the query, too.")] = (
        "segment"
    ),
    name: Annotated[str, Query(max_length=200, description="Of the file, where the body is the file itself.")] = "",
) -> Response:
    """Start a job on files, or on the files in zip archives: the fields `files` of a form, or the body itself.

    The same request with the same `Idempotency-Key` gets the same job.
    """
    jobs = jobs_of(request)
    chosen = _open_kind(jobs, kind)
    assert chosen.asked is not None
    asked, key = read_asked(request, chosen.asked), _read_key(request)
    if jobs.of_key(key) is None:
        jobs.check_room()
    with jobs.arriving(key):
        job = await _started(request, jobs, chosen, asked, key)
    return JSONResponse(jobs.tell(job), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("")
async def list_jobs(request: Request) -> dict[str, Any]:
    """List the jobs, the latest first."""
    jobs = jobs_of(request)
    return {"jobs": [jobs.tell(job) for job in jobs.all()]}


@router.get("/kinds")
async def list_kinds(request: Request) -> dict[str, Any]:
    """List what can be done, with the options as JSON schemas, and the fields for which files may be sent."""
    kinds = [kind for kind in jobs_of(request).kinds.values() if kind.asked is not None]
    return {
        "kinds": [
            {"name": kind.name, "about": kind.about, "files": ["files", *kind.extras], "options": _schema(kind)}
            for kind in kinds
        ]
    }


@router.get("/{job}")
async def show_job(request: Request, job: str) -> dict[str, Any]:
    """Tell where a job stands."""
    jobs = jobs_of(request)
    return jobs.tell(jobs.find(job))


@router.delete("/{job}", status_code=202, responses={**gives(JSON, status=202), 204: {"description": "Removed"}})
async def cancel_job(request: Request, job: str) -> Response:
    """Cancel a job that waits or runs, which is "stopping" until its current step ends; remove one that is over."""
    jobs = jobs_of(request)
    found = jobs.find(job)
    over = found.is_over
    await asyncio.to_thread(jobs.cancel, found)
    return Response(status_code=204) if over else JSONResponse(jobs.tell(found), 202)


@router.get(
    "/{job}/events", response_class=Response, responses={**gives(MEDIA_TYPE), 204: {"description": "It is over"}}
)
async def follow_job(request: Request, job: str) -> Response:
    """Follow a job by server-sent events: `state` at once and at each change, `curve` for each epoch of a training."""
    jobs = jobs_of(request)
    found = jobs.find(job)
    seen, knows = read_seen(request.headers.get("last-event-id", ""))
    if knows and found.is_over:
        return Response(status_code=204)  # by which browsers stop asking
    return StreamingResponse(follow(jobs, found, seen), media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


@router.get("/{job}/results")
async def list_results(request: Request, job: str) -> list[dict[str, Any]]:
    """List what a job made."""
    return [output.model_dump() for output in jobs_of(request).find(job).outputs]


@router.get("/{job}/results.zip", response_class=Response, responses=gives(ZIP))
async def send_results(request: Request, job: str) -> Response:
    """Send all that a job made as one zip archive."""
    jobs = jobs_of(request)
    found = jobs.find(job)
    headers = {"Content-Disposition": f"attachment; filename={found.kind}-{found.id[:8]}.zip"}
    packed = zipped(jobs.store.place(found.id).out, list(found.outputs))
    return StreamingResponse(packed, media_type="application/zip", headers=headers)


@router.get("/{job}/records", response_class=Response, responses=gives(_LINES))
async def send_records(request: Request, job: str) -> Response:
    """Send a line of JSON for each source that is finished, also while others are not: areas, times, errors."""
    jobs = jobs_of(request)
    folder = jobs.store.place(jobs.find(job).id)

    def lines() -> Iterator[str]:
        for record in Manifest(folder.out).records():
            yield json.dumps(folder.hide(record)) + "\n"

    return StreamingResponse(lines(), media_type=_LINES)


@router.head("/{job}/results/{name:path}", include_in_schema=False)
@router.get("/{job}/results/{name:path}", response_class=Response, responses=gives_files(media_types()) | _PARTS)
async def send_result(request: Request, job: str, name: str) -> Response:
    """Send a file that a job made, or a part of it (`Range`)."""
    jobs = jobs_of(request)
    found = jobs.find(job)
    output = next((one for one in found.outputs if one.name == name), None)
    if output is None:
        raise Problem(NOT_FOUND, f"this job made no {name}; /v1/jobs/{found.id}/results lists what it made")
    return send_file(request, jobs.store.place(found.id).out / output.name, output)


def jobs_of(request: Request) -> Jobs:
    """The jobs of the server that got a request."""
    jobs: Jobs = request.app.state.jobs
    return jobs


def read_asked(request: Request, kind: type[Asked]) -> Asked:
    """Read the options of a job from the query.

    Raises:
        RequestValidationError: one is unknown, or out of range.
    """
    query, said = request.query_params, dict[str, Any]()
    lists = {name for name, field in kind.model_fields.items() if get_origin(field.annotation) is tuple}
    for name in query:
        if name not in _OWN:
            said[name] = query.getlist(name) if name in lists else query[name]
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("query", *one["loc"])} for one in error.errors(include_url=False, include_context=False)]
        ) from error


async def _started(request: Request, jobs: Jobs, kind: Kind, asked: Asked, key: str) -> Job:
    """Receive what a job is about, and queue it; or find the one that was queued under the same key."""
    folder, kept = await asyncio.to_thread(jobs.store.new), False
    try:
        sent = await receive(request, folder, kind.extras)
        said = hashlib.sha256(json.dumps([sorted(request.query_params.multi_items()), sent]).encode()).hexdigest()
        known = jobs.of_key(key)
        if known is not None:
            if known.request != said:
                raise Problem(UNPROCESSABLE, "another request came with this Idempotency-Key; give each its own")
            return known
        spec = await asyncio.to_thread(kind.prepare, asked, folder)
        job = await asyncio.to_thread(jobs.submit, kind.name, spec, folder, key=key, request=said)
        kept = True
        return job
    except (IntarsiaError, OSError) as error:
        problem = problem_of(error)
        raise Problem(problem.status, folder.hide(problem.detail), **problem.more) from error
    finally:
        if not kept:
            await asyncio.to_thread(shutil.rmtree, folder.path, ignore_errors=True)


def _open_kind(jobs: Jobs, name: str) -> Kind:
    known = [kind.name for kind in jobs.kinds.values() if kind.asked is not None]
    if name not in known:
        raise UsageError(f"no kind of job is named {name!r}.{suggest(name, known)}")
    return jobs.kinds[name]


def _schema(kind: Kind) -> dict[str, Any]:
    assert kind.asked is not None
    properties: dict[str, Any] = kind.asked.model_json_schema()["properties"]
    return properties


def _read_key(request: Request) -> str:
    """The checksum of a client's key; "" where it sent none."""
    said = request.headers.get("idempotency-key")
    if said is None:
        return ""
    if not _KEY.fullmatch(said):
        raise Problem(UNPROCESSABLE, "an Idempotency-Key has 1 to 255 visible characters")
    return hashlib.sha256(said.encode()).hexdigest()
