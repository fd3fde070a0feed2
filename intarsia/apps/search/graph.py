"""Which vectors lie near each other, so that a question looks at a few thousand of millions; by usearch.

A graph of near neighbours (HNSW, Malkov and Yashunin 2018) lies beside an index of more than a million photos. It
proposes photos, whose likeness is computed as without it. What it misses is measured when it is made, and told.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import UsageError, require
from intarsia.files import atomic_path
from intarsia.stopping import Stop, never

ABOVE = 1_000_000
"""Photos of an index, above which there is a graph; fewer are gone through one by one in less than a blink."""
EXTRA = "search-large"
FORMAT = 1

_LINKS = 24  # of a vector to others
_CARE = 128  # vectors that are looked at for each that comes in
_LOOKS = (64, 128, 256, 512, 1024)  # vectors that a question looks at, of which the first that finds enough is taken
_ENOUGH = 0.99  # of the ten nearest
_ASKED, _NEAREST = 200, 10  # questions that say what is found, and how many answers of each
_AT_ONCE = 10_000  # vectors that come in before anybody is asked whether to stop
_GONE = 0.1  # of a graph, above which it is made anew: what left it still stands in the way

Vectors = NDArray[np.float32]
Numbers = NDArray[np.uint64]


@dataclass
class Graph:
    """Near neighbours of numbered vectors.

    Attributes:
        links: usearch's own.
        looks: vectors that a question looks at.
        recall: share of the ten nearest that it proposed, asked with 200 of its own vectors.
    """

    links: Any
    looks: int = _LOOKS[0]
    recall: float = 0.0

    def nearest(self, vector: Vectors, count: int) -> Numbers:
        """Propose the numbers of `count` vectors that are nearest to one (D,) of length 1, in no order."""
        self.links.expansion_search = max(self.looks, count)
        return np.asarray(self.links.search(vector, count, threads=1).keys, np.uint64)

    def save(self, file: Path, stamp: str) -> None:
        """Write it, whole or not at all, as that of the index with this stamp.

        Raises:
            DataError: the disk is full, or the folder cannot be written.
        """
        from safetensors.numpy import save

        links = np.frombuffer(self.links.save(), np.uint8)
        head = {"format": FORMAT, "stamp": stamp, "looks": self.looks, "recall": self.recall, "sha256": _digest(links)}
        data = save({"links": links}, {"intarsia.search.graph": json.dumps(head)})
        with atomic_path(file) as temporary:
            temporary.write_bytes(data)

    @classmethod
    def load(cls, file: Path, stamp: str) -> Graph | None:
        """Read the graph of the index with this stamp.

        Returns:
            None where there is none, it is damaged, or of an index as it was before: all of them can be made again.
            Also without usearch, and then `find` goes through all.
        """
        from safetensors import SafetensorError, safe_open

        if not file.is_file() or not is_there():
            return None
        try:
            with safe_open(file, "np") as opened:
                head = json.loads((opened.metadata() or {})["intarsia.search.graph"])
                if head["format"] != FORMAT or head["stamp"] != stamp:
                    return None
                links = opened.get_tensor("links")
        except (SafetensorError, KeyError, TypeError, ValueError, OSError):
            return None
        if _digest(links) != head["sha256"]:  # usearch trusts what it reads
            return None
        usearch = require("usearch.index", EXTRA)
        return cls(usearch.Index.restore(links.tobytes()), int(head["looks"]), float(head["recall"]))


def is_there() -> bool:
    """Tell whether usearch is installed."""
    try:
        require("usearch.index", EXTRA)
    except UsageError:
        return False
    return True


def beside(index: Path) -> Path:
    """Where the graph of an index lies."""
    return index.with_name(f"{index.name}.graph")


def link(numbers: Numbers, vectors: Vectors, earlier: Graph | None = None, *, stop: Stop = never) -> Graph | None:
    """Make the graph of vectors, from an earlier one if most of that stays; None if it was stopped.

    Args:
        numbers: (N,) of the vectors; one that an earlier graph holds, too, stands for the same vector in both.
        vectors: (N, D) float32, of length 1.
        earlier: of vectors before some came and some went; it is changed.
        stop: asked now and then.

    Raises:
        UsageError: usearch is missing.
    """
    usearch = require("usearch.index", EXTRA)
    graph = None if earlier is None else _thinned(earlier, numbers)
    if graph is None:
        side = vectors.shape[1]
        graph = Graph(usearch.Index(ndim=side, metric="ip", dtype="f16", connectivity=_LINKS, expansion_add=_CARE))
    new = np.flatnonzero(~np.isin(numbers, np.asarray(graph.links.keys, np.uint64)))
    for start in range(0, len(new), _AT_ONCE):
        if stop():
            return None
        some = new[start : start + _AT_ONCE]
        graph.links.add(numbers[some], vectors[some], threads=1)  # by several, the graph would differ each time
    _try_out(graph, numbers, vectors)
    return graph


def _thinned(graph: Graph, numbers: Numbers) -> Graph | None:
    """Take out of a graph what has none of these numbers any more; None if that is too much of it."""
    gone = np.setdiff1d(np.asarray(graph.links.keys, np.uint64), numbers)
    if len(gone) > _GONE * len(graph.links):
        return None
    if len(gone):
        graph.links.remove(gone)
    return graph


def _try_out(graph: Graph, numbers: Numbers, vectors: Vectors) -> None:
    """Find how many vectors a question has to look at, and what it finds then, besides the vector that it is."""
    asked = np.random.default_rng(0).choice(len(vectors), min(_ASKED, len(vectors)), replace=False)
    count = min(_NEAREST + 1, len(vectors))
    truth = [numbers[np.argpartition(-(vectors @ vectors[one]), count - 1)[:count]] for one in asked]
    for looks in _LOOKS:
        graph.looks = looks
        found = [graph.nearest(vectors[one], count) for one in asked]
        hits = [len(np.intersect1d(*pair)) - 1 for pair in zip(truth, found, strict=True)]
        graph.recall = float(np.mean(hits) / (count - 1))
        if graph.recall >= _ENOUGH:
            return


def _digest(links: NDArray[np.uint8]) -> str:
    return hashlib.sha256(links.data).hexdigest()
