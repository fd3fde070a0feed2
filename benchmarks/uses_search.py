"""Visual search: whether the nearest photo is of the same category, masked and not, and what a question takes.

    python benchmarks/uses_search.py [--data path/to/clothes_cc0] [--grounds path/to/photos]

The gallery is train, the questions are test (validation where there is no test), as in the data set's own parts; the
head has seen train only. On busy grounds each thing is pasted on a part of another picture, galleries and questions
alike, and the mask is known, as a model of clothes would give it. Beside it: the encoder's features as ImageNet left
them, averaged over the whole photo, and the same with a head fitted to them on the same train photos.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import DATA, Row, arguments, least, report
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "tools"))

from make_search import Head, SearchNet, fitted, pasted, written

from intarsia.apps.search import Embedder, Index, Item
from intarsia.apps.search.embedding import framed
from intarsia.apps.search.foreground import find_thing
from intarsia.media.images import read_image
from intarsia.runtimes.network import Network

DRAWS = 20_000  # of the bootstrap
WHOLE = np.ones((8, 8), bool)
Vectors = NDArray[np.float32]


def seen(photos: Sequence[Path], grounds: Sequence[Path], ours: Network, plain: Network, seed: int) -> list[Vectors]:
    """Vectors (N, D) of photos: ours and untouched as they are, ours and untouched on busy grounds."""
    random = np.random.default_rng(seed)
    found: list[list[Vectors]] = [[], [], [], []]
    for photo in photos:
        pixels = read_image(photo)
        mask, _ = find_thing(pixels)
        ground = read_image(grounds[random.integers(len(grounds))])
        for place, (shown, thing) in enumerate(((pixels, mask), pasted(pixels, mask, ground, random))):
            found[2 * place].append(ours.run(framed(shown, thing)[None])["embedding"][0])
            found[2 * place + 1].append(plain.run(framed(shown, WHOLE)[None])["features"][0])
    return [np.stack(part) for part in found]


def hits(gallery: Vectors, asked: Vectors, own: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.float64]:
    """Whether the nearest of the gallery is of the question's category, (N,)."""
    gallery, asked = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (gallery, asked))
    return (own[(asked @ gallery.T).argmax(axis=1)] == theirs).astype(float)


def chance(better: NDArray[np.float64], worse: NDArray[np.float64]) -> float:
    """Share of paired bootstrap draws in which what is better is not."""
    random = np.random.default_rng(0)
    gains = better - worse
    drawn = [gains[random.integers(0, len(gains), len(gains))].mean() for _ in range(DRAWS)]
    return float(np.mean(np.array(drawn) <= 0))


def projected(head: Head, features: Vectors) -> Vectors:
    return (features - head.middle) @ head.turn


def quality(data: Path, grounds: Path | None, *, quick: bool) -> list[Row]:
    part = next(name for name in ("test", "validation") if (data / name).is_dir())
    photos = [sorted((data / name).glob("*/*.jpg")) for name in ("train", part)]
    if quick:
        photos = [some[::step] for some, step in zip(photos, (10, 8), strict=True)]
    own, theirs = (np.array([photo.parent.name for photo in some]) for some in photos)
    around = photos[0] if grounds is None else sorted(grounds.rglob("*.jpg")) + sorted(grounds.rglob("*.png"))
    ours = Network(Path(__file__).parents[1] / "intarsia" / "zoo" / "search.onnx")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.onnx"
        written(SearchNet(), ["features"], {}, file)
        plain = Network(file)
        gallery, asked = (seen(some, around, ours, plain, seed) for seed, some in enumerate(photos))
    deepest = slice(112, 432)  # of the features: the map at stride 32; the silhouette of a whole photo says nothing
    _, categories = np.unique(own, return_inverse=True)
    head = fitted(np.concatenate([gallery[1], gallery[3]])[:, : deepest.stop], np.tile(categories, 2))
    rows = []
    for place, name in enumerate(("as they are", "on busy grounds")):
        mine, theirs_found = (2 * place, 2 * place + 1)
        ours_hit = hits(gallery[mine], asked[mine], own, theirs)
        untouched = hits(gallery[theirs_found][:, deepest], asked[theirs_found][:, deepest], own, theirs)
        whole = hits(
            projected(head, gallery[theirs_found][:, : deepest.stop]),
            projected(head, asked[theirs_found][:, : deepest.stop]), own, theirs,
        )  # fmt: skip
        for peer, said in ((untouched, "ImageNet features of whole photos"), (whole, "the same with a head")):
            better = float(ours_hit.mean()), float(peer.mean())
            case = f"{len(theirs)} of {part}, {name}: category at rank 1"
            rows.append(
                Row(case, f"p = {chance(ours_hit, peer):.4f}", "", *better, said, better[0] / max(better[1], 1e-9))
            )
    return rows


def speed(data: Path, *, quick: bool) -> list[Row]:
    count = 10_000 if quick else 100_000
    random = np.random.default_rng(0)
    vectors = random.normal(size=(count, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    items = [Item(f"{number:06}", 0, 0, "", "", "whole") for number in range(count)]
    index = Index(Path("none"), "none").with_photos(
        items, vectors, np.zeros((count, 3, 3), np.uint8), np.ones((count, 3), np.float32)
    )
    rows = [
        Row(f"{count:,} photos: the 10 nearest", "time", "ms", least(lambda: index.nearest(vectors[7])), None, "", None)
    ]
    photo = read_image(next((data / "train").glob("*/*.jpg")))
    whole, masked = Embedder(masked=False), Embedder()
    return [
        *rows,
        Row("vector of one photo, whole", "time", "ms", least(lambda: whole.embed(photo)), None, "", None),
        Row("vector of one photo, its thing", "time", "ms", least(lambda: masked.embed(photo)), None, "", None),
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument(
        "--data", type=Path, default=DATA / "clothes_cc0",
        help="the CC0 clothes: train/CATEGORY/ID.jpg and test or validation; default: in $INTARSIA_DATA",
    )  # fmt: skip
    parser.add_argument("--grounds", type=Path, help="folder of pictures to paste things on; default: train itself")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no data at {options.data} (--data, or set INTARSIA_DATA)")
    rows = [*quality(options.data, options.grounds, quick=options.quick), *speed(options.data, quick=options.quick)]
    report("Visual search", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
