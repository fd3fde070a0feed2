"""Handwriting: the lines and words of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from intarsia.apps.handwriting import LineFinder, PageLines
from intarsia.apps.handwriting.finding import TEXT
from intarsia.errors import UsageError
from intarsia.jobs import JobOptions
from intarsia.media.images import open_image, write_image
from intarsia.serving.answers import Made
from intarsia.serving.uploads import check_working
from intarsia.serving.uses.contract import Asked, Outcome, Use, Work, said

_ENDS = {"page": ".page.xml", "alto": ".alto.xml", "json": ".lines.json", "overlay": ".overlay.jpg"}


class AskedHandwriting(Asked):
    """What may be asked of a page."""

    write: Annotated[
        Literal["page", "alto", "json", "overlay"],
        Field(
            title="Form",
            description="page: PAGE XML; alto: ALTO 4; json; overlay: the lines drawn on the page.",
            json_schema_extra=said(argument=""),
        ),
    ] = "page"
    words: Annotated[bool, Field(title="Words", description="Also divide lines into words.")] = False
    long_side: Annotated[
        int | None,
        Field(
            ge=32,
            le=8000,
            title="Working size",
            description="Pixels of the longer side; default 960. More for small writing.",
            json_schema_extra=said(argument=""),
        ),
    ] = None
    model: Annotated[str, Field(description="With a class text.", json_schema_extra=said(format="model"))] = (
        "handwriting"
    )


async def handwriting(work: Work, asked: AskedHandwriting) -> Outcome:
    """Find the lines of a page, as the command does."""
    upload = work.upload
    width, height = work.hold(upload)
    predictor = await work.predictor(asked.model, {"long_side": asked.long_side})
    check_working(upload.name, width, height, predictor.preprocessing, work.settings, len(predictor.space))
    if TEXT not in predictor.space.names:
        raise UsageError(f"{asked.model} has no class {TEXT!r}, so that it finds no lines; use handwriting")
    finder = LineFinder(predictor, words=asked.words)
    reader = open_image(upload.content, name=upload.name, windows=finder.preprocessing.windows)
    with work.call.stages("decode"):
        await work.beside(reader.hold)
    found = await work.engine.compute(work.call, predictor, lambda: finder.whole(reader))
    return Outcome(await _written(work, asked.write, found), found.notes, found.details)


async def _written(work: Work, form: str, found: PageLines) -> Made:
    def write(path: Path) -> None:
        if form == "overlay":
            write_image(path, found.render("overlay", opacity=JobOptions().opacity))
        else:
            found.save(path)

    return await work.written(write, _ENDS[form])


_PYTHON = """from intarsia.apps.handwriting import find_lines

find_lines({file}{arguments})"""

HANDWRITING = Use(
    "handwriting", "Handwriting", "Finds the lines and words of a page, in reading order.",
    AskedHandwriting, handwriting, "intarsia handwriting",
    {
        "": _PYTHON + '.save("{stem}.page.xml")', "alto": _PYTHON + '.save("{stem}.alto.xml")',
        "json": _PYTHON + '.save("{stem}.lines.json")',
        "overlay": _PYTHON + '.render("overlay").save("{stem}.overlay.jpg")',
    },
    photo="page", needs="handwriting",
)  # fmt: skip
