"""The point clouds of the studio's project: points in parts, the lasso, undo, prediction, and the file with labels."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse

from intarsia import DEFAULT_MODELS
from intarsia.media.clouds import open_cloud
from intarsia.serving.calls import Call
from intarsia.serving.documenting import BYTES, JSON, gives
from intarsia.serving.engine import Engine
from intarsia.serving.filenames import disposition
from intarsia.serving.points import count_points
from intarsia.serving.problems import CONFLICT, TOO_LARGE, Problem
from intarsia.serving.project import Conflict
from intarsia.serving.project.cloudlabels import Change
from intarsia.serving.project.cloudpredicting import PREDICT, usual_classes
from intarsia.serving.project.clouds import Cloud, Clouds, Rules
from intarsia.serving.project.lasso import View
from intarsia.serving.routes.jobs import jobs_of
from intarsia.serving.routes.project import asked, project_of

router = APIRouter(prefix="/v1/project/items/{item}/cloud", tags=["project"])

_WITH_HEADER = (".las", ".laz", ".ply", ".pcd", ".npz", ".bin")  # which tells how many points there are
_MOST_AT_ONCE = 2_000_000

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]
Pixel = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Label = Annotated[int, Field(ge=0, le=65535)]
Row = tuple[Finite, Finite, Finite, Finite]


class Revision(BaseModel):
    """Labels that somebody saw."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=0, description="Of the labels that this began with.")]


class Ruled(Revision):
    """Which points may change."""

    locked: Annotated[list[Label], Field(max_length=65536, description="Classes whose points stay.")] = []
    only: Annotated[Label | None, Field(description="The one class whose points change.")] = None
    visible: Annotated[
        list[Label] | None, Field(max_length=65536, description="Classes that are shown; null: all.")
    ] = None

    @property
    def rules(self) -> Rules:
        """As the project takes them."""
        return Rules(frozenset(self.locked), self.only, None if self.visible is None else frozenset(self.visible))


class Lasso(Ruled):
    """A polygon that was drawn over a view of a cloud, and the class for the points in it."""

    view: Annotated[
        tuple[Row, Row, Row, Row],
        Field(description="Rows of the matrix from coordinates, from the cloud's origin, to clip coordinates."),
    ]
    size: Annotated[tuple[Pixel, Pixel], Field(description="Width and height of the view in pixels.")]
    polygon: Annotated[list[tuple[Pixel, Pixel]], Field(min_length=3, max_length=20_000)]
    label: Annotated[Label, Field(alias="class", description="The class, or the number that means unknown.")]
    heights: Annotated[tuple[Finite, Finite] | None, Field(description="Lowest and highest z, from the origin.")] = None
    front: Annotated[bool, Field(description="Only points that no nearer visible one hides; else all of them.")] = False


async def clouds_of(request: Request) -> Clouds:
    """The clouds of the project, made when they are first asked for."""
    state = request.app.state
    project = await project_of(request)
    if getattr(state, "clouds", None) is None or state.clouds.project is not project:
        state.clouds = Clouds(project, partial(usual_classes, state.engine))
    clouds: Clouds = state.clouds
    return clouds


async def cloud_of(request: Request, item: str) -> Cloud:
    """An open cloud.

    Raises:
        Problem: there is no such item (404), or it has more points than this server opens (413).
    """
    clouds, most = await clouds_of(request), request.app.state.settings.max_points

    def opened() -> Cloud:
        found = clouds.project.item(item)
        if found.file.suffix.lower() in _WITH_HEADER:
            count = count_points(found.file)
            if count > most:
                raise Problem(
                    TOO_LARGE, f"{found.place} has {count:,} points, the limit is {most:,}; raise --max-points"
                )
        return clouds.open(item)

    cloud: Cloud = await asked(opened)
    return cloud


async def _changed(cloud: Cloud, change: Any, *arguments: Any, **named: Any) -> Response:
    """Make a change, and tell it as the page takes it; labels that moved on are 409."""

    def made() -> bytes:
        found: Change = change(*arguments, **named)
        return cloud.told(found)

    try:
        return Response(await asked(made), media_type=BYTES)
    except Conflict as error:
        raise Problem(CONFLICT, str(error), revision=error.present) from error


@router.get("", response_class=Response, responses=gives(BYTES))
async def show_points(
    request: Request,
    item: str,
    first: Annotated[int, Query(ge=0, le=2**32, description="Of the ranks.")] = 0,
    count: Annotated[int, Query(ge=0, le=_MOST_AT_ONCE)] = 500_000,
) -> Response:
    """Send points with labels, binary: the first ones of any number are an even sample of all (see `Cloud.packed`)."""
    cloud = await cloud_of(request, item)
    return Response(
        await asked(cloud.packed, first, count), media_type=BYTES, headers={"Cache-Control": "private, no-cache"}
    )


@router.post("/lasso", response_class=Response, responses=gives(BYTES))
async def relabel(request: Request, item: str, lasso: Lasso) -> Response:
    """Give all points in a polygon a class, at full resolution; the answer tells which changed (see `Cloud.told`)."""
    cloud, clouds = await cloud_of(request, item), await clouds_of(request)
    view = View(np.array(lasso.view), lasso.size, lasso.heights or (-np.inf, np.inf))
    await asked(clouds.settle)
    return await _changed(
        cloud, cloud.lasso, view, np.array(lasso.polygon), lasso.label, lasso.rules, lasso.revision,
        clouds.project.space, front=lasso.front,
    )  # fmt: skip


@router.post("/undo", response_class=Response, responses=gives(BYTES))
async def undo(request: Request, item: str, seen: Revision) -> Response:
    """Take the last change of a cloud's labels back, exactly."""
    cloud = await cloud_of(request, item)
    return await _changed(cloud, cloud.labels.undo, seen.revision)


@router.post("/redo", response_class=Response, responses=gives(BYTES))
async def redo(request: Request, item: str, seen: Revision) -> Response:
    """Do the change again that was taken back last."""
    cloud = await cloud_of(request, item)
    return await _changed(cloud, cloud.labels.redo, seen.revision)


@router.post("/predict", response_class=Response, responses=gives(BYTES) | gives(JSON, status=202))
async def predict(
    request: Request,
    item: str,
    ruled: Ruled,
    model: Annotated[str, Query()] = DEFAULT_MODELS["cloud"],
    later: Annotated[bool, Query(description="By a job, which is answered (202): for large clouds.")] = False,
) -> Response:
    """Give the points the classes that a model of clouds says; one change, which can be undone."""
    engine: Engine = request.app.state.engine
    if later:
        return await _begun(request, item, ruled, model)
    cloud, clouds, call = await cloud_of(request, item), await clouds_of(request), Call(request)

    async def work() -> Response:
        with call.stages("load"):
            predictor = (await engine.predictor(model)).of_clouds(model)
        result = await engine.compute(call, predictor, lambda: predictor.segment(open_cloud(cloud.path)))
        await asked(clouds.adopt, result.space)
        space = clouds.project.classes
        labels = space.lookup_from(result.space)[result.labels]
        answer = await _changed(cloud, cloud.take, labels, ruled.rules, ruled.revision, space.space)
        left = ", ".join(space.lacks(result.space))
        said = {"X-Model": model, "X-Left-Out": left, "X-Note": "; ".join(result.notes)}
        answer.headers.update({name: quote(value, safe=" :,.;%") for name, value in said.items() if value})
        answer.headers["Server-Timing"] = call.stages.header()
        return answer

    found: Response = await engine.admitted(call, work)
    return found


async def _begun(request: Request, item: str, ruled: Ruled, model: str) -> Response:
    """Queue a job that predicts a cloud."""
    jobs = jobs_of(request)
    await cloud_of(request, item)
    request.app.state.engine.description(model).preprocessing.check_medium("cloud", item)
    jobs.check_room()
    spec = ruled.model_dump(exclude={"revision"}) | {"item": item, "model": model}
    job = await asyncio.to_thread(jobs.submit, PREDICT, spec)
    return JSONResponse(jobs.tell(job), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("/export", response_class=Response, responses=gives(BYTES))
async def export_cloud(request: Request, item: str) -> Response:
    """Send the cloud's file with its labels, in its own format; all else in it stays as it is."""
    cloud, clouds = await cloud_of(request, item), await clouds_of(request)
    place = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="intarsia-export-"))
    try:
        path, lost = await asked(cloud.write, place, clouds.project.space)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    headers = {"Content-Disposition": disposition(path.name)}
    if lost:
        headers["X-Losses"] = quote("; ".join(lost), safe=" ;:,()")
    return FileResponse(
        path, media_type=BYTES, headers=headers, background=BackgroundTask(shutil.rmtree, place, ignore_errors=True)
    )
