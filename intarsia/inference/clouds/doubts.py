"""What makes a model less sure of a cloud: fields without content, another density, another unit."""

from __future__ import annotations

from collections.abc import Iterator, Set

import numpy as np
from numpy.typing import NDArray

from intarsia.media.clouds import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.transforms.clouds.categories import FIELD
from intarsia.transforms.clouds.columns import density
from intarsia.transforms.clouds.features import FEATURES, blank_features
from intarsia.transforms.clouds.scene import Scene

_SPARSE = 5.0  # times fewer points than the model has learnt from
_NARROW = 8.0  # times smaller than a column


def look(preprocessing: CloudPreprocessing, cloud: PointCloud, scene: Scene) -> NDArray[np.float64]:
    """Tell how wide a part of a cloud is, and how dense what thinning has left of it.

    Returns:
        (8,) its points, the square metres that they cover, and its lowest and highest coordinates; (0,) if nothing is
        to be told.
    """
    if preprocessing.whole or not len(scene):
        return np.empty(0)
    ground = len(scene) / density(scene.xyz, preprocessing.block / 4)
    return np.array([len(scene), ground, *cloud.xyz.min(axis=0), *cloud.xyz.max(axis=0)])


class Doubts:
    """Collect what is strange about a cloud while its parts are labelled.

    Args:
        preprocessing: of the model.
    """

    def __init__(self, preprocessing: CloudPreprocessing) -> None:
        self._preprocessing = preprocessing
        self._blank: tuple[str, ...] = ()
        self._points, self._ground = 0.0, 0.0
        self._low, self._high = np.full(3, np.inf), np.full(3, -np.inf)

    def fields(self, filled: Set[str], present: tuple[str, ...]) -> None:
        """Note which fields of the whole cloud hold anything but 0, of those that it has."""
        # The first category of objects has the number 0.
        names = [name for name in self._preprocessing.features if name != FIELD]
        told = [name for name in names if set(FEATURES[name].needs) <= set(present)]
        self._blank = blank_features(told, filled)

    def add(self, looks: NDArray[np.float64]) -> None:
        """Note what a part looks like; see `look`."""
        if looks.size:
            self._points += float(looks[0])
            self._ground += float(looks[1])
            self._low = np.minimum(self._low, looks[2:5])
            self._high = np.maximum(self._high, looks[5:8])

    def notes(self) -> Iterator[str]:
        """Say it, in sentences."""
        for name in self._blank:
            yield f"{', '.join(FEATURES[name].needs)}: 0 everywhere, and the model looks at them ({name}): less sure"
        if (self._high > self._low).any():  # neither one point nor one place
            yield from self._of_size(self._high - self._low)

    def _of_size(self, extent: NDArray[np.float64]) -> Iterator[str]:
        block = self._preprocessing.block
        learnt = self._preprocessing.density or self._preprocessing.points / block**2
        seen = self._points / self._ground
        if float(extent[:2].max()) * _NARROW < block:
            yield (
                f"the whole cloud is {extent[0]:.3g} by {extent[1]:.3g} wide, and the model looks at columns of "
                f"{block:g} m: if its coordinates are degrees or another unit, convert them to metres"
            )
        elif seen * _SPARSE < learnt:
            yield (
                f"{seen:.2g} points per square metre, and the model has learnt from about {learnt:.2g}: its classes "
                "may be of no use here (or the coordinates are not in metres); train on clouds like this one"
            )
