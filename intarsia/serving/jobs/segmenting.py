"""Jobs of kind `segment`: what `intarsia segment` does, with its options."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from intarsia.apps.choosing import choose_model
from intarsia.errors import UsageError
from intarsia.jobs import JobOptions, Plan, plan
from intarsia.jobs.outputs import OUTLINED
from intarsia.jobs.preannotation import INSTANCES, preannotation_path, write_preannotations
from intarsia.jobs.said import read_codes, read_window
from intarsia.jobs.schedule import read_schedule
from intarsia.media.medium import check_options
from intarsia.recipe import read_assignments
from intarsia.serving.jobs.kinds import Asked, Kind, Outcome, Work
from intarsia.serving.jobs.loaded import Loaded
from intarsia.serving.jobs.running import check_sequence, run_plan, sum_up
from intarsia.serving.jobs.store import Folder

_PLAIN = ("model", "write", "runtime", "precision")  # mean something to every medium
_THINGS = ("things", "neck", "least")
_OUTLINES = ("outline_tolerance", "outline_least_area")


class Segmenting(Asked):
    """What may be asked of a segmentation; see `intarsia segment --help`."""

    model: Annotated[str | None, Field(description="Default: what a look at some of the pictures says.")] = None
    write: Annotated[tuple[str, ...], Field(description="Kinds of outputs; default: what is usual of the medium.")] = ()
    keep: Annotated[tuple[str, ...], Field(description="Of alpha and polygons, the classes that stay.")] = ()
    annotations: Annotated[tuple[str, ...], Field(description="Annotation tools that get the labels, too.")] = ()
    instances: Annotated[bool, Field(description="Also number the things one by one.")] = False
    things: Annotated[tuple[str, ...], Field(description="Of instances, the classes that have things.")] = ()
    neck: Annotated[float | None, Field(ge=0, le=0.99)] = None
    least: Annotated[int | None, Field(ge=1)] = None
    outline_tolerance: Annotated[float | None, Field(ge=0)] = None
    outline_least_area: Annotated[float | None, Field(ge=0)] = None
    tta: bool = False
    long_side: Annotated[int | None, Field(ge=0, le=20_000)] = None
    tile: Annotated[int | None, Field(ge=64, le=4096)] = None
    refine: Annotated[str | None, Field(max_length=40)] = None
    refine_set: Annotated[tuple[str, ...], Field(description="KEY=VALUE of the refinement.")] = ()
    decide: Literal["argmax", "rankseg"] = "argmax"
    runtime: Literal["auto", "torch", "onnx", "openvino"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    bands: Annotated[str | None, Field(pattern=r"^\d{1,4}(,\d{1,4})*$", description="Of rasters: B,B,B.")] = None
    window: Annotated[str | None, Field(description="Of rasters and volumes: LOW,HIGH.")] = None
    series: Annotated[str | None, Field(max_length=100)] = None
    columns: Annotated[str | None, Field(max_length=1000)] = None
    codes: Annotated[tuple[str, ...], Field(description="Of clouds: CLASS=CODE.")] = ()
    category: Annotated[str | None, Field(max_length=100)] = None
    video: Annotated[str | None, Field(max_length=40, description="How work is saved between frames.")] = None
    video_set: Annotated[tuple[str, ...], Field(description="KEY=VALUE of the schedule.")] = ()
    fps: Annotated[float | None, Field(gt=0, le=1000)] = None
    limit: Annotated[int | None, Field(ge=1)] = None

    def given(self) -> list[str]:
        """The options that a medium must know."""
        own = {*_PLAIN, *_THINGS, *_OUTLINES, "refine_set"}
        return [name for name in type(self).model_fields if name not in own and getattr(self, name) != _usual(name)]

    def outputs(self) -> list[str]:
        """What is written, the numbers of the things among it."""
        return [*(self.write or ("labels", "overlay")), "instances"] if self.instances else list(self.write)

    def things_options(self) -> dict[str, Any]:
        """The options of `Result.instances`."""
        said = {"of": list(self.things) or None, "least": self.least}
        found = {name: value for name, value in said.items() if value is not None}
        return found if self.neck is None else found | {"neck": self.neck or None}

    def job_options(self) -> JobOptions:
        """The options of the job.

        Raises:
            UsageError: one is not of its form.
        """
        outlined = bool(OUTLINED & {*self.write})
        return JobOptions(
            keep=tuple(self.keep), columns=self.columns, codes=read_codes(self.codes), category=self.category,
            series=self.series, fps=self.fps, limit=self.limit, schedule=read_schedule(self.video, self.video_set),
            instances=self.things_options(),
            outline_tolerance=(self.outline_tolerance or 0.0) if outlined else 0.0,
            outline_least_area=(self.outline_least_area or 0.0) if outlined else 0.0,
        )  # fmt: skip

    def model_options(self) -> dict[str, Any]:
        """The options of `intarsia.load`.

        Raises:
            UsageError: one is not of its form.
        """
        refined = {"method": self.refine, "options": read_assignments(self.refine_set)} if self.refine else None
        return {
            "long_side": self.long_side, "tile": self.tile, "tta": self.tta, "refine": refined, "decide": self.decide,
            "runtime": self.runtime, "precision": self.precision,
            "confidence": "confidence" in self.write,
            "bands": None if self.bands is None else [int(one) for one in self.bands.split(",")],
            "window": None if self.window is None else read_window(self.window),
        }  # fmt: skip

    def check(self) -> None:
        """Refuse options that belong to another one which was not given.

        Raises:
            UsageError: says which.
        """
        alone = next((name for name in _THINGS if getattr(self, name) not in (None, ())), None)
        if alone and not self.instances:
            raise UsageError(f"{alone} belongs to instances")
        if self.refine_set and not self.refine:
            raise UsageError("refine_set changes a refinement that refine names, for instance refine=crf")
        outline = next((name for name in _OUTLINES if getattr(self, name) is not None), None)
        if outline and not self.annotations and not OUTLINED & {*self.write}:
            raise UsageError(f"{outline} is for annotations, and for write=polygons and write=geopackage")
        wrong = [tool for tool in self.annotations if tool not in INSTANCES]
        if self.instances and wrong:
            raise UsageError(f"instances are written for {' and '.join(INSTANCES)}, not for {wrong[0]}")


def segmenting(loaded: Loaded) -> Kind:
    """Make the kind of jobs that segment."""
    return Kind(
        "segment", "Every pixel, voxel and point gets its class", partial(_run, loaded), Segmenting,
        partial(_prepare, loaded),
    )  # fmt: skip


def _planned(asked: Segmenting, folder: Folder) -> Plan:
    return plan(folder.source(), folder.out, outputs=asked.outputs(), given=asked.given())


def _prepare(loaded: Loaded, asked: Segmenting, folder: Folder) -> dict[str, Any]:
    asked.check()
    if asked.model is not None:
        loaded.engine.description(asked.model)
    planned = _planned(asked, folder)
    for medium in planned.media():
        check_options(medium, asked.given())
    for tool in asked.annotations:
        preannotation_path(folder.out, tool)
    check_sequence(planned, asked.job_options())
    asked.model_options()
    return asked.model_dump(mode="json")


def _run(loaded: Loaded, work: Work) -> Outcome:
    asked = Segmenting.model_validate(work.spec)
    planned, name = _planned(asked, work.folder), asked.model
    if name is None:
        name, planned = choose_model(planned)
    predictor = loaded.load(name, **asked.model_options())
    result = run_plan(work, predictor, planned, asked.job_options(), "segmenting")
    written: dict[str, Path] = {}
    if not result.stopped and (result.done or result.skipped):
        things = asked.things if asked.instances else None
        for tool in asked.annotations:
            written[tool] = write_preannotations(
                planned, predictor.space, tool, tolerance=asked.outline_tolerance, min_area=asked.outline_least_area,
                of=things, overwrite=True,
            ).path  # fmt: skip
    return sum_up(planned, result, written)


def _usual(name: str) -> Any:
    return Segmenting.model_fields[name].default
