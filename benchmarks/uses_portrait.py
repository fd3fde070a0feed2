"""Portrait mode: alpha at edges beside mask, guided filter, pymatting and GrabCut; leaks; seconds of a large photo.

Keyed portraits (portraits_public_domain/ in INTARSIA_DATA: images/NAME.jpg and alpha/NAME.png) are put over textures
and plain colours (of scikit-image); of every eighth portrait, which the network of edges has not seen. pymatting is
compared where it is installed. Everybody starts from the same mask of the bundled model. Errors are x 1000, within a
band around the true edge (pixels with 0 < alpha < 1, five of the portrait's own pixels wider on each side); colours in
levels of 255, where alpha is between .1 and .98.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from common import DATA, Row, arguments, report
from numpy.typing import NDArray

import intarsia
from intarsia.apps.grounds import Blur
from intarsia.apps.portrait import put_before
from intarsia.inference.edges import EdgeFinder
from intarsia.inference.matting import INSIDE, Matting, working_size

Floats = NDArray[np.float32]
GROUNDS = ("coffee", "brick", "grass", "gravel", "rocket", "hubble_deep_field")
PLAIN = ((0, 0, 255), (25, 128, 25), (230, 230, 230), (76, 64, 51))
HELD_OUT = 8  # as in tools/edge_scenes.py
SCALE = 3  # portraits are small; at this scale edges are as soft as in photos
METRICS = (("alpha error", "x1000"), ("colour error", "levels"), ("gradient error", "x1000"))


class Composite(NamedTuple):
    """A portrait over another background, and the truth of it."""

    picture: NDArray[np.uint8]
    alpha: Floats
    colours: Floats


def composites(folder: Path, count: int) -> Iterator[Composite]:
    """Portraits that are spread over the folder, each over the next background."""
    rng = np.random.default_rng(0)
    names = sorted(path.stem for path in (folder / "alpha").glob("*.png"))[::HELD_OUT]
    grounds = _grounds()
    for index, name in enumerate(names[:: max(1, len(names) // count)][:count]):
        photo = cv2.imread(str(folder / "images" / f"{name}.jpg"))[..., ::-1].astype(np.float32) / 255
        alpha = cv2.imread(str(folder / "alpha" / f"{name}.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        size = (alpha.shape[1] * SCALE, alpha.shape[0] * SCALE)
        own = _own_colours(photo, alpha)
        alpha, own = (np.clip(cv2.resize(one, size, interpolation=cv2.INTER_CUBIC), 0, 1) for one in (alpha, own))
        behind = cv2.resize(grounds[index % len(grounds)], size, interpolation=cv2.INTER_AREA)
        mixed = alpha[..., None] * own + (1 - alpha[..., None]) * behind
        noisy = mixed + rng.normal(0, 1 / 255, (*alpha.shape, 1))
        yield Composite(np.rint(255 * np.clip(noisy, 0, 1)).astype(np.uint8), alpha, own)


def _own_colours(photo: Floats, alpha: Floats) -> Floats:
    """The person's colours: the studio's background, a cubic surface, taken out of the edge."""
    rows, columns = alpha.shape
    y, x = np.mgrid[:rows, :columns] / np.array([rows, columns])[:, None, None] - 0.5
    terms = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=-1)
    behind = terms @ np.linalg.lstsq(terms[alpha == 0], photo[alpha == 0], rcond=None)[0]
    share = np.maximum(alpha, 0.1)[..., None]
    found: Floats = np.where(alpha[..., None] > 0.1, np.clip((photo - (1 - share) * behind) / share, 0, 1), photo)
    return found.astype(np.float32)


def _grounds() -> list[Floats]:
    import skimage.data

    found = []
    for name in GROUNDS:
        picture = getattr(skimage.data, name)()
        found.append((np.dstack([picture] * 3) if picture.ndim == 2 else picture[..., :3]).astype(np.float32) / 255)
    return found + [np.full((8, 8, 3), np.array(colour) / 255, np.float32) for colour in PLAIN]


def _filtered(picture: NDArray[np.uint8], mask: Floats) -> tuple[Floats, Floats]:
    return _drawn(picture, mask, fine=False)


def _drawn(picture: NDArray[np.uint8], mask: Floats, *, fine: bool) -> tuple[Floats, Floats]:
    size = picture.shape[:2]
    small = cv2.resize(picture, working_size(*size)[::-1], interpolation=cv2.INTER_AREA)
    shares = cv2.resize(mask, small.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    matte = Matting(small, shares, size, fine=fine).rows(0, picture)
    alpha = (matte.kinds == INSIDE).astype(np.float32)
    alpha.reshape(-1)[matte.edge] = matte.alpha
    colours = picture.astype(np.float32) / 255
    colours.reshape(-1, 3)[matte.edge] = matte.colours.T / 255
    return alpha, colours


def _grabcut(picture: NDArray[np.uint8], mask: Floats) -> tuple[Floats, Floats]:
    inside, outside = _sure(mask)
    kinds = np.where(mask > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    kinds[inside], kinds[outside] = cv2.GC_FGD, cv2.GC_BGD
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.grabCut(bgr, kinds, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    return (kinds % 2).astype(np.float32), picture.astype(np.float32) / 255


def _pymatting(picture: NDArray[np.uint8], mask: Floats) -> tuple[Floats, Floats]:
    from pymatting import estimate_alpha_cf, estimate_foreground_ml

    inside, outside = _sure(mask)
    colours = picture / 255.0
    alpha = estimate_alpha_cf(colours, np.where(inside, 1.0, np.where(outside, 0.0, 0.5)))
    return alpha.astype(np.float32), estimate_foreground_ml(colours, alpha).astype(np.float32)


def _sure(mask: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where everybody may be sure: the same margin of a mask pixel as ours."""
    radius = round(max(mask.shape) / 256)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    inside, outside = (cv2.erode(one.view(np.uint8), disc, borderValue=1) > 0 for one in (mask > 0.9, mask < 0.1))
    return inside, outside


def _errors(found: tuple[Floats, Floats], truth: Composite) -> tuple[float, float, float]:
    edge = ((truth.alpha > 0) & (truth.alpha < 1)).view(np.uint8)
    band = cv2.dilate(edge, np.ones((10 * SCALE + 1, 10 * SCALE + 1), np.uint8)) > 0
    mixed = (truth.alpha > 0.1) & (truth.alpha < 0.98)
    colours = np.abs(found[1] - truth.colours)[mixed].mean()
    steep = np.abs(_steepness(found[0]) - _steepness(truth.alpha))[band].mean()
    return 1000 * float(np.abs(found[0] - truth.alpha)[band].mean()), 255 * float(colours), 1000 * float(steep)


def _steepness(alpha: Floats) -> Floats:
    """How steep alpha is, as the gradient error of alphamatting.com smooths it."""
    found: Floats = np.hypot(*np.gradient(cv2.GaussianBlur(alpha, (0, 0), 1.4)))
    return found


def edges(folder: Path, count: int, peers: list[str]) -> list[Row]:
    """Errors of alpha and colours, ours beside each peer's, and the seconds of each."""
    predictor, finder = intarsia.load("person"), EdgeFinder(threads=1)
    methods: dict[str, Any] = {
        "mask alone": lambda picture, mask: (mask, picture.astype(np.float32) / 255),
        "ours": lambda picture, mask: _drawn(picture, finder.alpha(picture, mask), fine=True),
        "guided filter": _filtered, "GrabCut": _grabcut, "pymatting": _pymatting,
    }  # fmt: skip
    errors: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    taken: dict[str, list[float]] = defaultdict(list)
    for truth in composites(folder, count):
        mask = np.ascontiguousarray(predictor.probabilities(truth.picture)[1])
        for name in ("mask alone", "ours", "guided filter", *peers):
            start = time.process_time()
            found = methods[name](truth.picture, mask)
            taken[name].append(time.process_time() - start)
            errors[name].append(_errors(found, truth))
    rows = []
    for name in ("mask alone", "guided filter", *peers):
        for at, (metric, unit) in enumerate(METRICS):
            ours, peer = (float(np.mean([one[at] for one in errors[key]])) for key in ("ours", name))
            rows.append(Row(f"edges of {len(errors[name])} composites", metric, unit, ours, peer, name, peer / ours))
        ours, peer = min(taken["ours"]), min(taken[name])
        rows.append(Row("matting 675x825", "processor time", "s", ours, peer, name, peer / ours))
    return rows


def leaks() -> list[Row]:
    """Red on blue: how much red is behind the person; and how far a plain wall is from its own colour."""
    y, x = np.mgrid[:400, :600]
    alpha = np.clip(120.5 - np.hypot(x - 300, y - 200), 0, 1).astype(np.float32)
    mixed = alpha[..., None] * np.array([255, 0, 0]) + (1 - alpha[..., None]) * np.array([0, 0, 255])
    drawn = put_before(np.rint(mixed).astype(np.uint8), alpha, Blur(1.0))
    naive = cv2.blur(np.rint(mixed).astype(np.uint8), (48, 48))
    outside = alpha == 0
    rows = []
    for metric, channel, off in (("red behind the person", 0, 0), ("blue lost", 2, 255)):
        ours, peer = (float(np.abs(one[..., channel][outside] - float(off)).max()) for one in (drawn, naive))
        rows.append(Row("red disc on blue", metric, "levels", ours, peer, "blur of the whole photo", None))
    return rows


def large(megapixels: int) -> list[Row]:
    """Seconds of processor time that a large photo takes once it is decoded."""
    import skimage.data

    side = round((megapixels * 1e6) ** 0.5)
    photo = cv2.resize(skimage.data.astronaut(), (side, side), interpolation=cv2.INTER_CUBIC)
    predictor = intarsia.load("person")
    shares = np.ascontiguousarray(predictor.probabilities(photo)[1])
    start = time.process_time()
    put_before(photo, shares, Blur(0.6))
    taken = time.process_time() - start
    return [Row(f"photo of {megapixels} megapixels", "processor time of the drawing", "s", taken, None, "", None)]


def main() -> None:
    parser = arguments(__doc__ or "")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows = leaks() + large(4 if args.quick else 24)
    portraits = DATA / "portraits_public_domain"
    if portraits.is_dir():
        peers = ["GrabCut", *(["pymatting"] if find_spec("pymatting") else [])]
        rows += edges(portraits, 6 if args.quick else 20, peers)
    else:
        print(f"no portraits at {portraits} (set INTARSIA_DATA): edges are not measured")
    report("Portrait mode", rows, args.json, threads=1)


if __name__ == "__main__":
    main()
