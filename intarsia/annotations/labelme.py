"""LabelMe's JSON files (github.com/wkentaro/labelme, versions 1 to 7)."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, cast

from intarsia.annotations.document import AnnotatedImage, Point, Shape
from intarsia.errors import DataError
from intarsia.media.images import IMAGE_SUFFIXES

_POINTS = {"polygon": 3, "rectangle": 2, "circle": 2}
_FARTHEST = 1e6  # pixels; a coordinate beyond any image is a damaged file


def read(path: str | os.PathLike[str], *, within: Path | None = None) -> AnnotatedImage:
    """Read one LabelMe file; an embedded copy of the image (`imageData`) is ignored.

    The image is the file that `imagePath` names, or else the one beside the JSON with the same stem (the usual
    case after files were renamed or moved).

    Args:
        path: the JSON file.
        within: the folder that `imagePath` may not leave; None means the JSON's own folder.

    Raises:
        DataError: broken JSON, not a LabelMe file, a shape that has no area (line, point) or is not read yet
            (mask, oriented rectangle), or no image inside `within`.
    """
    path = Path(path)
    value = _load(path)
    shapes = value.get("shapes")
    if not isinstance(shapes, list):
        raise DataError(f"{path}: not a LabelMe file: it has no list of shapes; take the JSON that LabelMe saved")
    return AnnotatedImage(
        source=path,
        image=_image(path, value.get("imagePath"), within or path.parent),
        width=_side(path, value, "imageWidth"),
        height=_side(path, value, "imageHeight"),
        shapes=tuple(_shape(path, number, shape) for number, shape in enumerate(shapes, start=1)),
    )


def is_labelme(path: Path) -> bool:
    """Whether a JSON file looks like LabelMe's; damaged files beside an image of the same stem count too."""
    try:
        return isinstance(_load(path).get("shapes"), list)
    except DataError:
        return beside(path) is not None


def _load(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            f"{path}: broken JSON{where}: the file is damaged or cut off; save it again with LabelMe"
        ) from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: not a LabelMe file: it holds a {type(value).__name__}, not an object with shapes")
    return value


def _image(path: Path, named: Any, within: Path) -> Path:
    neighbour = beside(path)
    if isinstance(named, str) and named and "\0" not in named:
        relative = named.replace("\\", "/")
        candidate = Path(os.path.normpath(path.parent / relative))
        inside = not _absolute(relative) and candidate.is_relative_to(os.path.normpath(within))
        if inside and candidate.suffix.lower() in IMAGE_SUFFIXES and candidate.is_file():
            return candidate
        if neighbour is None and not inside:
            raise DataError(
                f"{path}: its image {named!r} lies outside the data set's folder, and there is none named "
                f"{path.stem} beside it; copy the image there"
            )
    if neighbour is None:
        raise DataError(f"{path}: its image {named!r} is missing; put it beside the JSON as {path.stem}.jpg or .png")
    return neighbour


def beside(path: Path) -> Path | None:
    """The image with the same stem in the JSON's folder, if there is one."""
    for suffix in IMAGE_SUFFIXES:
        for candidate in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
            if candidate.is_file():
                return candidate
    return None


def _absolute(name: str) -> bool:
    return name.startswith("/") or (len(name) > 1 and name[1] == ":")


def _side(path: Path, value: dict[str, Any], key: str) -> int | None:
    side = value.get(key)
    if side is None:
        return None
    if not isinstance(side, int) or isinstance(side, bool) or side < 1:
        raise DataError(f"{path}: {key} is {side!r}, not a number of pixels; correct it, or remove the entry")
    return side


def _shape(path: Path, number: int, shape: Any) -> Shape:
    where = f"{path}: shape {number}"
    if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
        raise DataError(f"{where} has no label; name it in LabelMe")
    where = f"{where} ({shape['label']})"
    kind = shape.get("shape_type") or "polygon"
    if kind not in _POINTS:
        raise DataError(f"{where} is a {kind!r}; only polygon, rectangle and circle are read: {_advice(kind)}")
    points = _points(where, shape.get("points"))
    needed = _POINTS[kind]
    if len(points) < needed or (kind != "polygon" and len(points) != needed):
        raise DataError(
            f"{where}: a {kind} has {needed}{' or more' if kind == 'polygon' else ''} points, this one {len(points)}; "
            f"draw it again, or delete it"
        )
    return Shape(shape["label"], cast(Any, kind), points)


def _advice(kind: Any) -> str:
    if kind in ("line", "linestrip", "point", "points"):
        return "it has no area; draw a polygon, or delete it"
    return "draw it as a polygon, or delete it"


def _points(where: str, points: Any) -> tuple[Point, ...]:
    try:
        found = tuple((float(x), float(y)) for x, y in points)
    except (TypeError, ValueError):
        raise DataError(f"{where}: its points are not a list of [x, y] pairs; draw it again, or delete it") from None
    if any(not math.isfinite(c) or abs(c) > _FARTHEST for point in found for c in point):
        raise DataError(f"{where}: a point lies far outside every image; draw it again, or delete it")
    return found
