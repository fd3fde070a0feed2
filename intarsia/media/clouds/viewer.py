"""A page that shows a labelled cloud in 3D: one HTML file, WebGL without any library, no network."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.files import write_text
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds.cloud import PointCloud

MOST_POINTS = 1_500_000
"""Points that a page should hold at most (11 bytes each, a third more in the page); see `CloudReader.some`."""
_TEMPLATE = Path(__file__).with_name("viewer.html")
_STEPS = 65535


def write_viewer(
    path: Path,
    cloud: PointCloud,
    labels: LabelArray,
    space: LabelSpace,
    truth: LabelArray | None = None,
    *,
    total: int,
) -> None:
    """Write the page: orbit with the mouse, switch classes on and off, predicted, true, differences, or colour.

    Args:
        path: target ending in .html.
        cloud: the points.
        labels: (N,) predicted classes.
        space: the classes; at most 255 of them.
        truth: (N,) true classes, if known.
        total: points of the whole cloud, of which these may be a sample.

    Raises:
        UsageError: another suffix.
        DataError: no point has coordinates, or there are too many classes.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"cannot write {path}: the viewer is a page; end the name in .html")
    if space.dtype != np.uint8:
        raise DataError(f"the viewer shows up to 255 classes, not {len(space)}")
    seen = np.flatnonzero(np.isfinite(cloud.xyz).all(axis=1))
    if not len(seen):
        raise DataError(f"{cloud.source}: no point has coordinates; there is nothing to show")
    xyz = cloud.xyz[seen]
    low = xyz.min(axis=0)
    scale = max(float((xyz.max(axis=0) - low).max()), 1e-9) / _STEPS
    data: dict[str, Any] = {
        "title": Path(cloud.source).name,
        "count": len(seen),
        "total": total,
        "scale": scale,
        "size": ((xyz.max(axis=0) - low) / scale).round().astype(int).tolist(),
        "names": list(space.names),
        "palette": [list(color) for color in space.palette],
        "xyz": _packed(((xyz - low) / scale).round().astype("<u2")),
        "predicted": _packed(labels[seen]),
    }
    if truth is not None:
        data["truth"] = _packed(truth[seen].astype(np.uint8))
    if cloud.colored:
        data["colors"] = _packed(cloud.colors()[seen])
    text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")  # nothing in the data can end the script
    write_text(path, _TEMPLATE.read_text(encoding="utf-8").replace("__DATA__", text))


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
