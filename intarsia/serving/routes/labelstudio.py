"""Label Studio's contract of ML backends: it sends its labelling interface and tasks, and gets regions to correct."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, BeforeValidator, FailFast, Field, ValidationError

from intarsia.errors import IntarsiaError
from intarsia.serving.calls import Call
from intarsia.serving.documenting import JSON, form, takes
from intarsia.serving.engine import Engine
from intarsia.serving.labelconfig import Matches, match_labels, read_config
from intarsia.serving.labelstudio import picture_of, predictions
from intarsia.serving.problems import TOO_LATE, UNPROCESSABLE, Problem, problem_of, reasons
from intarsia.serving.routes.segment import choose, engine_of, predict, settings_of
from intarsia.serving.uploads import Form, Upload, read_body, read_form

_MOST_TASKS = 1000  # of one request; Label Studio sends one, or a page of them

logger = logging.getLogger("intarsia.serving")
router = APIRouter(prefix="/ls", tags=["label studio"])

_SHARE = 0.7  # of the deadline, after which no further task is begun
Asked = TypeVar("Asked", bound=BaseModel)
Given = Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})]  # null stands for nothing


class Setup(BaseModel):
    """What Label Studio says when a backend is connected; its own address and token are not used."""

    label_config: Annotated[str, Field(alias="schema")]


class Task(BaseModel):
    """One task."""

    id: int | str | None = None
    data: Given = {}


class Predicting(BaseModel):
    """A request for predictions."""

    tasks: Annotated[list[Task], FailFast(), Field(max_length=_MOST_TASKS)]
    label_config: str
    params: Given = {}


class Event(BaseModel):
    """What has happened in a project."""

    action: str


def _takes(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return takes({JSON: form(properties, list(properties))})


@router.get("/")
@router.get("/health")
async def show_health(request: Request) -> dict[str, str]:
    """Tell that the backend is up."""
    return {"status": "UP", "model_class": f"Intarsia {request.app.state.default}"}


@router.post("/setup", openapi_extra=_takes({"schema": {"type": "string"}}))
async def set_up(request: Request) -> dict[str, Any]:
    """Check a labelling interface against the model's classes, and load the model."""
    engine, call = engine_of(request), Call(request)
    engine.check_room()
    asked = _read(Setup, await read_body(request))

    async def work() -> dict[str, Any]:
        name, matches, version = await _prepared(request, call, asked.label_config)
        names = engine.description(name).space.names
        labels = {label: names[index] for _, drawn in matches.drawn for index, label in drawn.items()}
        return {"model_version": version, "labels": labels, "unknown_labels": matches.unknown}

    found: dict[str, Any] = await engine.admitted(call, work)
    return found


@router.post(
    "/predict",
    openapi_extra=_takes({"tasks": {"type": "array", "items": {"type": "object"}}, "label_config": {"type": "string"}}),
)
async def predict_tasks(request: Request, response: Response) -> dict[str, Any]:
    """Predict regions of tasks, for the labels of their labelling interface that are classes of the model.

    A task whose picture cannot be used, or which is not reached before the deadline, gets a `problem` that says why in
    place of a `result`: Label Studio keeps nothing of it, and asks for it again the next time. The body may also be a
    form with the JSON as the field `request`, and with pictures that tasks name.
    """
    engine, call = engine_of(request), Call(request)
    engine.check_room()
    is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
    sent = await read_form(request) if is_form else Form()
    asked = _read(Predicting, sent.fields.get("request", "").encode() if is_form else await read_body(request))
    beside = {upload.name: upload for uploads in sent.files.values() for upload in uploads}
    if asked.params.get("context"):
        raise Problem(UNPROCESSABLE, "clicks on a picture are not answered: turn off interactive preannotations")

    async def work() -> dict[str, Any]:
        start, results = time.monotonic(), list[dict[str, Any]]()
        name, matches, version = await _prepared(request, call, asked.label_config)
        for task in asked.tasks:
            in_time = not results or time.monotonic() - start < _SHARE * engine.settings.deadline
            results.append(
                await _predicted(request, call, task, beside, name, matches) if in_time else _not_reached(engine)
            )
        return {"results": [one | {"model_version": version} for one in results], "model_version": version}

    found: dict[str, Any] = await engine.admitted(call, work)
    response.headers["Server-Timing"] = call.stages.header()
    return found


@router.post("/webhook", status_code=201, openapi_extra=_takes({"action": {"type": "string"}}))
async def note_event(request: Request) -> dict[str, Any]:
    """Take note of what has happened in a project; nothing is trained by it."""
    event, state = _read(Event, await read_body(request)), request.app.state
    state.label_studio_events = getattr(state, "label_studio_events", 0) + 1
    return {
        "status": "ok", "action": event.action, "events": state.label_studio_events,
        "detail": "counted; to train on corrections, export them and say intarsia train EXPORT",
    }  # fmt: skip


async def _prepared(request: Request, call: Call, config: str) -> tuple[str, Matches, str]:
    """The model that a labelling interface asks for: its name, the labels that it knows, and its version."""
    engine, controls = engine_of(request), read_config(config)
    name = next((control.model for control in controls if control.model), request.app.state.default)
    description = engine.description(name)
    description.preprocessing.check_medium("picture", "a task")
    matches = match_labels(controls, description.space)
    predictor = await engine.predictor(name)
    return name, matches, f"{name}@{(await engine.beside(call, predictor.identity)).model[:8]}"


async def _predicted(
    request: Request, call: Call, task: Task, beside: Mapping[str, Upload], model: str, matches: Matches
) -> dict[str, Any]:
    """The prediction of one task, or its problem."""
    variables = {control.variable for control, labels in matches.drawn if labels}
    results = {}
    engine, settings = engine_of(request), settings_of(request)
    try:
        for variable in sorted(variables):
            upload = await engine.beside(call, partial(picture_of, task.data.get(variable), beside, settings))
            _, predictor, _ = await choose(request, call, upload, model, {"confidence": True})
            results[variable] = await predict(engine, call, predictor, upload)
    except (Problem, IntarsiaError) as error:
        problem = problem_of(error)
        logger.warning("Label Studio's task %s: %s", task.id, problem.detail)
        return {"problem": problem.document()}
    with call.stages("encode"):
        return await engine.beside(call, lambda: predictions(results, matches))


def _not_reached(engine: Engine) -> dict[str, Any]:
    """What is said of a task for which there is no time left: Label Studio sends all that were selected at once."""
    said = f"not reached within --deadline ({engine.settings.deadline:g} s); retrieve predictions again for the rest"
    return {"problem": Problem(TOO_LATE, said).document()}


def _read(kind: type[Asked], body: bytes) -> Asked:
    """Read a request's JSON.

    Raises:
        Problem: it is none, or lacks something.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise Problem(UNPROCESSABLE, f"not what Label Studio sends: {reasons(error)}") from None
