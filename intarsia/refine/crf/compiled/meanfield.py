"""Mean field inference in compiled loops, on one core."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.refine.crf.compiled.blocks import Blocks, softmax
from intarsia.refine.crf.compiled.filters import Filter

Floats = NDArray[np.float32]

# Logits are kept to the base 2, in which powers are cheaper.
_LOG2_E = 1 / math.log(2)
_NEVER = -1e30  # the logit of a lane without a class
# Elements are updated in parts of about this many values, which fit a core's cache.
_PART = 150_000


class MeanField:
    """Marginals of a dense CRF, improved step by step (Krähenbühl and Koltun 2011, algorithm 1).

    Args:
        energies: (C, N) unary energies.
        terms: pairwise filters, each with its affinity: what a class gains from another one nearby, as a (C, C) matrix,
            or one number for what it gains from itself (Potts).
    """

    def __init__(self, energies: Floats, terms: Sequence[tuple[Filter, float | Floats]]) -> None:
        self._classes, self._count = energies.shape
        self._unary = Blocks(self._classes, self._count)
        self._unary.write(energies, -_LOG2_E, _NEVER)
        self._terms = terms
        self._marginals: Blocks

    def start(self, marginals: Floats | None = None) -> None:
        """Begin with what the unary energies say alone, or with given marginals (C, N)."""
        self._marginals = Blocks(self._classes, self._count)
        if marginals is None:
            self._update(())
        else:
            self._marginals.write(marginals, 1, 0)

    def step(self) -> None:
        """One parallel update of all marginals."""
        for kernel, _ in self._terms:
            kernel.begin(self._marginals)
        self._update(self._terms)

    def read(self, out: Floats, rows: Sequence[int]) -> None:
        """Put the marginals of class i into ``out[rows[i]]``, (N,) each."""
        self._marginals.read(out, rows)

    def messages(self) -> Floats:
        """Compute what the pairwise terms add to the log-probabilities, (C, N)."""
        for kernel, _ in self._terms:
            kernel.begin(self._marginals)
        whole = Blocks(self._classes, self._count)
        whole.flat[:] = 0
        self._add_messages(whole, 0, self._terms)
        out = np.empty((self._classes, self._count), np.float32)
        whole.read(out, range(self._classes))
        out /= np.float32(_LOG2_E)
        return out

    def _update(self, terms: Sequence[tuple[Filter, float | Floats]]) -> None:
        """Softmax of unary and pairwise logits; marginals are replaced part by part, in place."""
        unit = math.lcm(*(kernel.unit for kernel, _ in terms))
        part = max(1, _PART // (sum(self._unary.lanes) * unit)) * unit
        normalise = softmax(self._unary.lanes[-1])
        logits = Blocks(self._classes, min(part, self._count))
        for first in range(0, self._count, part):
            if first + logits.count > self._count:
                logits = Blocks(self._classes, self._count - first)
            for index in range(len(logits.lanes)):
                logits.block(index)[:] = self._unary.block(index, first, first + logits.count)
            self._add_messages(logits, first, terms)
            full = len(logits.lanes) - 1
            normalise(logits.flat, logits.count, full, self._marginals.flat, self._count, first)

    def _add_messages(self, out: Blocks, first: int, terms: Sequence[tuple[Filter, float | Floats]]) -> None:
        for kernel, affinity in terms:
            if isinstance(affinity, float):
                kernel.add(out, first, affinity * _LOG2_E)
                continue
            filtered = Blocks(self._classes, out.count)
            filtered.flat[:] = 0
            kernel.add(filtered, first, _LOG2_E)
            filtered.mix(affinity, out)
