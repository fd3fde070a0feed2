"""Models: which there are, and what each knows."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from intarsia.labels import LabelSpace
from intarsia.serving.answers import answers
from intarsia.serving.engine import Engine

router = APIRouter(prefix="/v1", tags=["models"])


@router.get("/models")
async def list_models(request: Request) -> dict[str, Any]:
    """List the models that may be asked to segment."""
    engine: Engine = request.app.state.engine
    return {
        "default": request.app.state.default,
        "models": [_told(engine, name) for name in engine.names],
    }


@router.get("/models/{name}")
async def show_model(request: Request, name: str) -> dict[str, Any]:
    """Tell the classes, the card and the measures of a model."""
    engine: Engine = request.app.state.engine
    return _told(engine, name) | {"metrics": engine.description(name).metrics}


@router.get("/answers")
async def list_answers() -> list[dict[str, str]]:
    """List the forms in which labels are answered (`format=`)."""
    return [{"name": answer.name, "about": answer.about} for answer in answers().values()]


def _told(engine: Engine, name: str) -> dict[str, Any]:
    description = engine.description(name)
    return {
        "name": name, "title": str(description.card.get("title") or name), "architecture": description.architecture,
        "medium": description.preprocessing.medium, "loaded": engine.is_loaded(name),
        "card": description.card, **told_classes(description.space),
    }  # fmt: skip


def told_classes(space: LabelSpace) -> dict[str, Any]:
    """Tell classes as the API does."""
    return {
        "classes": [
            {"index": index, "name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
            for index, (name, color) in enumerate(zip(space.names, space.palette, strict=True))
        ],
        "ignore_index": space.ignore_index,
    }
