"""The dense CRF; names, arguments and results as in ``pydensecrf.densecrf``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arrays import as_array
from intarsia.compat.pydensecrf.errors import value_errors
from intarsia.errors import DataError, UsageError
from intarsia.refine.crf.backends import MeanField, find_backend
from intarsia.refine.crf.kernels import Features, Grid, Kernel, Normalisation

Floats = NDArray[np.float32]
Pair = float | Sequence[float]


class NormalizationType(IntEnum):
    """What a kernel's filter is divided by."""

    NO_NORMALIZATION = 0
    NORMALIZE_BEFORE = 1
    NORMALIZE_AFTER = 2
    NORMALIZE_SYMMETRIC = 3


class KernelType(IntEnum):
    """Shapes of a kernel's learnt parameters. Inference does not depend on them."""

    CONST_KERNEL = 0
    DIAG_KERNEL = 1
    FULL_KERNEL = 2


NO_NORMALIZATION, NORMALIZE_BEFORE, NORMALIZE_AFTER, NORMALIZE_SYMMETRIC = NormalizationType
CONST_KERNEL, DIAG_KERNEL, FULL_KERNEL = KernelType
_NORMALISATIONS: tuple[Normalisation, ...] = ("none", "before", "after", "symmetric")


class Unary:
    """What each element alone says of its class, for `DenseCRF.setUnary`.

    Attributes:
        energies: (nlabels, nvar) float32, minus the logarithm of probabilities; infinite where a class is ruled out.

    Raises:
        DataError: no array of two axes, or an element without a class that may be, or with NaN.
    """

    @value_errors
    def __init__(self, energies: NDArray[Any]) -> None:
        self.energies: Floats = np.ascontiguousarray(as_array(energies, "unary energies"), np.float32)
        if self.energies.ndim != 2:
            raise DataError(f"unary energies are (classes, elements), not {self.energies.shape}")
        least = self.energies.min(axis=0, initial=np.inf)
        if len(self.energies) and not np.isfinite(least).all():
            raise DataError(
                f"unary energies that are NaN, minus infinity, or infinite for all classes of an element say nothing "
                f"about it: element {int(np.flatnonzero(~np.isfinite(least))[0])}; clip probabilities before the "
                f"logarithm"
            )


class ConstUnary(Unary):
    """Energies that are given.

    Args:
        u: (nlabels, nvar).
    """

    def __init__(self, u: NDArray[Any]) -> None:
        super().__init__(u)


class LogisticUnary(Unary):
    """Energies that are linear in features: L times f.

    Args:
        L: (nlabels, d).
        f: (d, nvar).

    Raises:
        DataError: the shapes do not belong together.
    """

    @value_errors
    def __init__(self, L: NDArray[Any], f: NDArray[Any]) -> None:
        weights, features = np.asarray(L, np.float32), np.asarray(f, np.float32)
        if weights.ndim != 2 or features.ndim != 2 or weights.shape[1] != len(features):
            raise DataError(f"L is (classes, d) and f is (d, elements), not {weights.shape} and {features.shape}")
        super().__init__(weights @ features)


class DenseCRF:
    """A fully connected CRF over any elements.

    Args:
        nvar: number of elements.
        nlabels: number of classes.
    """

    def __init__(self, nvar: int, nlabels: int) -> None:
        self._count, self._classes = nvar, nlabels
        self._backend = find_backend("auto")
        self._energies: Floats = np.zeros((nlabels, nvar), np.float32)
        self._terms: list[tuple[Any, float | Floats]] = []

    @value_errors
    def setUnary(self, u: Unary) -> None:
        """Set the unary energies."""
        if u.energies.shape != (self._classes, self._count):
            raise DataError(
                f"unary energies are ({self._classes}, {self._count}), classes by elements, not {u.energies.shape}"
            )
        self._energies = u.energies

    def setUnaryEnergy(self, u: NDArray[Any], f: NDArray[Any] | None = None) -> None:
        """Set the unary energies: those of ``ConstUnary(u)``, or with `f` those of ``LogisticUnary(u, f)``."""
        self.setUnary(ConstUnary(u) if f is None else LogisticUnary(u, f))

    @value_errors
    def addPairwiseEnergy(
        self,
        features: Floats,
        compat: float | NDArray[Any],
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a pairwise term.

        Args:
            features: (d, nvar), in units of standard deviations.
            compat: a number: what equal classes gain. Arrays are costs: (nlabels,) of equal classes, or
                (nlabels, nlabels) of pairs, which is made symmetric.
            kernel: accepted; inference does not depend on it.
            normalization: one of the NORMALIZE constants.
        """
        values = np.ascontiguousarray(features, np.float32)
        if values.ndim != 2 or values.shape[1] != self._count:
            raise DataError(f"features are (d, {self._count}), not {values.shape}")
        self._add(Features(values, _normalisation(normalization)), compat)

    @value_errors
    def inference(self, niter: int) -> Floats:
        """Marginals (nlabels, nvar) after `niter` updates."""
        field = self._mean_field()
        field.start()
        for _ in range(niter):
            field.step()
        return self._read(field)

    @value_errors
    def startInference(self) -> tuple[Floats, None, None]:
        """Marginals of the unary energies alone, and two places that `stepInference` has no use for."""
        field = self._mean_field()
        field.start()
        return self._read(field), None, None

    @value_errors
    def stepInference(self, Q: Floats, tmp1: None, tmp2: None) -> None:
        """Update the marginals `Q` in place."""
        field = self._mean_field()
        field.start(Q)
        field.step()
        field.read(Q, range(self._classes))

    @value_errors
    def klDivergence(self, Q: Floats) -> float:
        """As pydensecrf computes it: entropy, unary and pairwise energy of `Q`, every pair counted twice."""
        field = self._mean_field()
        field.start(Q)
        entropy = (Q * np.log(np.maximum(Q, 1e-20))).sum(dtype=np.float64)
        # A class that is ruled out has an infinite energy, times 0.
        energies = np.where(Q > 0, self._energies - field.messages(), 0)
        return float(entropy + (Q * energies).sum(dtype=np.float64))

    def _add(self, kernel: Kernel, compat: float | NDArray[Any]) -> None:
        self._terms.append((self._backend.build(kernel), self._affinity(compat)))

    def _affinity(self, compat: float | NDArray[Any]) -> float | Floats:
        cost = np.asarray(compat, np.float32)
        if cost.ndim == 0:
            return float(cost)
        if cost.shape == (self._classes,):
            cost = np.diag(cost)
        if cost.shape != (self._classes, self._classes):
            raise DataError(
                f"compat is a number, ({self._classes},) or ({self._classes}, {self._classes}), not {cost.shape}"
            )
        return ((cost + cost.T) / -2).astype(np.float32)

    def _mean_field(self) -> MeanField:
        return self._backend.mean_field(self._energies, self._terms)

    def _read(self, field: MeanField) -> Floats:
        marginals = np.empty((self._classes, self._count), np.float32)
        field.read(marginals, range(self._classes))
        return marginals


class DenseCRF2D(DenseCRF):
    """A fully connected CRF over the pixels of a picture.

    Args:
        w: width.
        h: height; rows come after each other in all arrays.
        nlabels: number of classes.
    """

    def __init__(self, w: int, h: int, nlabels: int) -> None:
        super().__init__(w * h, nlabels)
        self._size = (h, w)

    @value_errors
    def addPairwiseGaussian(
        self,
        sxy: Pair,
        compat: float | NDArray[Any],
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a term that compares positions.

        Args:
            sxy: standard deviation in pixels, or (across, down).
            compat: as for `addPairwiseEnergy`.
            kernel: accepted; inference does not depend on it.
            normalization: one of the NORMALIZE constants.
        """
        x, y = _several(sxy, 2)
        self._add(Grid(self._size, (y, x), _normalisation(normalization)), compat)

    @value_errors
    def addPairwiseBilateral(
        self,
        sxy: Pair,
        srgb: Pair,
        rgbim: NDArray[np.uint8],
        compat: float | NDArray[Any],
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a term that compares positions and colours.

        Args:
            sxy: standard deviation in pixels, or (across, down).
            srgb: standard deviation in grey levels, or one a channel.
            rgbim: the picture (h, w, 3), uint8.
            compat: as for `addPairwiseEnergy`.
            kernel: accepted; inference does not depend on it.
            normalization: one of the NORMALIZE constants.
        """
        picture = np.asarray(rgbim)
        if picture.dtype != np.uint8 or picture.shape != (*self._size, 3):
            raise DataError(
                f"the picture is uint8 ({self._size[0]}, {self._size[1]}, 3), not {picture.dtype} {picture.shape}"
            )
        x, y = _several(sxy, 2)
        rows, columns = np.mgrid[: self._size[0], : self._size[1]].astype(np.float32)
        colours = picture.reshape(-1, 3).T / np.array(_several(srgb, 3), np.float32)[:, None]
        values = np.concatenate([[columns.ravel() / np.float32(x), rows.ravel() / np.float32(y)], colours])
        self._add(Features(values.astype(np.float32, copy=False), _normalisation(normalization)), compat)


def _several(value: Pair, count: int) -> tuple[float, ...]:
    several = tuple(map(float, value)) if isinstance(value, Sequence | np.ndarray) else (float(value),) * count
    if len(several) != count or not min(several) > 0:
        raise UsageError(f"expected one standard deviation or {count}, positive numbers, not {value}")
    return several


def _normalisation(constant: int) -> Normalisation:
    if constant not in range(len(_NORMALISATIONS)):
        raise UsageError(f"no normalisation has the number {constant}; use a NORMALIZE constant")
    return _NORMALISATIONS[constant]
