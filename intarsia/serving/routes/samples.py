"""Pictures to begin with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Response

from intarsia.errors import suggest
from intarsia.serving.documenting import gives
from intarsia.serving.problems import NOT_FOUND, Problem

router = APIRouter(prefix="/v1/samples", tags=["studio"])

FOLDER = Path(__file__).parents[1] / "samples"


@cache
def samples() -> dict[str, dict[str, str]]:
    """Name, title and credit of every sample, by name."""
    told = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))
    return {one["name"]: one for one in told}


@cache
def _photo(name: str) -> bytes:
    return (FOLDER / f"{name}.jpg").read_bytes()


@router.get("")
async def list_samples() -> list[dict[str, str]]:
    """List pictures to begin with, and who made them."""
    return list(samples().values())


@router.get("/{name}", response_class=Response, responses=gives("image/jpeg"))
async def send_sample(name: str) -> Response:
    """Send a picture to begin with."""
    if name not in samples():
        raise Problem(NOT_FOUND, f"no sample is named {name!r}.{suggest(name, samples())}")
    return Response(_photo(name), media_type="image/jpeg", headers={"Cache-Control": "no-cache"})
