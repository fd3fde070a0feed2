"""The index: vectors and facts of photos in one file, gone through whole for each question, so nothing is missed.

Above a million photos a graph beside it may propose answers instead, see `graph`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from intarsia.apps.search import graph as graphs
from intarsia.apps.search.colours import COUNT, Filter
from intarsia.apps.search.embedding import Embedder
from intarsia.apps.search.items import Item, Match
from intarsia.errors import DataError, ModelError, UsageError, suggest
from intarsia.files import atomic_path

FORMAT = 1
_TENSORS = ("vectors", "colours", "shares", "items")
_DIGITS = 5  # of scores: what differs less is alike, and comes in the order of the names
_FEW = 100  # photos that may not be answers, up to which a graph is asked for so many more


@dataclass
class Index:
    """Photos by what they look like.

    Attributes:
        file: that it is kept in; names of photos start from its folder.
        model: checksum of the network that made the vectors.
        masked: whether they are of the things that the photos show; if not, of the whole photos.
        items: the photos, in the order of their names.
        vectors: (N, D) float32, of length 1.
        colours: (N, 3, 3) uint8 sRGB, the main colours of each.
        shares: (N, 3) float32, of the thing, of each colour.
        numbers: (N,) uint64, that each got when it came; another vector has another one.
        stamp: what the file's vectors and numbers are known by; empty before it is saved.
        graph: of near neighbours, above a million photos; None where all are gone through.
    """

    file: Path
    model: str
    masked: bool = True
    items: list[Item] = field(default_factory=list)
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    colours: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, COUNT, 3), np.uint8))
    shares: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, COUNT), np.float32))
    numbers: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    stamp: str = ""
    graph: graphs.Graph | None = None

    def __len__(self) -> int:
        return len(self.items)

    def path(self, item: Item) -> Path:
        """Where a photo lies."""
        return Path(os.path.normpath(self.file.parent / item.name))

    def name(self, path: Path) -> str:
        """What a photo is called in this index."""
        return Path(os.path.relpath(path.absolute(), self.file.absolute().parent)).as_posix()

    def find(
        self,
        photo: Any,
        *,
        count: int = 10,
        colour: str | Filter | None = None,
        category: str | None = None,
        exact: bool = False,
        embedder: Embedder | None = None,
    ) -> list[Match]:
        """Find the photos that look most like one.

        Args:
            photo: a path, encoded bytes, a PIL image or an array (H, W, 3) uint8 RGB. A photo that is in the index is
                not its own answer, if it is given by its path.
            count: most answers.
            colour: only things of this colour: a name, "#rrggbb", or a `Filter` with a tolerance of your own.
            category: only things of this folder, or that the network takes for this category.
            exact: go through all photos, also where a graph would propose some; with a colour or category, always.
            embedder: an `Embedder` that was made before; None makes one.

        Raises:
            DataError: the photo cannot be read.
            UsageError: no such colour or category.
            ModelError: the index was made by another version's network.
        """
        from intarsia.media.images import read_image

        ready = embedder or Embedder(masked=self.masked)
        self.check(ready)
        allowed = self.allowed(colour, category)
        exact = exact or colour is not None or category is not None
        if isinstance(photo, str | os.PathLike):
            own = self.name(Path(photo))
            allowed &= np.array([item.name != own for item in self.items], bool)
        return self.nearest(ready.embed(read_image(photo)).vector, count, allowed, exact=exact)

    def check(self, embedder: Embedder) -> None:
        """Refuse an embedder whose vectors cannot be compared with these.

        Raises:
            ModelError: another version's network made these.
            UsageError: these are of things, and the embedder's of whole photos, or the other way round.
        """
        if self.masked != embedder.masked:
            raise UsageError(
                f"{self.file} holds {'things' if self.masked else 'whole photos'}, and this looks at the other"
            )
        if self.model != embedder.checksum:
            raise ModelError(
                f"{self.file} was made by the network of another version, whose vectors mean something else; build it "
                f"again: intarsia search build PHOTOS/ -o {self.file} --overwrite"
            )

    def allowed(self, colour: str | Filter | None = None, category: str | None = None) -> NDArray[np.bool_]:
        """Tell which photos (N,) have a colour and are of a category.

        Raises:
            UsageError: no such colour or category.
        """
        found = np.ones(len(self), bool)
        if colour is not None:
            wanted = Filter.of(colour) if isinstance(colour, str) else colour
            found &= wanted.passes(self.colours, self.shares)
        if category is not None:
            known = {name for item in self.items for name in (item.folder, item.category)}
            if category not in known:
                raise UsageError(f"no photo in {self.file} is of the class {category!r}.{suggest(category, known)}")
            found &= np.array([category in (item.folder, item.category) for item in self.items], bool)
        return found

    def nearest(
        self,
        vector: NDArray[np.float32],
        count: int = 10,
        allowed: NDArray[np.bool_] | None = None,
        *,
        exact: bool = False,
    ) -> list[Match]:
        """Compare a vector (D,) of length 1 with all, or with those that the graph proposes; equals come by name.

        Raises:
            UsageError: `count` is below 1.
        """
        if count < 1:
            raise UsageError(f"the number of answers is 1 or more, not {count}")
        if not len(self):
            return []
        likely = None if exact else self._likely(vector, count, allowed)
        rows = slice(None) if likely is None else likely
        # Not by BLAS, in which equal rows may get sums that differ in the last digit.
        scores = np.round(np.einsum("nd,d->n", self.vectors[rows], vector), _DIGITS)
        if allowed is not None:
            scores[~allowed[rows]] = -np.inf
        least = np.partition(scores, -min(count, len(scores)))[-min(count, len(scores))]
        candidates = np.flatnonzero((scores >= least) & (scores > -np.inf))
        order = candidates[np.argsort(-scores[candidates], kind="stable")][:count]
        found = order if likely is None else likely[order]
        return [
            self._match(rank, int(row), float(score))
            for rank, (row, score) in enumerate(zip(found, scores[order], strict=True), 1)
        ]

    def _likely(
        self, vector: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.intp] | None:
        """Rows that the graph proposes, in their order; None where all have to be gone through."""
        left_out = 0 if allowed is None else len(self) - int(np.count_nonzero(allowed))
        if self.graph is None or left_out > _FEW:
            return None
        numbers = self.graph.nearest(vector, min(count + left_out, len(self)))
        return np.sort(self._by_number[np.searchsorted(self.numbers, numbers, sorter=self._by_number)])

    @cached_property
    def _by_number(self) -> NDArray[np.intp]:
        return np.argsort(self.numbers)

    def _match(self, rank: int, index: int, score: float) -> Match:
        item = self.items[index]
        shown = zip(self.colours[index], self.shares[index], strict=True)
        colours = tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour, share in shown if share > 0)
        return Match(rank, round(score, _DIGITS), self.path(item), item, colours)

    def keep(self, kept: NDArray[np.bool_]) -> Index:
        """Make an index of some of the photos (N,)."""
        return replace(
            self,
            items=[item for item, stays in zip(self.items, kept, strict=True) if stays],
            vectors=self.vectors[kept],
            colours=self.colours[kept],
            shares=self.shares[kept],
            numbers=self.numbers[kept],
            graph=None,
        )

    def with_photos(
        self,
        items: Sequence[Item],
        vectors: NDArray[np.float32],
        colours: NDArray[np.uint8],
        shares: NDArray[np.float32],
    ) -> Index:
        """Make an index with more photos; those of the same name are replaced."""
        names = {item.name for item in items}
        rest = self.keep(np.array([item.name not in names for item in self.items], bool))
        every = [*rest.items, *items]
        order = np.array(sorted(range(len(every)), key=lambda index: every[index].name), int)
        old = rest.vectors if len(rest) else np.zeros((0, vectors.shape[1]), np.float32)
        first = int(self.numbers.max()) + 1 if len(self) else 0
        numbers = np.arange(first, first + len(items), dtype=np.uint64)
        return replace(
            self,
            items=[every[index] for index in order],
            vectors=np.concatenate([old, vectors])[order],
            colours=np.concatenate([rest.colours, colours])[order],
            shares=np.concatenate([rest.shares, shares])[order],
            numbers=np.concatenate([rest.numbers, numbers])[order],
            graph=None,
        )

    def save(self) -> None:
        """Write it to its file, whole or not at all: until then the file is what it was.

        Raises:
            DataError: the disk is full, or the folder cannot be written.
        """
        from safetensors.numpy import save

        facts = json.dumps(self.items).encode()
        tensors: dict[str, NDArray[Any]] = {
            "vectors": self.vectors.astype(np.float16), "colours": self.colours, "numbers": self.numbers,
            "shares": self.shares.astype(np.float16), "items": np.frombuffer(facts, np.uint8),
        }  # fmt: skip
        self.stamp = hashlib.sha256(tensors["vectors"].tobytes() + self.numbers.tobytes()).hexdigest()
        head = json.dumps({"format": FORMAT, "model": self.model, "masked": self.masked, "stamp": self.stamp})
        data = save(tensors, {"intarsia.search": head})
        with atomic_path(self.file) as temporary:
            temporary.write_bytes(data)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Self:
        """Read an index.

        Raises:
            DataError: the file is missing, damaged, no index, or written by a newer version.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(file)
        if not path.is_file():
            raise DataError(f"{path}: no such index; make one: intarsia search build PHOTOS/ -o {path}")
        try:
            with safe_open(path, "np") as opened:
                head = json.loads((opened.metadata() or {})["intarsia.search"])
                if head["format"] > FORMAT:
                    raise DataError(f"{path}: written by a newer version; upgrade: pip install -U intarsia")
                held = {name: opened.get_tensor(name) for name in _TENSORS}
                numbered = "numbers" in opened.keys()  # noqa: SIM118 - no mapping; earlier versions wrote none
                numbers = opened.get_tensor("numbers") if numbered else np.arange(len(held["vectors"]), dtype=np.uint64)
            items = [Item(*facts) for facts in json.loads(held["items"].tobytes())]
            lengths = {len(items), len(numbers), *(len(held[name]) for name in _TENSORS[:-1])}
            if len(lengths) != 1:
                raise ValueError("its parts differ in length")
        except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
            raise DataError(f"{path}: no index of photos, or a damaged one ({error}); build it again") from error
        vectors = held["vectors"].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-6)
        found = cls(
            path, head["model"], head["masked"], items, vectors, held["colours"], held["shares"].astype(np.float32),
            numbers, head.get("stamp", ""),
        )  # fmt: skip
        if len(found) > graphs.ABOVE:
            found.graph = graphs.Graph.load(graphs.beside(path), found.stamp)
        return found
