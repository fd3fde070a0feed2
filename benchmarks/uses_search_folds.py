"""Visual search: masked beside whole photos, every photo asked once of four fifths that neither head has seen it with.

    python benchmarks/uses_search_folds.py [--data path/to/clothes_cc0]

Both sides have the same encoder and a head fitted in the same way to the same photos, as they are and on busy grounds;
ours sees the thing alone. The photos of the data set's train part had helped to choose the numbers of the fit, those of
its validation part had not: they are told apart, too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import DATA, Row, arguments, report
from numpy.typing import NDArray
from uses_search import SearchNet, Vectors, chance, fitted, hits, pasted, projected, written

from intarsia.apps.search.embedding import framed
from intarsia.apps.search.foreground import find_thing
from intarsia.media.images import read_image
from intarsia.runtimes.network import Network

FOLDS = 5
MAPS = slice(0, 432)  # of the features: both strides; the silhouette of a whole photo says nothing
WHOLE = np.ones((8, 8), bool)
GROUNDS = ("as they are", "on busy grounds")


def seen(photos: list[Path], network: Network) -> list[list[Vectors]]:
    """Compute features (N, F) of things and of whole photos, each as they are and on busy grounds."""
    random = np.random.default_rng(0)
    found: list[list[list[Vectors]]] = [[[], []], [[], []]]
    for photo in photos:
        pixels = read_image(photo)
        mask, _ = find_thing(pixels)
        ground = read_image(photos[random.integers(len(photos))])
        for place, (shown, thing) in enumerate(((pixels, mask), pasted(pixels, mask, ground, random))):
            for side, part in enumerate((thing, WHOLE)):
                found[side][place].append(network.run(framed(shown, part)[None])["features"][0])
    return [[np.stack(some) for some in side] for side in found]


def asked(features: list[Vectors], own: NDArray[Any], parts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Tell whether the nearest is of the same category, for every photo as it is and on busy grounds, (2, N)."""
    found = np.zeros((2, len(own)))
    _, categories = np.unique(own, return_inverse=True)
    for part in range(FOLDS):
        rest, here = parts != part, parts == part
        head = fitted(np.concatenate([some[rest] for some in features]), np.tile(categories[rest], 2))
        for place, some in enumerate(features):
            found[place, here] = hits(projected(head, some[rest]), projected(head, some[here]), own[rest], own[here])
    return found


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, default=DATA / "clothes_cc0", help="the CC0 clothes, PART/CATEGORY/ID.jpg")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no data at {options.data} (--data, or set INTARSIA_DATA)")
    photos = sorted(options.data.glob("*/*/*.jpg"))[:: 8 if options.quick else 1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.onnx"
        written(SearchNet(), ["features"], {}, file)
        things, whole = seen(photos, Network(file))
    own = np.array([photo.parent.name for photo in photos])
    parts = np.random.default_rng(0).permutation(len(photos)) % FOLDS
    ours, peer = asked(things, own, parts), asked([some[:, MAPS] for some in whole], own, parts)
    unused = np.array([photo.parts[-3] != "train" for photo in photos])
    rows = []
    for place, name in enumerate(GROUNDS):
        for who, chosen in (("all", np.ones(len(photos), bool)), ("of validation", unused)):
            mine, theirs = ours[place, chosen], peer[place, chosen]
            case, better = f"{chosen.sum():,} {who}, {name}", (float(mine.mean()), float(theirs.mean()))
            rows.append(Row(case, "category at rank 1", "", *better, "whole photos", better[0] / better[1]))
            rows.append(Row(case, "p of a paired bootstrap", "", chance(mine, theirs), None, "", None))
    report("Visual search, every photo asked", rows, options.json, threads=1)


if __name__ == "__main__":
    main()
