"""What Label Studio's tasks name, and what it gets: pictures without any fetching, and regions of its own kinds."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from intarsia.annotations import Shape
from intarsia.annotations.formats.labelstudio.writing import region
from intarsia.annotations.geometry import Mask, Rectangle
from intarsia.annotations.layers import pieces
from intarsia.annotations.tools import tool_named
from intarsia.jobs.preannotation import shapes_for
from intarsia.labels import LabelArray
from intarsia.result import Segmentation
from intarsia.serving.labelconfig import Control, Matches
from intarsia.serving.problems import BAD_REQUEST, NOT_FOUND, TOO_LARGE, UNPROCESSABLE, Problem
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import Upload, safe_name

_DATA = re.compile(r"data:image/[\w.+-]+(;[\w=.-]+)*;base64,", re.ASCII)
_LEAST = 16  # pixels of a piece that becomes a rectangle


def picture_of(said: Any, beside: Mapping[str, Upload], settings: Settings) -> Upload:
    """Find the picture that a task names; nothing is fetched, and only files of one folder are read.

    Args:
        said: by the task's data: a data address, the name of a file that was sent beside, or where Label Studio keeps
            an upload.
        beside: files that were sent with the request, by name.
        settings: with the folder, if there is one.

    Raises:
        Problem: it is elsewhere, missing, damaged or too large.
    """
    if not isinstance(said, str):
        raise Problem(UNPROCESSABLE, "the task has no picture where the labelling interface's Image looks for it")
    if found := _DATA.match(said):
        try:
            return Upload(base64.b64decode(said[found.end() :], validate=True), "picture", ".png")
        except (binascii.Error, ValueError) as error:
            raise Problem(BAD_REQUEST, f"the picture's data address is no base64: {error}") from None
    if (name := safe_name(said)) in beside:
        return beside[name]
    if settings.label_studio_files is not None and said.startswith("/data/"):
        return _kept(said, settings.label_studio_files, settings.max_bytes)
    raise Problem(
        UNPROCESSABLE,
        f"{said[:200]!r} is not read: this server fetches nothing. Say intarsia serve --label-studio-files FOLDER, the "
        "folder of Label Studio's uploads or local files, or import tasks whose pictures are data addresses "
        "(data:image/png;base64,...)",
    )


def _kept(said: str, folder: Path, most: int) -> Upload:
    """A file that Label Studio keeps, which lies below a folder whatever its name and links say."""
    parts = urlsplit(said)
    local = parse_qs(parts.query).get("d", [""])[0] if parts.path.startswith("/data/local-files") else ""
    inner = local or unquote(parts.path).removeprefix("/data/")
    root = folder.resolve()
    try:
        path = (root / inner).resolve()
        inside = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long a name, a zero byte, links in a circle
        inside = False
    if not inside:
        raise Problem(NOT_FOUND, f"{said[:200]!r} is no file below the folder of --label-studio-files")
    if path.stat().st_size > most:
        raise Problem(TOO_LARGE, f"{said[:200]!r} has more than {most:,} bytes")
    return Upload(path.read_bytes(), safe_name(inner), ".png")


def predictions(results: Mapping[str, Segmentation], matches: Matches) -> dict[str, Any]:
    """Make a task's prediction.

    Args:
        results: with confidence, by the variable that holds their picture.
        matches: which labels draw which classes.

    Returns:
        `result`, the regions, and `score`, the mean confidence of all pixels; that of a region is its class's.
    """
    found = [
        one
        for control, labels in matches.drawn
        if labels and control.variable in results
        for one in _regions(results[control.variable], control, labels)
    ]
    score = float(np.mean([_mean(result, np.ones_like(result.labels, bool)) for result in results.values()]))
    return {"result": found, "score": score}


def _regions(result: Segmentation, control: Control, labels: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    """The regions of one control."""
    height, width = result.labels.shape
    scores = {label: _mean(result, result.labels == index) for index, label in labels.items()}
    for place, shape in enumerate(_shapes(result, control, labels)):
        kind, value = region(shape, (width, height))
        yield {
            "id": uuid.uuid5(uuid.NAMESPACE_URL, f"{control.name}#{place}").hex[:10],
            "type": f"{kind}labels", "from_name": control.name, "to_name": control.picture,
            "original_width": width, "original_height": height, "image_rotation": 0,
            "value": value | {f"{kind}labels": [shape.label]}, "score": scores[shape.label],
        }  # fmt: skip


def _shapes(result: Segmentation, control: Control, labels: Mapping[int, str]) -> list[Shape]:
    """Shapes under the labels' names: of brushes one a class, of others one a connected piece."""
    if control.kind == "brush":
        masks = {label: result.labels == index for index, label in labels.items()}
        return [Shape(label, Mask(mask)) for label, mask in masks.items() if mask.any()]
    space = result.space
    kept: LabelArray = np.where(np.isin(result.labels, list(labels)), result.labels, space.ignore_index)
    kept = kept.astype(space.dtype)
    found = (
        shapes_for(tool_named("labelstudio"), kept, space)
        if control.kind == "polygon"
        else [_boxed(shape) for shape in pieces(kept, space, _LEAST)]
    )
    names = {space.names[index]: label for index, label in labels.items()}
    return [replace(shape, label=names[shape.label]) for shape in found if shape.label in names]


def _boxed(shape: Shape) -> Shape:
    mask = shape.geometry
    assert isinstance(mask, Mask)
    height, width = mask.bitmap.shape
    return replace(shape, geometry=Rectangle(mask.left, mask.top, mask.left + width, mask.top + height))


def _mean(result: Segmentation, mask: Any) -> float:
    """The mean confidence of some pixels; 0 of none."""
    assert result.confidence is not None
    return round(float(result.confidence[mask].mean(dtype=np.float64)), 4) if mask.any() else 0.0
