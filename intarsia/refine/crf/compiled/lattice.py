"""The permutohedral lattice in compiled loops: where the elements lie in it, and how values are filtered on it.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", Eurographics 2010. A value is
*splatted* to the d + 1 corners of the simplex that encloses its position, *blurred* along the d + 1 axes of the
lattice, and *sliced* back at the same positions; only corners that some element touches exist.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intarsia.refine.crf.compiled.simd import add, add_scaled, broadcast, floor, flush, less, load, store, subtract
from intarsia.refine.crf.kernels import LEAST_VALUE, LEAST_WEIGHT

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

WIDTH = 16  # elements whose corners are computed together
_LEAST = np.float32(LEAST_VALUE)
_LEAST_WEIGHT = np.float32(LEAST_WEIGHT)


def embed(positions: Floats, keys: NDArray[np.int64], corners: Ints, weights: Floats) -> tuple[NDArray[np.int64], Ints]:
    """Find the d + 1 lattice points around each element, and number the points in the order of their first use.

    A point is known by one integer, see `permutohedral.keys`.

    Args:
        positions: (d, at least N) in units of the lattice, a multiple of `WIDTH` columns.
        keys: (d + 1,) random odd numbers, the last 0.
        corners: (N, d + 1), filled with the points' numbers.
        weights: (N, d + 1), filled with barycentric coordinates.

    Returns:
        The sums of the points by number, and the hash table from a sum to its number (-1 where free).
    """
    sums: NDArray[np.int64] = np.empty(1024, np.int64)
    table = np.full(2 * sums.size, -1, np.int32)
    done = points = 0
    while done < len(corners):
        # The points of one block always fit.
        while points + WIDTH * len(keys) > sums.size:
            sums, table = _grown(sums, points)
        done, points = _embed(positions, keys, corners, weights, sums, table, done, points)
    return sums[:points].copy(), table


@njit(cache=True, nogil=True)
def _embed(
    positions: Floats, keys: NDArray[np.int64], corners: Ints, weights: Floats, sums: NDArray[np.int64], table: Ints,
    done: int, points: int,
) -> tuple[int, int]:  # fmt: skip
    """Go on from element `done` until all are done or `sums` is nearly full; returns how many are, and the points."""
    dims = positions.shape[0]
    sides = dims + 1
    flat = positions.reshape(-1)
    one_up = keys.sum()
    zero, one = broadcast(np.float32(0), WIDTH), broadcast(np.float32(1), WIDTH)
    half, most = broadcast(np.float32(0.5), WIDTH), broadcast(np.float32(dims), WIDTH)
    inverse, step = np.float32(1.0 / sides), np.float32(sides)
    # Row by axis, column by element.
    height, base = np.empty(sides * WIDTH, np.float32), np.empty(sides * WIDTH, np.float32)
    rank, rest = np.empty(sides * WIDTH, np.float32), np.empty(sides * WIDTH, np.float32)
    # Row by rank.
    owner, ordered = np.empty(sides * WIDTH, np.int32), np.empty(sides * WIDTH, np.float32)
    last_sum, last_corner = np.zeros(sides, np.int64), np.full(sides, -1, np.int32)

    for start in range(done, corners.shape[0], WIDTH):
        if points + WIDTH * sides > sums.size:
            return start, points
        # Onto the hyperplane whose coordinates sum to 0 (section 3.1).
        running = zero
        for axis in range(dims, 0, -1):
            value = flush(load(flat, (axis - 1) * positions.shape[1] + start, WIDTH), _LEAST)
            store(height, axis * WIDTH, add_scaled(running, np.float32(-axis), value))
            running = add(running, value)
        store(height, 0, running)
        # The nearest point all of whose coordinates are multiples of d + 1, and the order of the remainders (3.2).
        surplus = zero
        for axis in range(0, sides * WIDTH, WIDTH):
            multiple = floor(add_scaled(half, inverse, load(height, axis, WIDTH)))
            surplus = add(surplus, multiple)
            whole = add_scaled(zero, step, multiple)
            store(base, axis, whole)
            store(rest, axis, subtract(load(height, axis, WIDTH), whole))
        for axis in range(0, sides * WIDTH, WIDTH):
            store(rank, axis, surplus)
        for first in range(0, dims * WIDTH, WIDTH):
            for second in range(first + WIDTH, sides * WIDTH, WIDTH):
                below = less(load(rest, first, WIDTH), load(rest, second, WIDTH))
                store(rank, first, add(load(rank, first, WIDTH), below))
                store(rank, second, add(load(rank, second, WIDTH), subtract(one, below)))
        for axis in range(0, sides * WIDTH, WIDTH):
            place = load(rank, axis, WIDTH)
            wrap = subtract(less(place, zero), less(most, place))
            store(rank, axis, add_scaled(place, step, wrap))
            whole = add_scaled(load(base, axis, WIDTH), step, wrap)
            store(base, axis, whole)
            store(rest, axis, add_scaled(zero, inverse, subtract(load(height, axis, WIDTH), whole)))

        for k in range(min(WIDTH, corners.shape[0] - start)):
            total = np.int64(0)
            for axis in range(sides):
                place = np.int32(rank[axis * WIDTH + k]) * WIDTH + k
                owner[place] = axis
                ordered[place] = rest[axis * WIDTH + k]
                total += np.int64(base[axis * WIDTH + k]) * keys[axis]
            element = start + k
            weights[element, 0] = _significant(ordered[dims * WIDTH + k] + np.float32(1) - ordered[k])
            for corner in range(sides):
                if corner > 0:
                    place = (sides - corner) * WIDTH + k
                    weights[element, corner] = _significant(ordered[place - WIDTH] - ordered[place])
                    total += one_up - sides * keys[owner[place]]
                # Neighbouring elements often share corners, and what was found last is found at once.
                if total != last_sum[corner] or last_corner[corner] < 0:
                    slot = _find(total, sums, table)
                    if table[slot] < 0:
                        table[slot] = points
                        sums[points] = total
                        points += 1
                        last_corner[corner] = points - 1
                    else:
                        last_corner[corner] = table[slot]
                    last_sum[corner] = total
                corners[element, corner] = last_corner[corner]
    return corners.shape[0], points


@njit(cache=True, nogil=True, inline="always")
def _significant(weight: np.float32) -> np.float32:
    """A weight, or 0 if it is no more than what is lost by rounding."""
    return weight if abs(weight) >= _LEAST_WEIGHT else np.float32(0)


@njit(cache=True, nogil=True, inline="always")
def _find(total: int, sums: NDArray[np.int64], table: Ints) -> int:
    """The slot that holds a point's number, or the free slot where it belongs."""
    mask = table.size - 1
    slot = (total ^ (total >> 32) ^ (total >> 15)) & mask
    while table[slot] >= 0 and sums[table[slot]] != total:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _grown(sums: NDArray[np.int64], points: int) -> tuple[NDArray[np.int64], Ints]:
    """Twice the room for the sums, of which `points` are in use, and their table."""
    more = np.empty(2 * sums.size, np.int64)
    more[:points] = sums[:points]
    table = np.full(2 * more.size, -1, np.int32)
    for point in range(points):
        table[_find(sums[point], sums, table)] = point
    return more, table


@njit(cache=True, nogil=True)
def link(sums: NDArray[np.int64], table: Ints, keys: NDArray[np.int64]) -> Ints:
    """The lattice's points along each axis, as chains of direct neighbours.

    Args:
        sums: of the points, see `embed`.
        table: from a sum to the point's number.
        keys: as for `embed`.

    Returns:
        Point numbers, chain after chain and axis after axis, each chain's first one inverted (~number). A point without
        a neighbour on an axis keeps its value there and is left out.
    """
    points, sides = sums.size, keys.size
    one_up = keys.sum()
    following = np.empty(points, np.int32)
    is_first = np.empty(points, np.bool_)
    chains = np.empty(sides * points, np.int32)
    length = 0
    for axis in range(sides):
        step = one_up - sides * keys[axis]
        is_first[:] = True
        for point in range(points):
            neighbour = table[_find(sums[point] + step, sums, table)]
            following[point] = neighbour
            if neighbour >= 0:
                is_first[neighbour] = False
        for point in range(points):
            if is_first[point] and following[point] >= 0:
                chains[length] = ~point
                length += 1
                neighbour = following[point]
                while neighbour >= 0:
                    chains[length] = neighbour
                    length += 1
                    neighbour = following[neighbour]
    return chains[:length].copy()


@cache
def filters(lanes: int) -> SimpleNamespace:
    """Compiled filters for values that are stored as rows of `lanes` float32."""

    @njit(cache=True, nogil=True)
    def splat(values: Floats, corners: Ints, weights: Floats, lattice: Floats) -> None:
        """Spread `values` (N rows) to the lattice (one row a point)."""
        lattice[:] = 0
        for element in range(corners.shape[0]):
            value = flush(load(values, element * lanes, lanes), _LEAST)
            for corner in range(corners.shape[1]):
                place = np.intp(corners[element, corner]) * lanes
                store(lattice, place, add_scaled(load(lattice, place, lanes), weights[element, corner], value))

    @njit(cache=True, nogil=True)
    def blur(lattice: Floats, chains: Ints) -> None:
        """Convolve with (1/2, 1, 1/2) along every axis in turn, in place (section 3.3)."""
        half = np.float32(0.5)
        i = 0
        while i < chains.size:
            place = np.intp(~chains[i]) * lanes
            i += 1
            before = broadcast(np.float32(0), lanes)
            here = load(lattice, place, lanes)
            while i < chains.size and chains[i] >= 0:
                ahead = np.intp(chains[i]) * lanes
                i += 1
                after = load(lattice, ahead, lanes)
                store(lattice, place, add_scaled(here, half, add(before, after)))
                before, here, place = here, after, ahead
            store(lattice, place, add_scaled(here, half, before))

    @njit(cache=True, nogil=True)
    def slice_(lattice: Floats, corners: Ints, weights: Floats, factor: float, out: Floats) -> None:
        """Add `factor` times what the lattice holds at the elements' positions to `out`."""
        for element in range(corners.shape[0]):
            value = broadcast(np.float32(0), lanes)
            for corner in range(corners.shape[1]):
                place = np.intp(corners[element, corner]) * lanes
                value = add_scaled(value, weights[element, corner], load(lattice, place, lanes))
            whole = load(out, element * lanes, lanes)
            store(out, element * lanes, add_scaled(whole, factor, value))

    return SimpleNamespace(splat=splat, blur=blur, slice=slice_)
