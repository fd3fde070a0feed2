"""Scene: a cloud as networks see it, thinned, with features, at a local origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError
from intarsia.media.clouds.cloud import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.transforms.clouds.features import compute
from intarsia.transforms.clouds.geometry import Floats, thin


@dataclass(frozen=True)
class Scene:
    """Points ready for blocks.

    Attributes:
        xyz: (N, 3) float32 metres from `origin`.
        features: (N, F) float32.
        origin: (3,) float64, subtracted before coordinates lost their precision.
        target: (N,) labels, or None.
    """

    xyz: Floats
    features: Floats
    origin: NDArray[np.float64]
    target: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.xyz)


def is_finite(cloud: PointCloud) -> NDArray[np.bool_]:
    """(N,) which points have coordinates.

    Raises:
        DataError: none has.
    """
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(cloud.xyz).all(axis=1))
    if not finite.any():
        what = "it has no points" if not len(cloud) else "no point has finite coordinates"
        raise DataError(f"{cloud.source}: {what}; there is nothing to segment")
    return finite


def prepare(
    cloud: PointCloud,
    preprocessing: CloudPreprocessing,
    *,
    target: NDArray[Any] | None = None,
    bounds: NDArray[np.float64] | None = None,
) -> Scene:
    """Thin a cloud and compute its features.

    Args:
        cloud: the points; all coordinates finite.
        preprocessing: of the model.
        target: (N,) labels.
        bounds: (2, 3) of the whole scene, of which the cloud may be a part; None: its own.

    Raises:
        DataError: fields are missing that the features need.
    """
    limits = np.stack([cloud.xyz.min(axis=0), cloud.xyz.max(axis=0)]) if bounds is None else bounds
    origin = np.floor(limits[0])
    kept = thin(cloud.xyz - origin, preprocessing.voxel)
    thinned = cloud if len(kept) == len(cloud) else cloud.take(kept)
    features = compute(
        thinned, preprocessing.features, bounds=limits, neighbours=preprocessing.neighbours,
        optional=preprocessing.optional,
    )  # fmt: skip
    xyz = (thinned.xyz - origin).astype(np.float32)
    return Scene(xyz, features, origin, None if target is None else target[kept])
