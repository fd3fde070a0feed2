"""Whether the server lives, is ready, and what it did; never queued."""

from __future__ import annotations

import sys
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import intarsia
from intarsia.serving.documenting import gives
from intarsia.serving.problems import UNAVAILABLE, Problem

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the server lives."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """Tell that the models are loaded and warm; 503 before, and while the server ends."""
    if request.app.state.engine.draining:
        raise Problem(UNAVAILABLE, "the server is about to end")
    if not request.app.state.ready:
        raise Problem(
            UNAVAILABLE, "the models are still being loaded; ask again in a moment", headers={"Retry-After": "1"}
        )
    return {"status": "ready"}


@router.get("/version")
async def version() -> dict[str, Any]:
    """Tell which Intarsia this is."""
    return {"intarsia": intarsia.__version__, "python": sys.version.split()[0]}


@router.get("/metrics", response_class=Response, responses=gives("text/plain"))
async def metrics(request: Request) -> Response:
    """Tell counts and times, for Prometheus."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
