"""Features by name: what a network can be told about a point besides its coordinates."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, suggest
from intarsia.media.clouds.cloud import PointCloud, lifted
from intarsia.media.clouds.names import COLORS, NORMALS
from intarsia.transforms.clouds.categories import CATEGORIES, FIELD, category_of
from intarsia.transforms.clouds.geometry import Floats, eigen, height_above_ground, shape_features

_INTENSITY_TOP = np.log1p(65535.0)
_RETURNS_TOP = 7.0


class Context:
    """A cloud whose features are computed, with what several of them share.

    Args:
        cloud: the points, coordinates finite.
        bounds: (2, 3) lowest and highest coordinates of the whole scene, of which the cloud may be a part.
        neighbours: k of normals and shapes.
    """

    def __init__(self, cloud: PointCloud, bounds: NDArray[np.floating], neighbours: int) -> None:
        self.cloud, self.bounds, self._neighbours = cloud, bounds, neighbours
        self._eigen: tuple[Floats, Floats] | None = None

    def eigen(self) -> tuple[Floats, Floats]:
        """Eigenvalues and normals of every point's neighbourhood."""
        if self._eigen is None:
            local = (self.cloud.xyz - self.cloud.xyz.mean(axis=0)).astype(np.float32)
            self._eigen = eigen(local, self._neighbours)
        return self._eigen

    def colors(self, *names: str) -> Floats:
        """(N, names) colours from 0 to 1."""
        return np.stack([self.cloud.fields[name] / self.cloud.color_max for name in names], 1).astype(np.float32)


@dataclass(frozen=True)
class Feature:
    """One feature: its channels, the fields that it needs, what it is, and how it is computed."""

    channels: int
    needs: tuple[str, ...]
    about: str
    compute: Callable[[Context], Floats]


def _height(context: Context) -> Floats:
    return height_above_ground(context.cloud.xyz)[:, None]


def _color(context: Context) -> Floats:
    return context.colors(*COLORS[:3])


def _infrared(context: Context) -> Floats:
    return context.colors("infrared")


def _ndvi(context: Context) -> Floats:
    red, infrared = context.colors("red", "infrared").T
    index: Floats = ((infrared - red) / np.maximum(infrared + red, 1e-3))[:, None]
    return index


def _intensity(context: Context) -> Floats:
    stored = context.cloud.fields["intensity"]
    values, _ = lifted(stored)
    if stored.dtype.kind != "f" or values.max(initial=0) > 1:  # some scanners of cars give 0..1
        values = np.log1p(values) / _INTENSITY_TOP
    strength: Floats = values.astype(np.float32)[:, None]
    return strength


def _returns(context: Context) -> Floats:
    fields = context.cloud.fields
    columns = [fields[name].astype(np.float32) / _RETURNS_TOP for name in ("return_number", "number_of_returns")]
    return np.stack(columns, axis=1)


def _normals(context: Context) -> Floats:
    fields = context.cloud.fields
    if all(name in fields for name in NORMALS):
        return np.stack([fields[name] for name in NORMALS], axis=1).astype(np.float32)
    return context.eigen()[1]


def _shape(context: Context) -> Floats:
    return shape_features(*context.eigen())


def _position(context: Context) -> Floats:
    low, high = context.bounds
    place: Floats = ((context.cloud.xyz - low) / np.maximum(high - low, 1e-6)).astype(np.float32)
    return place


def _category(context: Context) -> Floats:
    row = np.arange(len(CATEGORIES)) == category_of(context.cloud)
    return np.broadcast_to(row.astype(np.float32), (len(context.cloud), len(row)))


FEATURES: dict[str, Feature] = {
    "height": Feature(1, (), "metres above the local ground", _height),
    "color": Feature(3, COLORS[:3], "red, green, blue, 0 to 1", _color),
    "infrared": Feature(1, ("infrared",), "near infrared, 0 to 1", _infrared),
    "ndvi": Feature(1, ("red", "infrared"), "vegetation index of red and infrared, -1 to 1", _ndvi),
    "intensity": Feature(1, ("intensity",), "strength of the return, on a logarithmic scale, 0 to 1", _intensity),
    "returns": Feature(2, ("return_number", "number_of_returns"), "number of the return, and of returns", _returns),
    "normals": Feature(3, (), "unit normals: the file's, or estimated and turned upwards", _normals),
    "shape": Feature(5, (), "linearity, planarity, sphericity, curvature, verticality of the surroundings", _shape),
    "position": Feature(3, (), "place in the scene's bounding box, 0 to 1", _position),
    "category": Feature(len(CATEGORIES), (FIELD,), "what the whole object is: a channel each, 0 or 1; last", _category),
}
"""Every feature by name; coordinates always come first and are not listed."""

COLORED = ("color", "infrared", "ndvi")
"""Features that training blanks in some blocks: all of them, or all but the first (`CloudAugment.color_drop`)."""


def check_features(names: Sequence[str]) -> None:
    """Raise a UsageError that suggests the closest feature unless all are known and none comes twice."""
    for name in names:
        if name not in FEATURES:
            raise UsageError(f"no feature is named {name!r}.{suggest(name, FEATURES)}")
    if len(set(names)) < len(names):
        raise UsageError(f"a feature is named twice: {', '.join(names)}")
    if FIELD in names[:-1]:
        raise UsageError(f"networks of parts take the category from the last channels; name it last, not {list(names)}")


def channels(names: Sequence[str]) -> int:
    """Channels of some features, x, y and z included."""
    check_features(names)
    return 3 + sum(FEATURES[name].channels for name in names)


def columns_of(names: Sequence[str]) -> dict[str, slice]:
    """Find where each feature's channels lie among all features (coordinates not counted)."""
    places, start = {}, 0
    for name in names:
        places[name] = slice(start, start + FEATURES[name].channels)
        start += FEATURES[name].channels
    return places


def require_fields(
    names: Sequence[str], fields: Sequence[str], source: str, optional: Sequence[str] = ()
) -> tuple[str, ...]:
    """The optional features whose fields a cloud does not have.

    Raises:
        DataError: it lacks fields of other features; the message lists them, and what to do.
    """
    missing = {
        name: [need for need in FEATURES[name].needs if need not in fields]
        for name in names
        if any(need not in fields for need in FEATURES[name].needs)
    }
    if not missing.keys() <= set(optional):
        wanted = "; ".join(
            f"{name} (needs {', '.join(needs)})" for name, needs in missing.items() if name not in optional
        )
        raise DataError(
            f"{source}: the model was trained with features that this cloud does not have: {wanted}. It has: "
            f"{', '.join(fields) or 'coordinates only'}. Add them to the file, name the columns (--columns), or train "
            "a model without these features"
        )
    return tuple(missing)


def blank_features(names: Sequence[str], filled: Container[str]) -> tuple[str, ...]:
    """Those of some features whose fields hold nothing but 0.

    Args:
        names: the features.
        filled: fields that hold anything else.
    """
    return tuple(
        name for name in names if FEATURES[name].needs and not any(need in filled for need in FEATURES[name].needs)
    )


def compute(
    cloud: PointCloud,
    names: Sequence[str],
    *,
    bounds: NDArray[np.floating],
    neighbours: int,
    optional: Sequence[str] = (),
) -> Floats:
    """(N, channels) float32 features of a cloud, coordinates not included; errors as `require_fields`.

    Optional features that it lacks are 0, as training leaves them out.
    """
    blank = require_fields(names, tuple(cloud.fields), cloud.source, optional)
    context = Context(cloud, bounds, neighbours)
    parts = []
    for name in names:
        feature = FEATURES[name]
        empty = np.zeros((len(cloud), feature.channels), dtype=np.float32)
        parts.append(empty if name in blank else feature.compute(context))
    found = np.concatenate(parts, axis=1) if parts else np.empty((len(cloud), 0), dtype=np.float32)
    return np.nan_to_num(found.astype(np.float32, copy=False), posinf=0.0, neginf=0.0)
