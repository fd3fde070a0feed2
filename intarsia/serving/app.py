"""The application: engine, guard and routes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge

import intarsia
from intarsia.bundle.forms import form_of
from intarsia.errors import IntarsiaError
from intarsia.serving import problems
from intarsia.serving.budget import Budget
from intarsia.serving.calls import Call
from intarsia.serving.engine import Engine
from intarsia.serving.guard import Guard
from intarsia.serving.jobs import Jobs
from intarsia.serving.project.cloudpredicting import PREDICT, predicting
from intarsia.serving.project.current import Current
from intarsia.serving.project.learning import TRAIN, training
from intarsia.serving.routes import ROUTERS, rembg
from intarsia.serving.settings import Settings
from intarsia.serving.uses.shelf import Shelf
from intarsia.serving.warming import warm, warm_studio
from intarsia.zoo import find_bundle

logger = logging.getLogger("intarsia.serving")


def create_app(settings: Settings) -> FastAPI:
    """Make the application of a server.

    Args:
        settings: of the server.

    Returns:
        An ASGI application, whose `state` holds `settings`, `engine`, `budget`, `jobs`, `project`, `registry`, `uses`,
        `folders` (which no answer names) and `ready`.

    Raises:
        UsageError: it would listen beyond this machine without a key, or there is no such model.
        ModelError: a named model is missing or damaged.
    """
    settings.check()
    engine, registry, budget = Engine(settings), CollectorRegistry(), Budget(settings.max_held)
    jobs = Jobs(settings, engine)
    wanted = [_make_known(engine, model) for model in settings.models] or [intarsia.DEFAULT_MODEL]
    project = Current(settings, engine, wanted[0])
    jobs.kinds[TRAIN], jobs.kinds[PREDICT] = training(engine, project), predicting(project, jobs.loaded)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(_load(app, engine, wanted))
        await asyncio.to_thread(jobs.start)
        yield
        engine.draining = True
        loading.cancel()
        await asyncio.to_thread(jobs.close)
        engine.close()

    app = FastAPI(
        title="Intarsia", version=intarsia.__version__, docs_url=None, redoc_url=None, lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False}, responses=problems.RESPONSES,
        description="Every pixel of a picture gets its class. Errors are problem+json with file, reason and fix.",
    )  # fmt: skip
    app.state.settings, app.state.engine, app.state.jobs, app.state.registry = settings, engine, jobs, registry
    app.state.default, app.state.ready, app.state.project, app.state.uses = wanted[0], False, project, Shelf()
    app.state.folders, app.state.budget = _folders(settings, engine), budget
    Gauge("intarsia_waiting", "Requests in work or waiting", registry=registry).set_function(lambda: engine.waiting)
    Gauge("intarsia_held_bytes", "Bodies and decoded pictures", registry=registry).set_function(lambda: budget.held)
    problems.install(app)
    for router in (*ROUTERS, rembg.router) if settings.rembg else ROUTERS:
        app.include_router(router)
    app.add_middleware(Guard, settings=settings, budget=budget, registry=registry)
    return app


def _folders(settings: Settings, engine: Engine) -> list[Path]:
    """The folders that are nobody's business, the inner ones first."""
    found = {settings.state.absolute(), *(engine.folder(name) for name in engine.names)}
    if settings.data is not None:
        found.add(settings.data.absolute())
    return sorted(found, key=lambda place: len(place.parts), reverse=True)


def _make_known(engine: Engine, model: str) -> str:
    """The name that a model, given by name, file or run folder, has here."""
    if model in engine.names:
        return model
    name = Path(model).stem if Path(model).is_file() else Path(model).name
    engine.add(name, model)
    file = find_bundle(model)
    form_of(file).check(file)  # a file that is no model is refused now, not when somebody asks for it
    engine.description(name)
    return name


async def _load(app: FastAPI, engine: Engine, names: list[str]) -> None:
    """Load and warm up what is wanted and what the studio opens with, then say that the server is ready."""
    start = time.perf_counter()
    try:
        for name in names:
            predictor = await engine.predictor(name)
            await engine.compute(Call(), predictor, partial(warm, predictor))
    except IntarsiaError as error:
        logger.error("cannot load %s: %s", name, error)
        return
    try:
        await warm_studio(engine, app.state.project, names[0] if app.state.settings.models else None)
    except Exception:  # whoever asks for it is told; what else the server does is not held up by it
        logger.exception("the studio could not be prepared")
    app.state.ready = True
    seconds = round(time.perf_counter() - start, 1)
    told = {"event": "ready", "seconds": seconds, "models": [name for name in engine.names if engine.is_loaded(name)]}
    logger.info(json.dumps(told) if app.state.settings.log_json else f"ready after {seconds} s")
