"""Rasters, volumes and clouds, which a job of one source segments as the command does: place and axes are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from intarsia.errors import DataError, IntarsiaError, NothingFound, UsageError
from intarsia.jobs import JobOptions, Record, plan, run
from intarsia.jobs.forecast import check_memory
from intarsia.jobs.outputs import kinds_for
from intarsia.jobs.running import check
from intarsia.media.medium import Form, Medium, medium_of
from intarsia.serving.answers import media_type, pack
from intarsia.serving.calls import Call
from intarsia.serving.engine import AnyPredictor, Engine
from intarsia.serving.filenames import disposition
from intarsia.serving.points import count_points
from intarsia.serving.problems import TOO_LARGE, UNSUPPORTED, Problem
from intarsia.serving.uploads import Upload, check_room, check_working, saved


async def segment_file(
    engine: Engine,
    call: Call,
    upload: Upload,
    model: str,
    options: Mapping[str, Any],
    kind: str | None,
    job: JobOptions | None = None,
) -> Response:
    """Segment one upload that needs to be a file.

    Args:
        engine: with the models.
        call: the request.
        upload: what was sent.
        model: name of the model.
        options: of the predictor.
        kind: what is written of it: one of `jobs.outputs.kinds_for`; None, "tif" and "nii" for its labels.
        job: options of the job.

    Raises:
        Problem: it is too large, or is answered by /v1/jobs alone.
        TooLarge: it needs more memory than there is.
        DataError: it cannot be read.
    """
    async with saved(upload, call) as path:
        try:
            return await _segmented(engine, call, upload, path, model, options, kind, job or JobOptions())
        except IntarsiaError as error:
            raise type(error)(str(error).replace(str(path), upload.name)) from error


async def _segmented(
    engine: Engine,
    call: Call,
    upload: Upload,
    path: Path,
    model: str,
    options: Mapping[str, Any],
    kind: str | None,
    job: JobOptions,
) -> Response:
    medium = medium_of(path, job.given())
    check_size = _SIZES.get(medium.form)
    if check_size is None:
        raise Problem(UNSUPPORTED, f"{upload.name} is one of {medium.things}: post it to /v1/jobs")
    wanted = "labels" if kind in (None, "png", "tif", "nii") else str(kind)
    if wanted not in kinds_for(medium):
        raise UsageError(f"{kind} is not made of {medium.things}; of them: {', '.join(kinds_for(medium))}")
    predictor = await engine.predictor(model, options)
    planned = plan(path, path.parent / "out", outputs=[wanted], given=list(job.given()))
    check(predictor, planned, job)
    await engine.beside(call, lambda: check_size(path, upload.name, medium, predictor, engine))
    (task,) = planned.tasks

    def computed() -> Record:
        check_memory(predictor, planned, job)
        return run(predictor, task, planned.folder, options=job, stop=call.left.is_set)

    record = await engine.compute(call, predictor, computed)
    if record["error"] is not None:
        raise (NothingFound if record["status"] == "nothing" else DataError)(str(record["error"]))
    with call.stages("encode"):
        content, suffix = await engine.beside(call, lambda: pack(planned.paths(task)[wanted]))
    ends = task.outputs[wanted].removeprefix(task.id)
    headers = {
        "Server-Timing": call.stages.header(), "X-Model": quote(model),
        "Content-Disposition": disposition(upload.stem + ends),
    }  # fmt: skip
    return Response(content, media_type=media_type(suffix), headers=headers)


def _check_points(path: Path, name: str, medium: Medium, predictor: AnyPredictor, engine: Engine) -> None:
    """Judge a cloud by its header."""
    count, most = count_points(path), engine.settings.max_points
    if count > most:
        raise Problem(
            TOO_LARGE,
            f"{name} has {count:,} points, the limit is {most:,}; post it to /v1/jobs, or raise --max-points",
        )


def _check_grid(path: Path, name: str, medium: Medium, predictor: AnyPredictor, engine: Engine) -> None:
    """Judge a raster or volume by its header."""
    reader = medium.open(path, predictor.preprocessing, {})
    width, height, *depth = medium.size(reader)
    check_room(math.prod((width, height, *depth)), engine.settings, len(predictor.space), name)
    seen = predictor.of_pictures(name).preprocessing
    check_working(name, width, height, seen, engine.settings, len(predictor.space))


_SIZES: Mapping[Form, Callable[[Path, str, Medium, AnyPredictor, Engine], None]] = {
    "rows": _check_grid,
    "volume": _check_grid,
    "points": _check_points,
}
"""What refuses a source that is too large to be answered at once; of other forms none is."""
