"""What can be written of each medium, and how the names of it end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intarsia.errors import UsageError, suggest
from intarsia.media.medium import Form, Medium
from intarsia.media.photos import photo_suffix
from intarsia.result import RENDERS, Render


@dataclass(frozen=True)
class Output:
    """One kind of output that is no drawing; drawings are in `result.renders`.

    Attributes:
        name: on the command line, and in records.
        about: what it is, in a line.
        ends: how the names of files end, by medium; media that are not in it do not have it.
    """

    name: str
    about: str
    ends: Mapping[str, str]


EVERY = "probabilities"
"""The one that a predictor has to compute more for."""

OUTPUTS = {
    output.name: output
    for output in (
        Output("records", "a line of JSON a frame: its time, areas, and what drawings saw", {"video": ".jsonl"}),
        Output("masks", "a folder of index masks, one a frame, with their times", {"video": ".masks"}),
        Output(
            "confidence", "the winner's probability, in per cent",
            {"picture": ".confidence.png", "raster": ".confidence.tif"},
        ),
        Output(
            EVERY, "those of all classes",
            {"picture": ".probabilities.npy", "raster": ".probabilities.tif", "volume": ".probabilities.nii"},
        ),
        Output(
            "instances", "a number for every thing",
            {"picture": ".instances.png", "raster": ".instances.tif", "volume": ".instances.nii.gz"},
        ),
        Output("polygons", "the outlines as GeoJSON in map coordinates", {"raster": ".mask.geojson"}),
        Output("geopackage", "the outlines as a GeoPackage", {"raster": ".mask.gpkg"}),
        Output("top", "the classes seen from above", {"cloud": ".top.png"}),
        Output("side", "the classes seen from the south", {"cloud": ".side.png"}),
        Output(
            "page", "a page that shows the cloud in 3D; of handwriting, PAGE XML",
            {"cloud": ".html", "handwriting": ".page.xml"},
        ),
        Output("alto", "lines as ALTO 4", {"handwriting": ".alto.xml"}),
        Output("json", "lines as JSON", {"handwriting": ".lines.json"}),
        Output("crops", "a folder of pictures, one a line", {"handwriting": ".lines"}),
    )
}  # fmt: skip
"""Every kind of output besides the labels and the renders."""

FOLDERS = (".masks", ".lines")
"""How the names of those end that are folders."""

OUTLINED = frozenset({"polygons", "geopackage"})
"""Those that are outlines of the labels on the map."""


def _still(render: Render, source: Path) -> str:
    return ".png" if render.lossless else ".jpg"


_DRAWN: Mapping[Form, Callable[[Render, Path], str]] = {
    "rows": _still,
    "volume": _still,
    "pages": lambda render, source: ".tif",
    "frames": lambda render, source: ".webm" if render.alpha else ".mp4",
    "points": lambda render, source: "",
    "photo": lambda render, source: ".png" if render.lossless else photo_suffix(source),
    "whole": _still,
}
"""How the name of a drawing ends, by the form of the medium and the source; "" where there is none."""


def kinds_for(medium: Medium) -> list[str]:
    """List what can be written of a medium."""
    drawn = [name for name, render in RENDERS.items() if _DRAWN[medium.form](render, Path())]
    return ["labels", *drawn, *(name for name, output in OUTPUTS.items() if medium.name in output.ends)]


def choose(wanted: Iterable[str | Render], medium: Medium) -> list[str | Render]:
    """Take what the user wants of a medium, or what is usual.

    Raises:
        UsageError: no such output, or not of this medium.
    """
    kinds = list(dict.fromkeys(wanted)) or list(medium.outputs)
    known = [*RENDERS, *OUTPUTS, "labels"]
    for kind in kinds:
        if isinstance(kind, Render):
            continue
        if kind not in known:
            raise UsageError(f"no output is named {kind!r}.{suggest(kind, known)}")
        if kind not in kinds_for(medium):
            raise UsageError(f"{kind} is not written of {medium.things}; of them: {', '.join(kinds_for(medium))}")
    return kinds


def choose_of_file(wanted: Sequence[str | Render], medium: Medium) -> list[str | Render]:
    """Take what is written where one file is named, first what gets that name: of videos and photos what is wanted.

    Of all others these are the labels, whatever else is wanted.

    Raises:
        UsageError: no such output, or not of this medium.
    """
    first = wanted[0] if wanted and medium.outputs[0] != "labels" else medium.outputs[0]
    return choose([first, *wanted], medium)


def name_outputs(
    kinds: Sequence[str | Render], stem: str, source: Path, medium: Medium, *, named: Mapping[str, str] | None = None
) -> tuple[dict[str, str], dict[str, Render]]:
    """Name what is written of one source.

    Args:
        kinds: see `choose`.
        stem: that all names start with.
        source: of the labels.
        medium: what it is.
        named: names that the user gave, by kind.

    Returns:
        The name of each kind, and those that are drawn.
    """
    named = named or {}
    names: dict[str, str] = {}
    renders: dict[str, Render] = {}
    for kind in kinds:
        render = kind if isinstance(kind, Render) else RENDERS.get(kind)
        if render is not None:
            renders[render.name] = render
            names[render.name] = f"{stem}.{render.name}{_DRAWN[medium.form](render, source)}"
        elif kind == "labels":
            names["labels"] = f"{stem}{medium.labels(source)}"
        else:
            end = OUTPUTS[str(kind)].ends[medium.name]
            names[str(kind)] = stem + (end.replace(".mask", "") if "labels" in named else end)
    return names | dict(named), renders
