"""What models do for a project: predictions and their doubt, learning, and the way out to other tools."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse

from intarsia import CLUSTERING
from intarsia.errors import UsageError, suggest
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.media.images import open_image
from intarsia.media.source import PixelSource
from intarsia.serving.budget import hold
from intarsia.serving.calls import Call
from intarsia.serving.documenting import JSON, PNG, ZIP, gives
from intarsia.serving.engine import Engine
from intarsia.serving.filenames import disposition
from intarsia.serving.problems import UNPROCESSABLE, Problem
from intarsia.serving.project import Project
from intarsia.serving.project.exporting import export, forms
from intarsia.serving.project.items import Found
from intarsia.serving.project.learning import HOWS, TRAIN, How, check
from intarsia.serving.project.predicting import Answer, kept, say, source_for
from intarsia.serving.project.shown import Things
from intarsia.serving.project.suiting import LOOK, that_knows
from intarsia.serving.routes.jobs import jobs_of
from intarsia.serving.routes.models import told_classes
from intarsia.serving.routes.project import Frame, asked, project_of, usual_of
from intarsia.serving.uploads import RGB_BYTES, check_room
from intarsia.zoo import bundled_recipes

router = APIRouter(prefix="/v1/project", tags=["project"])

_SEGMENTS = 5  # that `intarsia.cluster` finds
Model = Annotated[str | None, Query(description="Default: that of the draft, else what learnt from this project.")]


@router.post("/items/{item}/predict", response_class=Response, responses=gives(PNG))
async def predict_item(request: Request, item: str, model: Model = None, frame: Frame = 0) -> Response:
    """Predict an item's labels in the project's classes; nothing is saved but a draft."""
    call = Call(request)
    answer, note = await _answer(request, call, item, model, frame)
    left = ", ".join(answer.draft.left_out)
    said = {"X-Note": note, "X-Left-Out": left, "X-Uncertainty": f"{answer.draft.uncertainty:.6f}"}
    headers = {name: quote(value, safe=" :,.") for name, value in said.items() if value}
    headers |= {"X-Model": quote(answer.draft.model), "Server-Timing": call.stages.header()}
    return Response(answer.labels, media_type="image/png", headers=headers)


@router.get("/items/{item}/uncertainty", response_class=Response, responses=gives(PNG))
async def show_uncertainty(request: Request, item: str, model: Model = None, frame: Frame = 0) -> Response:
    """Send how unsure the model is of each pixel: 0 sure, 255 unsure."""
    answer, _ = await _answer(request, Call(request), item, model, frame)
    return Response(answer.doubt, media_type="image/png", headers={"X-Model": quote(answer.draft.model)})


async def _answer(request: Request, call: Call, item: str, model: str | None, frame: int) -> tuple[Answer, str]:
    """The draft that is kept, or a new one behind the queue; and why this model, where a look chose it.

    Where none is named it is what `usual_model` says.
    """
    project, engine = await project_of(request), request.app.state.engine
    there = (await asked(project.drafts.of, item)).get(frame) if model is None else None
    known = await asked(kept, project, item, frame, model or (there.model if there else ""))
    if known is not None:
        return known, ""

    async def work() -> tuple[Answer, str]:
        return await _predict(request, call, project, item, model, frame)

    found: tuple[Answer, str] = await engine.admitted(call, work)
    return found


async def _predict(
    request: Request, call: Call, project: Project, item: str, model: str | None, frame: int
) -> tuple[Answer, str]:
    engine: Engine = request.app.state.engine
    found, note = await asked(project.item, item), ""
    width, height, _ = await asked(project.views.facts, found)
    check_room(width * height, engine.settings, 1, found.place)
    hold(request, RGB_BYTES * width * height)
    if model is None:
        model = await asked(usual_of(request, project), found)
    if model is None:
        raise Problem(
            UNPROCESSABLE,
            f"no model here is for {found.medium}s with classes of this project, and {found.place} is one; name a "
            "model (model=), or label some by hand and learn from them",
        )
    if model == LOOK:
        with call.stages("decode"):
            pixels = await asked(project.views.picture, found, frame)
        choice = await engine.choose(call, pixels)
        model, note = choice.model, choice.reason
        knowing = await asked(that_knows, project, engine, model)
        if knowing != model:
            note = f"{model} would suit this picture, but knows no class of this project; {knowing} does"
            model = knowing
    clusters = model == CLUSTERING and model not in engine.names  # and no model of somebody's has that name
    classes = _SEGMENTS if clusters else len(engine.description(model).space)
    check_room(width * height, engine.settings, classes, found.place)
    predictor, source = await _opened(call, engine, project, found, frame, None if clusters else model)
    result = await engine.compute(call, predictor, lambda: predictor.segment_opened(source))
    with call.stages("encode"):
        await asked(project.adopt, predictor.space)
        return await asked(say, project, item, frame, model, result), note


async def _opened(
    call: Call, engine: Engine, project: Project, found: Found, frame: int, model: str | None
) -> tuple[Predictor, PixelSource]:
    """A model, or else clusters of the item itself; and the item as it reads it."""
    if model is None:
        with call.stages("decode"):
            pixels = await asked(project.views.picture, found, frame)
        fitted = await engine.clustering(call, pixels)
        return fitted, open_image(pixels, name=found.place)
    with call.stages("load"):
        predictor = await engine.of_pictures(model, {"confidence": True})
    with call.stages("decode"):
        source = await asked(source_for, project, found, frame, predictor)
        if hasattr(source, "hold"):
            await engine.beside(call, source.hold)
    return predictor, source


class Learning(BaseModel):
    """How a model shall learn."""

    model_config = ConfigDict(extra="forbid")

    how: How
    recipe: Annotated[str | None, Field(max_length=100, description="Of recipe: a bundled one; none: what suits.")] = (
        None
    )
    base: Annotated[str | None, Field(max_length=200, description="Of finetune: a model that the server knows.")] = None
    kind: Annotated[
        Things | None, Field(description="What is learnt from; none: pictures, else scans, else clouds.")
    ] = None
    name: Annotated[str | None, Field(max_length=60, description="Of the model; none: by the way of learning.")] = None


@router.post("/train", status_code=202, responses=gives(JSON, status=202))
async def train(request: Request, learning: Learning) -> Response:
    """Learn from everything in the project that has labels; the answer is a job (see /v1/jobs)."""
    project, jobs = await project_of(request), jobs_of(request)
    engine: Engine = request.app.state.engine
    base = None if learning.base is None else engine.source(learning.base)
    recipe = None if learning.recipe is None else str(_recipe_file(learning.recipe))
    await asked(check, project, learning.how, base, learning.kind)
    jobs.check_room()
    spec = learning.model_dump() | {"recipe": recipe, "base": base, "name": learning.name or learning.how}
    job = await asyncio.to_thread(jobs.submit, TRAIN, spec)
    return JSONResponse(jobs.tell(job), 202, {"Location": f"/v1/jobs/{job.id}"})


def _recipe_file(name: str) -> Path:
    """The file of a bundled recipe; nothing that a client says is taken for a path."""
    known = bundled_recipes()
    if name not in known:
        raise UsageError(f"no recipe is named {name!r}.{suggest(name, known)}")
    return known[name]


@router.get("/options")
async def show_options(request: Request) -> dict[str, Any]:
    """List the forms of export and the ways of learning, what needs no training, and how large an upload may be."""
    segments = LabelSpace(tuple(f"segment {number}" for number in range(1, _SEGMENTS + 1)))
    clusters = {"name": CLUSTERING, "title": "Clusters, without training", "medium": "picture"}
    return {
        "max_bytes": request.app.state.settings.max_bytes,
        "exports": [{"name": name, "about": about} for name, about in forms().items()],
        "learning": [{"name": name, "about": about} for name, about in HOWS.items()],
        "clustering": clusters | told_classes(segments) if importlib.util.find_spec("torch") else None,
    }


@router.get("/export", response_class=Response, responses=gives(ZIP))
async def export_labels(
    request: Request, format: Annotated[str, Query(description="A form of export (/v1/project/options).")] = "png"
) -> Response:
    """Send the project's labels as a zip archive: masks, or an annotation tool's files."""
    project = await project_of(request)
    place = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="intarsia-export-"))
    try:
        made = await asked(export, project, format, place / "labels.zip")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    losses = {"X-Losses": quote("; ".join(made.losses), safe=" ;:,()")} if made.losses else {}
    return FileResponse(
        made.path, media_type="application/zip",
        headers=losses | {"Content-Disposition": disposition(f"{project.name}-{format}.zip")},
        background=BackgroundTask(shutil.rmtree, place, ignore_errors=True),
    )  # fmt: skip
