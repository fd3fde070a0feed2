"""Visual search among a million made vectors: the graph of near neighbours beside going through all of them.

    python benchmarks/uses_search_large.py [--count 1000000]

Vectors that lie as photos' do are mixtures of two of some hundred directions, with noise of their own; those of chance,
a tenth as many, are directions of a normal distribution, which no two of are near each other: the worst case of a
graph. Questions are made as the vectors are, and not among them. Times are processor time of one thread, the two ways
in turns.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import Row, arguments, report
from numpy.typing import NDArray

from intarsia.apps.search import Index, Item
from intarsia.apps.search.graph import Graph, beside, link

ASKED = 200
BASES = 600  # directions that vectors are mixed from
NOISE = 0.3  # beside a mixture's length of 1
MEGA = 1e6
ALL = "going through all"
Vectors = NDArray[np.float32]


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor, and what came of them."""
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def normed(vectors: NDArray[Any]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def like_photos(count: int) -> Vectors:
    """Mixtures of two directions each, (count, D)."""
    random = np.random.default_rng(0)
    bases, made = of_chance(BASES), []
    for start in range(0, count, 100_000):
        some = min(100_000, count - start)
        one, other = bases[random.integers(0, len(bases), (2, some))]
        share = random.uniform(size=(some, 1)).astype(np.float32)
        noise = random.normal(size=one.shape).astype(np.float32) * NOISE / one.shape[1] ** 0.5
        made.append(normed(share * one + (1 - share) * other + noise))
    return np.concatenate(made)


def of_chance(count: int) -> Vectors:
    return normed(np.random.default_rng(0).normal(size=(count, 128)).astype(np.float32))


def resident() -> float:
    """Megabytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGA


def measured(name: str, vectors: Vectors, folder: Path) -> list[Row]:
    asked, held = vectors[:ASKED], vectors[ASKED:]
    case = f"{len(held):,} vectors {name}"
    items = [Item(f"{number:07}.jpg", 100_000, number, "photos", "dress", "whole") for number in range(len(held))]
    index = Index(folder / "made.index", "none").with_photos(
        items, held, np.zeros((len(held), 3, 3), np.uint8), np.ones((len(held), 3), np.float32)
    )
    index.save()
    built, graph = spent(lambda: link(index.numbers, index.vectors))
    assert graph is not None
    graph.save(beside(index.file), index.stamp)
    before = resident()
    loaded, index.graph = spent(lambda: Graph.load(beside(index.file), index.stamp))
    memory = resident() - before
    near, whole, first, ten = [], [], [], []
    for vector in asked:
        took, found = spent(lambda vector=vector: index.nearest(vector))
        near.append(took)
        took, truth = spent(lambda vector=vector: index.nearest(vector, exact=True))
        whole.append(took)
        names = {match.item.name for match in found}
        first.append(truth[0].item.name in names)
        ten.append(np.mean([match.item.name in names for match in truth]))
    more = [items[0]._replace(name="more.jpg")], held[:1] * -1
    grown = index.with_photos(*more, np.zeros((1, 3, 3), np.uint8), np.ones((1, 3), np.float32))
    appended, _ = spent(lambda: link(grown.numbers, grown.vectors, index.graph))
    ours, peer = (statistics.median(some) * 1000 for some in (near, whole))
    sizes = [file.stat().st_size / MEGA for file in (beside(index.file), index.file)]
    return [
        Row(case, "the 10 nearest", "ms", ours, peer, ALL, peer / ours),
        Row(case, "recall at 1", "", float(np.mean(first)), 1.0, ALL, None),
        Row(case, "recall at 10", "", float(np.mean(ten)), 1.0, ALL, None),
        Row(case, "recall that was told", "", graph.recall, None, "", None),
        Row(case, "making the graph", "s", built, None, "", None),
        Row(case, "adding one photo to it, and trying it out", "s", appended, None, "", None),
        Row(case, "reading it", "s", loaded, None, "", None),
        Row(case, "memory", "MB", memory, index.vectors.nbytes / MEGA, "the vectors", None),
        Row(case, "file", "MB", sizes[0], sizes[1], "the index", None),
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--count", type=int, default=1_000_000, help="vectors in the index")
    options = parser.parse_args()
    count, rows = (20_000 if options.quick else options.count), []
    with tempfile.TemporaryDirectory() as folder:
        rows += measured("as photos lie", like_photos(count + ASKED), Path(folder))
        rows += measured("of chance", of_chance(count // 10 + ASKED), Path(folder))
    report("Visual search among many", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
