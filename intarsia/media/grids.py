"""Where the voxels of a volume lie in the patient, and the planes into which it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, require

Axis = Literal["axial", "coronal", "sagittal"]
Affine = NDArray[np.float64]

MAX_VOXELS = 2_000_000_000
"""Larger volumes are refused; a CT of the whole body has about 500 million voxels."""

# The directions in which slices, rows and columns go: pictures as radiologists look at them, from the feet or the
# front, with the patient's right on the left.
_VIEWS: dict[Axis, str] = {"axial": "SPL", "coronal": "AIL", "sagittal": "LIP"}
_SQUARE = 0.01  # largest cosine between voxel axes: half a degree


@dataclass(frozen=True, eq=False)
class Grid:
    """The voxel grid of one volume.

    Attributes:
        shape: voxels along the three stored axes.
        affine: (4, 4), from voxel indices to millimetres in the patient: to the right, to the front, up (NIfTI's
            RAS+ convention).
        unit: millimetres in the unit of lengths of its file.

    Raises:
        DataError: no voxels, too many, or an affine that is not finite, flat, or not at right angles.
    """

    shape: tuple[int, int, int]
    affine: Affine
    unit: float = 1.0

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise DataError(f"its size {_by(self.shape)} has no voxels")
        voxels = int(np.prod([int(side) for side in self.shape], dtype=object))
        if voxels > MAX_VOXELS:
            raise DataError(f"refused: {_by(self.shape)} is {voxels:,} voxels, the limit is {MAX_VOXELS:,}")
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise DataError("its affine holds numbers that are not finite; repair the header (sform, qform)")
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        if spacing.min() < 1e-6:
            raise DataError(f"its voxels have no extent (spacing {_by(spacing.tolist())} mm); repair the header")
        directions = self.affine[:3, :3] / spacing
        cosines = np.abs(directions.T @ directions - np.eye(3))
        if cosines.max() > _SQUARE:
            angle = np.degrees(np.arccos(np.clip(cosines.max(), 0, 1)))
            raise DataError(
                f"its axes are not at right angles ({angle:.1f} degrees between two), as of a tilted CT gantry; "
                "resample it to a rectangular grid first (dcm2niix does)"
            )

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between neighbouring voxels along the stored axes."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def codes(self) -> str:
        """The directions in which the stored axes go, for instance "LPS"."""
        return "".join(require("nibabel", "volumes").aff2axcodes(self.affine))

    def view(self, array: NDArray[Any], axis: Axis) -> NDArray[Any]:
        """A view of an array on this grid as slices (D, H, W), whatever the orientation of the stored axes.

        Axial slices go up, coronal ones to the front, sagittal ones to the left; in each picture the patient's head or
        front is at the top.
        """
        return _turn(array, self._stored(), _wanted(axis))

    def stored(self, view: NDArray[Any], axis: Axis) -> NDArray[Any]:
        """The inverse of `view`: slices (D, H, W) as a view in the order of the stored axes."""
        return _turn(view, _wanted(axis), self._stored())

    def view_spacing(self, axis: Axis) -> tuple[float, float, float]:
        """Millimetres between slices, rows and columns of `view`."""
        mm = dict(zip(self._stored()[:, 0].astype(int).tolist(), self.spacing, strict=True))
        first, second, third = (mm[int(world)] for world in _wanted(axis)[:, 0])
        return first, second, third

    def differs(self, other: Grid) -> str:
        """Say in words what tells another grid from this one; "" when every voxel lies where this one's lies.

        The stored axes may be in another order or direction. Numbers that agree are the same place also where only one
        of the files says their unit, as most programs write labels without it.
        """
        apart = self._differs(other)
        if apart and self.unit != other.unit and 1 in (self.unit, other.unit):
            return self._as_written()._differs(other._as_written()) and apart
        return apart

    def _as_written(self) -> Grid:
        """The grid in the numbers of its file."""
        return Grid(self.shape, np.diag([1 / self.unit] * 3 + [1.0]) @ self.affine)

    def _differs(self, other: Grid) -> str:
        corners = [_view_corners(grid) for grid in (self, other)]
        sizes = [grid.view(np.broadcast_to(np.uint8(0), grid.shape), "axial").shape for grid in (self, other)]
        if sizes[0] != sizes[1]:
            return f"it has {_by(other.shape)} voxels ({other.codes}), the image {_by(self.shape)} ({self.codes})"
        apart = float(np.linalg.norm(corners[0] - corners[1], axis=1).max())
        if apart > 0.5 * min(self.spacing):
            return f"its voxels lie up to {apart:.1f} mm from those of the image"
        return ""

    def _stored(self) -> NDArray[np.float64]:
        orientation: NDArray[np.float64] = require("nibabel", "volumes").io_orientation(self.affine)
        return orientation


def _view_corners(grid: Grid) -> NDArray[np.float64]:
    """(8, 3) the patient's coordinates of the corner voxels, in the order of the axial view."""
    sides = np.stack(np.meshgrid(*([0, n - 1] for n in grid.shape), indexing="ij"), axis=-1)
    places = sides @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    turned = [_turn(places[..., i], grid._stored(), _wanted("axial")) for i in range(3)]
    return np.stack(turned, axis=-1).reshape(-1, 3)


def _wanted(axis: Axis) -> NDArray[np.float64]:
    wanted: NDArray[np.float64] = require("nibabel", "volumes").orientations.axcodes2ornt(_VIEWS[axis])
    return wanted


def _turn(array: NDArray[Any], start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[Any]:
    orientations = require("nibabel", "volumes").orientations
    turned: NDArray[Any] = orientations.apply_orientation(array, orientations.ornt_transform(start, end))
    return turned


def _by(sides: Any) -> str:
    return " x ".join(f"{side:g}" for side in sides)
