"""Distances between the regions of a label map, and the border weights made of them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intarsia.errors import require
from intarsia.instances import NEIGHBOURS, number_instances

Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]
Distances = NDArray[np.float32]


def distance_to(mask: Mask) -> Distances:
    """Euclidean distance of every pixel or voxel to the nearest True one, in pixels, exact; inf if there is none.

    Args:
        mask: (H, W) or (D, H, W).
    """
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    if mask.ndim == 2:
        far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # OpenCV's last digits depend on where in memory the arrays lie. Squares are integers: rounding them is exact
        # (below 1024 pixels), and makes training reproducible.
        return np.sqrt(np.rint(np.square(far, dtype=np.float64))).astype(np.float32)
    ndimage = require("scipy.ndimage", "volumes")
    return np.asarray(ndimage.distance_transform_edt(~mask), np.float32)


def between(region: Mask, rest: Mask) -> tuple[Distances, Distances]:
    """Distance of every element to `region` and to `rest`; both 0 everywhere if one is empty: there is no boundary."""
    if not (region.any() and rest.any()):
        nothing = np.zeros(region.shape, np.float32)
        return nothing, nothing
    return distance_to(region), distance_to(rest)


def class_distances(labels: Tensor, classes: Tensor, ignore_index: int, *, signed: bool) -> dict[str, Tensor]:
    """Distance of every element to the boundary of some classes of one sample, as a loss's maps.

    Only labelled elements have distances, and only to labelled ones: where a class meets ignored elements is no
    boundary. A class without a boundary, because it is the only one, has distance 0 everywhere.

    Args:
        labels: (*S) of two or three dimensions.
        classes: (K,) int64, classes that occur.
        ignore_index: label of elements that are of no class.
        signed: True as in Kervadec et al. 2019 (arXiv:1812.07032): outside the class the distance to it, inside 1 less
            than the distance to the rest, negative. False as in Karimi & Salcudean 2019 (arXiv:1904.10030): the
            distance to the other side, on both sides.

    Returns:
        classes: (K,), as given.
        count: (1,) int64, K.
        distance: (K, *S) float32, in pixels.
    """
    array: Labels = labels.numpy(force=True)
    valid = array != ignore_index
    distance = np.zeros((len(classes), *array.shape), np.float32)
    for own, index in zip(distance, classes.tolist(), strict=True):
        region = array == index
        outer, inner = between(region, valid & ~region)
        own[:] = np.where(valid, outer - np.maximum(inner - 1, 0) if signed else outer + inner, 0)
    return {
        "classes": classes.cpu(),
        "count": torch.tensor([len(classes)]),
        "distance": torch.from_numpy(distance),
    }


def find_instances(labels: Labels, *, background: int = 0, ignore_index: int = 255) -> Labels:
    """Number the connected components of each class but the background.

    Elements connect through edges (voxels through faces), not through corners: a background line one pixel wide
    separates instances whichever way it runs.

    Args:
        labels: (H, W) or (D, H, W) class labels.
        background: the class between instances.
        ignore_index: label of elements that belong to no instance.

    Returns:
        Instance numbers from 1, 0 elsewhere.
    """
    things = [index for index in np.unique(labels).tolist() if index not in (background, ignore_index)]
    return number_instances(labels, things, neighbours=NEIGHBOURS[labels.ndim][0]).astype(np.int64)


def border_weights(instances: Labels, *, w0: float = 10.0, sigma: float = 5.0) -> Distances:
    """Weight of the gaps between instances (Ronneberger et al. 2015, arXiv:1505.04597, equation 2, without w_c).

    w0 exp(-(d1 + d2)^2 / (2 sigma^2)) outside of instances, d1 and d2 being the distances to the nearest and to the
    second nearest of them; 0 inside. Each instance is looked at only as far as 5 sigma around it, beyond which weights
    are below w0 / 200,000.

    Args:
        instances: (H, W) or (D, H, W), a number from 1 for each instance, 0 between them.
        w0: weight where two instances touch.
        sigma: how fast it fades, in pixels.

    Returns:
        float32 of the same shape.
    """
    reach = math.ceil(5 * sigma)
    nearest = np.full(instances.shape, np.inf, np.float32)
    second = nearest.copy()
    for number, box in _boxes(instances):
        window = tuple(slice(max(0, low - reach), high + reach) for low, high in box)
        distance = distance_to(instances[window] == number)
        np.minimum(second[window], np.maximum(nearest[window], distance), out=second[window])
        np.minimum(nearest[window], distance, out=nearest[window])
    weights = w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    return np.where(instances > 0, 0, weights).astype(np.float32)


def _boxes(instances: Labels) -> list[tuple[int, list[tuple[int, int]]]]:
    """Each instance's number and bounding box: first and one past the last index along each axis."""
    places = np.nonzero(instances)
    numbers, which = np.unique(instances[places], return_inverse=True)
    bounds = []
    for axis, size in zip(places, instances.shape, strict=True):
        low, high = np.full(len(numbers), size), np.zeros(len(numbers), np.intp)
        np.minimum.at(low, which, axis)
        np.maximum.at(high, which, axis + 1)
        bounds.append(list(zip(low.tolist(), high.tolist(), strict=True)))
    return list(zip(numbers.tolist(), map(list, zip(*bounds, strict=True)), strict=True))
