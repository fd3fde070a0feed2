"""Point clouds in, the same files with the class of each point out."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from intarsia import DEFAULT_MODELS
from intarsia.jobs import JobOptions
from intarsia.jobs.said import read_codes
from intarsia.preprocessing import CloudPreprocessing, expect
from intarsia.serving.answers import media_types
from intarsia.serving.calls import Call
from intarsia.serving.documenting import BYTES, FILE, FORM, form, gives_files, takes
from intarsia.serving.engine import Engine
from intarsia.serving.files import segment_file
from intarsia.serving.points import suffix_by_bytes
from intarsia.serving.problems import UNSUPPORTED, Problem
from intarsia.serving.uploads import Upload, read_form, safe_name

router = APIRouter(prefix="/v1/pointclouds", tags=["clouds"])

TAKEN = (".las", ".laz", ".ply", ".pcd", ".npz", ".npy", ".bin", ".csv", ".txt", ".xyz", ".pts")
"""Suffixes of the clouds that are taken: those of which one file is all."""


class Labelling(BaseModel):
    """What may be asked of a cloud."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(description="A model of point clouds.")] = DEFAULT_MODELS["cloud"]
    write: Annotated[str, Field(description="labels (the cloud itself, with them), top, side or page.")] = "labels"
    columns: Annotated[str | None, Field(max_length=1000, description="Of plain tables: 'x y z _ intensity'.")] = None
    codes: Annotated[list[str], Field(description="Of LAS: CLASS=CODE.")] = []
    category: Annotated[str | None, Field(max_length=100, description="What the object is, for models of parts.")] = (
        None
    )
    tta: bool = False
    name: Annotated[str, Field(max_length=200, description="Of the file, where the body is the file itself.")] = ""


@router.post(
    "/segment", response_class=Response, openapi_extra=takes({FORM: form({"file": FILE}), BYTES: FILE}),
    responses=gives_files(media_types()),
)  # fmt: skip
async def segment_cloud(request: Request, asked: Annotated[Labelling, Query()]) -> Response:
    """Give every point of a cloud its class: LAS, LAZ, PLY, PCD, NPZ, KITTI's .bin, or a table."""
    engine: Engine = request.app.state.engine
    call = Call(request)
    engine.check_room()
    refusal = Problem(UNSUPPORTED, f"{asked.model} is a model of pictures: post them to /v1/segment")
    expect(engine.description(asked.model).preprocessing, CloudPreprocessing, refusal)
    options = JobOptions(columns=asked.columns, codes=read_codes(asked.codes), category=asked.category)
    with call.stages("read"):
        upload = named((await read_form(request)).file(), asked.name)

    async def work() -> Response:
        return await segment_file(engine, call, upload, asked.model, {"tta": asked.tta}, asked.write, options)

    found: Response = await engine.admitted(call, work)
    return found


def named(upload: Upload, name: str = "") -> Upload:
    """Tell what kind of cloud was sent: by the file's name, the content type, or the first bytes.

    Raises:
        Problem: it is none that is taken (415).
    """
    said = safe_name(name) if name else upload.name
    by_name = next((end for end in (".pcd.bin", *TAKEN) if said.lower().endswith(end)), "")
    by_type = upload.suffix if upload.suffix in TAKEN else ""
    suffix = by_name or by_type or suffix_by_bytes(upload.content[:128])
    if not suffix:
        raise Problem(
            UNSUPPORTED,
            f"{said} is no point cloud that is taken here ({', '.join(TAKEN)}); name the file, in the form or by "
            "?name=scan.laz",
        )
    return replace(upload, name=said, suffix=suffix)
