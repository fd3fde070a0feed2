"""Drive: what a picture from behind a windscreen shows."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from intarsia import DEFAULT_MODEL
from intarsia.apps.drive import Camera, Driver
from intarsia.errors import UsageError
from intarsia.media.images import open_image, write_image
from intarsia.result import Style
from intarsia.serving.answers import Made
from intarsia.serving.problems import TOO_LARGE, Problem
from intarsia.serving.uploads import saved
from intarsia.serving.uses.contract import Asked, FileField, Outcome, Use, Work, said

_MOST = 64 << 10  # bytes of a calibration file


class AskedDrive(Asked):
    """What may be asked of a picture of a road."""

    write: Annotated[
        Literal["drive", "json"],
        Field(
            title="Form",
            description="drive: the head-up display over the picture; json: what was seen.",
            json_schema_extra=said(option="", argument=""),
        ),
    ] = "drive"
    model: Annotated[str, Field(description="A street model.", json_schema_extra=said(format="model", argument=""))] = (
        DEFAULT_MODEL
    )


async def drive(work: Work, asked: AskedDrive) -> Outcome:
    """See road, lanes, vehicles and people, as the command does in a single picture."""
    upload, camera = work.upload, await _camera(work)
    predictor = await work.predictor(asked.model)
    work.hold(upload, len(predictor.space))
    reader = open_image(upload.content, name=upload.name, windows=predictor.preprocessing.windows)
    with work.call.stages("decode"):
        await work.beside(reader.hold)
        image = await work.beside(reader.read)
    result = await work.engine.compute(work.call, predictor, lambda: predictor.segment_opened(reader))

    def see() -> tuple[Any, dict[str, Any]]:
        driver = Driver(camera)
        drawn = driver.draw(image, result.labels, Style(predictor.space))
        seen = driver.summary()
        return drawn, {name: seen[name] for name in driver.facts()}

    with work.call.stages("draw"):
        drawn, seen = await work.beside(see)
    if asked.write == "json":
        content = json.dumps(seen, indent=2) + "\n"
        return Outcome(Made(content.encode(), "application/json", ".drive.json"))
    made = await work.written(lambda path: write_image(path, drawn), ".drive.jpg")
    return Outcome(made, (), {name: seen[name] for name in ("status", "position", "free", "road", "horizon")})


async def _camera(work: Work) -> Camera | None:
    """Read the calibration file, if one came.

    Raises:
        UsageError: it is none.
    """
    upload = work.sent("camera")
    if upload is None:
        return None
    if len(upload.content) > _MOST:
        raise Problem(TOO_LARGE, f"{upload.name} has {len(upload.content):,} bytes; a calibration has a few lines")
    async with saved(upload, work.call) as path:
        try:
            return await work.beside(lambda: Camera.load(path))
        except UsageError as error:
            raise UsageError(str(error).replace(str(path), upload.name)) from error


_PYTHON = """import intarsia
from intarsia.apps.drive import Camera, Driver
from intarsia.media.images import read_image

image = read_image({file})
result = intarsia.load("street").segment(image)
print(Driver().look(image, result.labels, result.space).to_json())  # Driver(Camera.load("camera.yaml")): metres"""

DRIVE = Use(
    "drive", "Drive", "Sees road, lanes, vehicles and people from behind a windscreen. Not a system to drive by.",
    AskedDrive, drive, "intarsia drive", {"": _PYTHON},
    files=(FileField("camera", "Calibration of the camera (YAML): gives metres.", "--camera", "", pictures=False),),
)  # fmt: skip
