"""What the bundled network of clicks is trained on: real masks, made wrong as predictions are, and clicked right again.

`labelled` reads the sets whose terms allow weights to be given away, each without its last fifth (by name, a liver's by
patient) or without its official validation part; `Scenes` draws from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from defusedxml import ElementTree
from numpy.typing import NDArray

from intarsia.inference.clicks.view import View
from intarsia.media.images import read_image

UNKNOWN, OUTSIDE = 255, 252
SIDE = 128
LONG_SIDE = 576
PASTED, OTHER = 250, 251  # classes that no set has
GREY = (114, 114, 114)
Labels = NDArray[np.uint8]
Pixels = NDArray[np.uint8]


def train_part(names: list[str]) -> list[str]:
    """The first four fifths of sorted names."""
    return sorted(names)[: len(names) - len(names) // 5]


def labelled(data: Path) -> Iterator[tuple[str, Pixels, Labels]]:
    """Read all training pictures: name of the set, pixels (H, W, 3), labels (H, W) with 255 for unknown."""
    for photo in sorted((data / "camvid" / "train").glob("*.*")):
        labels = grey(data / "camvid" / "trainannot" / f"{photo.stem}.png")
        yield "camvid", read_image(photo), np.where(labels == 11, UNKNOWN, labels).astype(np.uint8)
    for name, photos, masks, high in (
        ("clothes_ccp", "images", "masks", None), ("isbi_em", "image", "label", 127),
        ("liver_ct_slices", "images", "masks", 127), ("portraits_public_domain", "images", "alpha", 127),
    ):  # fmt: skip
        for photo, mask in pairs(data / name / photos, data / name / masks, by_patient=name.startswith("liver")):
            labels = indices(mask) if high is None else (grey(mask) > high).astype(np.uint8)
            yield name, read_image(photo), labels
    for name in ("handwriting", "handwriting_wills", "handwriting_registers"):
        pages = {page.stem: page for page in (data / name).rglob("*.xml") if "chocomufin" not in page.name}
        for stem in train_part(list(pages)):
            for photo in pages[stem].parent.glob(f"{stem}.[jp][pn]g"):
                pixels = read_image(photo)
                yield name, pixels, lines(pages[stem], pixels.shape[:2])


def pairs(photos: Path, masks: Path, *, by_patient: bool) -> list[tuple[Path, Path]]:
    """Photos of the training part and their masks."""
    found = {mask.stem: mask for mask in masks.iterdir()}
    both = {photo.stem: photo for photo in photos.iterdir() if photo.stem in found}
    of = {stem: stem.split("_")[1] if by_patient else stem for stem in both}
    groups = set(train_part(list(set(of.values()))))
    return [(both[stem], found[stem]) for stem in sorted(both) if of[stem] in groups]


def grey(file: Path) -> Labels:
    """Read a mask of one channel as it is stored."""
    read = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    assert read is not None, file
    return np.asarray(read, np.uint8)


def indices(file: Path) -> Labels:
    """Read a palette's indices."""
    from PIL import Image

    with Image.open(file) as image:
        return np.asarray(image, np.uint8)


def lines(page: Path, size: tuple[int, ...]) -> Labels:
    """Draw the lines of an ALTO page: each gets 1, 2 or 3, so that neighbours differ; between them lies 0."""
    made = np.zeros(size, np.uint8)
    tree = ElementTree.parse(page)
    for number, line in enumerate(tree.iterfind(".//{*}TextLine")):
        polygon = line.find("{*}Shape/{*}Polygon")
        if polygon is not None:
            points = np.array([float(value) for value in polygon.get("POINTS", "").replace(",", " ").split()])
            cv2.fillPoly(made, [points.reshape(-1, 2).round().astype(np.int32)], 1 + number % 3)
    return made


@dataclass(frozen=True)
class Scene:
    """A square part of a picture under correction.

    Attributes:
        pixels: (S, S, 3).
        truth: (S, S); 255 where it is unknown, 252 outside the picture.
        now: (S, S), the labels so far; 252 outside the picture.
        clicks: (x, y, class), the newest last.
    """

    pixels: Pixels
    truth: Labels
    now: Labels
    clicks: tuple[tuple[int, int, int], ...] = ()

    def view(self) -> View:
        """What the network sees of it."""
        x, y, wanted = self.clicks[-1]
        source = component(self.now == self.now[y, x], x, y)
        yes = tuple((float(cx), float(cy)) for cx, cy, kind in self.clicks if kind == wanted)
        no = tuple((float(cx), float(cy)) for cx, cy, kind in self.clicks if kind != wanted)
        return View(self.pixels, self.now == wanted, source, self.truth != OUTSIDE, yes, no)

    def target(self) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """The thing that was clicked, (S, S), and how much each pixel counts, (S, S)."""
        x, y, wanted = self.clicks[-1]
        alike = self.truth == wanted
        thing = component(alike, x, y)
        weight = np.where(self.now == wanted, np.float32(0.1), np.float32(1))
        weight[(self.truth >= OUTSIDE) | (alike & ~thing)] = 0
        return thing, weight

    def moved(self, likely: NDArray[np.bool_]) -> Scene:
        """Apply the newest click."""
        x, y, wanted = self.clicks[-1]
        change = likely & (self.now != wanted) & (self.truth != OUTSIDE)
        change[y, x] = True
        now = self.now.copy()
        now[component(change, x, y)] = wanted
        return replace(self, now=now)

    def clicked(self, random: np.random.Generator) -> Scene | None:
        """Click into a large part that is wrong, deep inside rather than at its border; None where all is right."""
        wrong = (self.now != self.truth) & (self.truth < OUTSIDE)
        if wrong.sum() < 25:
            return None
        depth = cv2.distanceTransform(np.pad(wrong, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(_drawn(depth**3, random), depth.shape)
        part = component(wrong & (self.truth == self.truth[y, x]), int(x), int(y))
        inner = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(_drawn(np.where(inner > 0.4 * inner.max(), inner, 0), random), inner.shape)
        return replace(self, clicks=(*self.clicks, (int(x), int(y), int(self.truth[y, x]))))


def component(mask: NDArray[np.bool_], x: int, y: int) -> NDArray[np.bool_]:
    """The connected part of a mask that holds a point."""
    found = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_16U)[1]
    return np.asarray(mask & (found == found[y, x]))


def _drawn(weights: NDArray[np.floating], random: np.random.Generator) -> int:
    total = np.cumsum(weights.ravel(), dtype=np.float64)
    return int(np.searchsorted(total, random.uniform(0, total[-1]), side="right").clip(max=total.size - 1))


class Scenes:
    """Draws scenes from labelled pictures.

    Args:
        data: folder of the sets.
        weights: how often each set is drawn from.
        seed: of the draws.
    """

    def __init__(self, data: Path, weights: dict[str, float], seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._sets: dict[str, list[tuple[Pixels, Labels]]] = {}
        for name, pixels, labels in labelled(data):
            scale = min(1.0, (LONG_SIDE if name != "handwriting" else 1400) / max(labels.shape))
            size = (round(labels.shape[1] * scale), round(labels.shape[0] * scale))
            small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            self._sets.setdefault(name, []).append((small, cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)))
        self._names = sorted(self._sets)
        shares = np.array([weights.get(name, 0.0) for name in self._names])
        self._shares = shares / shares.sum()
        self.counts = {name: len(found) for name, found in self._sets.items()}

    def draw(self) -> Scene:
        """Draw a scene with its first click."""
        while True:
            scene = self._clean()
            if scene is not None:
                now = self._wrong(scene.truth)
                now[scene.truth == OUTSIDE] = OUTSIDE
                clicked = replace(scene, now=now).clicked(self._random)
                if clicked is not None:
                    return clicked

    def _clean(self) -> Scene | None:
        random = self._random
        name = str(random.choice(self._names, p=self._shares))
        pixels, labels = self._any(name)
        if name == "portraits_public_domain" or random.random() < 0.2:
            ground, under = self._any(str(random.choice(self._names, p=self._shares)))
            pixels, labels = _pasted(pixels, labels, ground, under, random)
        labels = _merged(labels, random)
        square = _square(labels, random)
        if square is None:
            return None
        matrix = _onto(square)
        shrinks = square[2] > 1.5 * SIDE
        if shrinks:  # from a smaller copy, so that nothing is skipped
            factor = SIDE / square[2]
            pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            seen = cv2.warpAffine(pixels, matrix @ np.diag([1 / factor, 1 / factor, 1]), (SIDE, SIDE), borderValue=GREY)
        else:
            seen = cv2.warpAffine(pixels, matrix, (SIDE, SIDE), borderValue=GREY)
        truth = cv2.warpAffine(
            labels,
            matrix,
            (SIDE, SIDE),
            flags=cv2.INTER_NEAREST,
            borderValue=OUTSIDE,  # type: ignore[call-overload]
        )
        if random.random() < 0.5:
            seen, truth = np.ascontiguousarray(seen[:, ::-1]), np.ascontiguousarray(truth[:, ::-1])
        if random.random() < 0.2:
            seen, truth = np.ascontiguousarray(seen.transpose(1, 0, 2)), np.ascontiguousarray(truth.T)
        return Scene(_lit(seen, random), truth, truth)

    def _any(self, name: str) -> tuple[Pixels, Labels]:
        found = self._sets[name]
        return found[self._random.integers(len(found))]

    def _wrong(self, truth: Labels) -> Labels:
        """Make labels as a prediction might be, or empty ones."""
        random = self._random
        present = np.unique(truth[truth < OUTSIDE])
        if not len(present):
            return truth.copy()
        if random.random() < 0.3:
            return np.full_like(truth, present[0] if random.random() < 0.5 else OTHER)
        others = [*present.tolist(), OTHER]
        now = truth.copy()
        now[now == UNKNOWN] = random.choice(others)
        for _ in range(random.integers(0, 3)):  # a thing, or a part of it, has another class
            y, x = (int(random.integers(SIDE)) for _ in range(2))
            part = component(truth == truth[y, x], x, y)
            if random.random() < 0.4:
                part &= _half(x, y, random)
            now[part] = random.choice(others)
        if random.random() < 0.4:  # blobs
            now[_noise(random, int(random.integers(3, 9))) > random.uniform(0.8, 2)] = random.choice(others)
        if random.random() < 0.3:  # eroded or dilated
            kind = random.choice(others)
            side = int(random.integers(2, 12))
            grown = cv2.morphologyEx(
                (now == kind).astype(np.uint8), int(random.choice([cv2.MORPH_ERODE, cv2.MORPH_DILATE])),
                np.ones((side, side), np.uint8),
            ) > 0  # fmt: skip
            lost = (now == kind) & ~grown
            now[grown], now[lost] = kind, random.choice(others)
        if random.random() < 0.3:  # coarse
            small = cv2.resize(now, (int(random.integers(12, 64)),) * 2, interpolation=cv2.INTER_NEAREST)
            now = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
        return _bent(now, random)


def _half(x: int, y: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """One side of a line through a point."""
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return np.asarray(np.cos(angle) * (columns - x) + np.sin(angle) * (rows - y) > 0)


def _noise(random: np.random.Generator, cells: int) -> NDArray[np.float32]:
    """Smooth noise of deviation about 1, (S, S)."""
    coarse = random.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def _bent(labels: Labels, random: np.random.Generator) -> Labels:
    """Shift borders here and there."""
    reach, cells = random.uniform(0, 6), int(random.integers(4, 24))
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.asarray(
        cv2.remap(
            labels, columns + reach * _noise(random, cells), rows + reach * _noise(random, cells), cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_REPLICATE,
        ), np.uint8,
    )  # fmt: skip


def _merged(labels: Labels, random: np.random.Generator) -> Labels:
    """Now and then only two classes: some against all others."""
    if random.random() < 0.6:
        return labels
    present = np.unique(labels[labels != UNKNOWN])
    if len(present) < 3:
        return labels
    chosen = random.permutation(present[1:])[: random.integers(1, len(present))]
    if random.random() < 0.5:
        chosen = present[1:]  # whatever is not background
    table = np.zeros(256, np.uint8)
    table[chosen], table[UNKNOWN] = 1, UNKNOWN
    return table[labels]


def _square(labels: Labels, random: np.random.Generator) -> tuple[float, float, float] | None:
    """Left, top and side of a part that shows a thing of any class, close by or with what is around it."""
    present = np.unique(labels[labels != UNKNOWN])
    if not len(present):
        return None
    kind = random.choice(present)
    found = cv2.connectedComponentsWithStats((labels == kind).astype(np.uint8), connectivity=4, ltype=cv2.CV_16U)
    stats = found[2][1:]
    large = stats[stats[:, cv2.CC_STAT_AREA] >= 30]
    if not len(large):
        return None
    left, top, width, height, _ = random.choice(large)
    longest = max(labels.shape)
    side = float(np.clip(max(width, height) * np.exp(random.uniform(np.log(0.8), np.log(3.5))), 40, longest))
    x = left + width * random.uniform(0.2, 0.8) - side * random.uniform(0.3, 0.7)
    y = top + height * random.uniform(0.2, 0.8) - side * random.uniform(0.3, 0.7)
    tall, wide = labels.shape
    x, y = (
        float(np.clip(start, min(0, length - side), max(0, length - side))) for start, length in ((x, wide), (y, tall))
    )
    return x, y, side


def _onto(square: tuple[float, float, float]) -> NDArray[np.float64]:
    left, top, side = square
    scale = SIDE / side
    return np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])


def _pasted(
    pixels: Pixels, labels: Labels, ground: Pixels, under: Labels, random: np.random.Generator
) -> tuple[Pixels, Labels]:
    """Put all that is no background on another picture, as one class."""
    thing = (labels > 0) & (labels != UNKNOWN)
    if not thing.any():
        return pixels, labels
    size = ground.shape[1::-1]
    scale = random.uniform(0.3, 1.0) * min(size[0] / thing.shape[1], size[1] / thing.shape[0])
    x, y = (
        random.uniform(-0.2, 1.2) * (room - scale * length)
        for room, length in zip(size, thing.shape[::-1], strict=True)
    )
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    share = cv2.warpAffine(cv2.GaussianBlur(thing.astype(np.float32), (3, 3), 0), matrix, size)[..., None]
    moved = cv2.warpAffine(pixels, matrix, size).astype(np.float32)
    mixed = np.rint(ground + share * (moved - ground)).astype(np.uint8)
    return mixed, np.where(share[..., 0] > 0.5, np.uint8(PASTED), under)


def _lit(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Other light and colour."""
    changed = pixels.astype(np.float32)
    if random.random() < 0.15:
        changed[:] = changed.mean(axis=2, keepdims=True)
    changed = changed * random.uniform(0.75, 1.25, 3 if random.random() < 0.5 else 1) + random.uniform(-25, 25)
    if random.random() < 0.15:
        changed = cv2.GaussianBlur(changed, (0, 0), random.uniform(0.4, 1.5))
    if random.random() < 0.15:
        changed += random.normal(0, random.uniform(2, 10), changed.shape)
    return np.asarray(changed.clip(0, 255), np.uint8)
