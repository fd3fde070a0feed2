"""What the bundled network of edges is trained on: keyed portraits over other backgrounds, and the mask of `person`.

Portraits and alphas are congress portraits (public domain), backgrounds photos of clothes (CC0) and what is drawn here.
Every eighth portrait, by name, is left for measuring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.inference.matting import Matting, weighted_mean
from intarsia.media.images import read_image

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
HELD_OUT = 8
LONG_SIDES = (352, 512)
SHAPES = (0.66, 0.75, 0.8, 1.0, 1.33, 1.6)  # width over height
SCALES = (0.7, 2.4)  # at which portraits of 225 pixels are put into pictures
BUSY = 0.04  # of a background that `person` takes for people: those that show more are left out


@dataclass(frozen=True)
class Portrait:
    """A person cut out.

    Attributes:
        colours: (h, w, 3) the person's own, 0 to 1; carried on around the person.
        alpha: (h, w), 0 to 1.
        studio: (h, w, 3) the background that it was taken before, 0 to 1.
        top: first row that is the person's.
    """

    colours: Floats
    alpha: Floats
    studio: Floats
    top: int


@dataclass(frozen=True)
class Scene:
    """A composite and the truth of it, all (H, W).

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        mask: uint8, 0 to 255: what `person` says.
        matte: uint8, 0 to 255: what the guided filter makes of it.
        alpha: uint8, 0 to 255.
        contrast: uint8, how far people's own colours are from what is behind them.
    """

    picture: Pixels
    mask: Pixels
    matte: Pixels
    alpha: Pixels
    contrast: Pixels


class Scenes:
    """Draws scenes.

    Args:
        data: folder with portraits_public_domain/ and clothes_cc0/.
        person: tells how likely each pixel of a picture (H, W, 3) is a person, (H, W).
        held_out: draw those portraits that are left for measuring, over photos of the validation part.
    """

    def __init__(self, data: Path, person: Callable[[Pixels], Floats], *, seed: int, held_out: bool = False) -> None:
        folder = data / "portraits_public_domain"
        files = sorted((folder / "alpha").glob("*.png"))
        kept = [file for place, file in enumerate(files) if (place % HELD_OUT == 0) == held_out]
        self._pairs = [(folder / "images" / f"{file.stem}.jpg", file) for file in kept]
        part = "validation" if held_out else "train"
        self._grounds = sorted((data / "clothes_cc0" / part).glob("*/*.jpg"))
        self._person, self._random = person, np.random.default_rng(seed)
        self._known: dict[int, Portrait] = {}

    @property
    def counts(self) -> tuple[int, int]:
        """Of portraits and of photos behind them."""
        return len(self._pairs), len(self._grounds)

    def draw(self) -> Scene:
        """Draw one to four people before something."""
        random = self._random
        long_side, shape = random.uniform(*LONG_SIDES), random.choice(SHAPES)
        rows, columns = (round(long_side / max(1.0, shape)), round(long_side * min(1.0, shape)))
        size = (rows, columns)
        people = self._row_of_people(size)
        behind = self._ground(size, people[0][2])
        alpha, own, scene = np.zeros(size, np.float32), np.zeros((*size, 3), np.float32), behind
        for colours, share, _ in people:
            share = share[..., None]
            scene = scene + share * (colours - scene)
            own = own + share * (colours - own)
            alpha = alpha + share[..., 0] * (1 - alpha)
        apart = np.abs(own / np.maximum(alpha, 0.05)[..., None] - behind).max(axis=2)
        picture = self._taken(scene)
        mask = self._jittered(self._person(picture))
        matte = Matting(picture, mask, size).alpha
        return Scene(picture, *(_bytes(one) for one in (mask, matte, alpha, apart)))

    def _row_of_people(self, size: tuple[int, int]) -> list[tuple[Floats, Floats, Floats]]:
        """Colours, alpha and studio of people side by side, whose shoulders reach the borders or one another."""
        random, (rows, columns) = self._random, size
        counts = [count for count in (1, 2, 3, 4) if SCALES[0] <= columns / (225 * 0.85 * count) <= SCALES[1]]
        count = int(random.choice(counts, p=_shares(len(counts))))
        found = []
        for place in random.permutation(count):
            portrait = self._portrait(int(random.integers(len(self._pairs))))
            scale = columns / (225 * 0.85 * count) * random.uniform(1.0, 1.3)
            lift = random.uniform(0.02, 0.35) * rows
            down = max(lift - portrait.top * scale, rows - portrait.alpha.shape[0] * scale)
            centre = (place + 0.5) * columns / count + random.uniform(-0.06, 0.06) * columns / count
            found.append(self._placed(portrait, size, scale, centre, down))
        return found

    def _placed(
        self, portrait: Portrait, size: tuple[int, int], scale: float, centre: float, down: float
    ) -> tuple[Floats, Floats, Floats]:
        random = self._random
        height, width = portrait.alpha.shape
        turn = cv2.getRotationMatrix2D((width / 2, height), float(np.clip(random.normal(0, 3), -6, 6)), scale)
        turn[:, 2] += (centre - width / 2, down + height * scale - height)
        if random.random() < 0.5:
            turn[:, 2] += turn[:, 0] * (width - 1)
            turn[:, 0] *= -1
        kind = cv2.INTER_AREA if scale < 1 else random.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])
        soft = (scale < 0.95) * 0.35 / scale
        found = []
        for plane, border in (
            (portrait.colours, cv2.BORDER_REPLICATE), (portrait.alpha, cv2.BORDER_REPLICATE),
            (portrait.studio, cv2.BORDER_REPLICATE),
        ):  # fmt: skip
            smooth = cv2.GaussianBlur(plane, (0, 0), soft) if soft else plane
            moved = cv2.warpAffine(smooth, turn, size[::-1], flags=int(kind), borderMode=border)
            found.append(np.clip(moved, 0, 1).astype(np.float32))
        return self._lit(found[0]), found[1], found[2]

    def _portrait(self, number: int) -> Portrait:
        if number not in self._known:
            photo, alpha = self._pairs[number]
            share = cv2.imread(str(alpha), cv2.IMREAD_GRAYSCALE)
            assert share is not None, alpha
            self._known[number] = cut_out(read_image(photo), share)
        return self._known[number]

    def _ground(self, size: tuple[int, int], studio: Floats) -> Floats:
        """What is behind: mostly a part of a photo, sharp or blurred; a drawn pattern, a colour, the studio."""
        random, kind = self._random, self._random.random()
        if kind < 0.1:
            return self._lit(studio)
        if kind < 0.2:
            made = np.broadcast_to(random.uniform(0, 1, 3).astype(np.float32), (*size, 3)).copy()
        elif kind < 0.35:
            made = self._pattern(size)
        else:
            made = self._part(size)
        if random.random() < 0.35:
            made = np.asarray(cv2.GaussianBlur(made, (0, 0), random.uniform(1, 12)), np.float32)
        return self._lit(made)

    def _part(self, size: tuple[int, int]) -> Floats:
        """A part of a photo in which `person` sees nobody."""
        random = self._random
        while True:
            photo = read_image(self._grounds[random.integers(len(self._grounds))])
            share = random.uniform(0.35, 1)
            side = [max(2, round(length * share)) for length in photo.shape[:2]]
            top, left = (
                int(random.integers(0, whole - part + 1)) for whole, part in zip(photo.shape, side, strict=False)
            )
            part = photo[top : top + side[0], left : left + side[1]]
            made = np.asarray(cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            if float((self._person(made) > 0.5).mean()) < BUSY:
                return made.astype(np.float32) / np.float32(255)

    def _pattern(self, size: tuple[int, int]) -> Floats:
        """Noise of several sizes between colours, or stripes."""
        random = self._random
        first, second = random.uniform(0, 1, (2, 3)).astype(np.float32)
        if random.random() < 0.4:
            y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
            angle, width = random.uniform(0, np.pi), random.uniform(4, 60)
            weight = 0.5 + 0.5 * np.tanh(4 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / width))
        else:
            weight = np.zeros(size, np.float32)
            for cells in (3, 8, 20, 60):
                noise = random.normal(0, 1, (cells, cells)).astype(np.float32)
                weight += cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC) * random.uniform(0.1, 0.5)
            weight = 1 / (1 + np.exp(-3 * weight))
        return np.asarray(first + weight[..., None] * (second - first), np.float32)

    def _lit(self, colours: Floats) -> Floats:
        """Other light: gains, gamma, sometimes grey."""
        random = self._random
        gains = random.uniform(0.75, 1.2) * random.uniform(0.88, 1.12, 3)
        made = np.clip(colours, 0, 1) ** np.float32(np.exp(random.uniform(-0.4, 0.4))) * gains.astype(np.float32)
        return np.clip(made, 0, 1).astype(np.float32)

    def _jittered(self, mask: Floats) -> Floats:
        """The mask, sometimes moved or blurred by a pixel or two, as at other sizes and on other frames."""
        random = self._random
        if random.random() < 0.2:
            moved = np.array([[1, 0, random.normal(0, 1)], [0, 1, random.normal(0, 1)]])
            mask = np.asarray(
                cv2.warpAffine(mask, moved, mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32
            )
        if random.random() < 0.2:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), random.uniform(0.5, 2.5)), np.float32)
        return np.ascontiguousarray(mask)

    def _taken(self, scene: Floats) -> Pixels:
        """As a camera takes it: a little blurred, with noise, compressed."""
        random = self._random
        if random.random() < 0.3:
            scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), random.uniform(0.3, 0.9)), np.float32)
        if random.random() < 0.05:
            scene = np.repeat(scene.mean(axis=2, keepdims=True), 3, axis=2)
        noisy = scene + random.normal(0, 1, scene.shape).astype(np.float32) * random.uniform(0, 5) / np.float32(255)
        picture = _bytes(noisy)
        if random.random() < 0.6:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(45, 96))]
            picture = np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR), np.uint8)
        return picture


def cut_out(photo: Pixels, share: Pixels) -> Portrait:
    """Take the studio's background, a cubic surface, out of the edge of a portrait (h, w, 3), alpha (h, w)."""
    alpha, colours = (one.astype(np.float32) / np.float32(255) for one in (share, photo))
    rows, columns = alpha.shape
    y, x = np.mgrid[:rows, :columns] / np.array([rows, columns])[:, None, None] - 0.5
    terms = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=-1)
    away = alpha == 0
    studio = (terms @ np.linalg.lstsq(terms[away], colours[away], rcond=None)[0]).clip(0, 1).astype(np.float32)
    covered = np.maximum(alpha, 0.2)[..., None]
    own = np.clip((colours - (1 - covered) * studio) / covered, 0, 1)
    around = weighted_mean(own, (alpha > 0.6).astype(np.float32), 3)
    own = np.where(alpha[..., None] > 0.3, own, around).astype(np.float32)
    alpha[0] = 0  # so that nothing is carried on above
    return Portrait(own, alpha, studio, int(np.argmax((alpha > 0.5).any(axis=1))))


def _shares(count: int) -> NDArray[np.float64]:
    """One person is likelier than many."""
    weights = 1 / np.sqrt(np.arange(1, count + 1))
    return np.asarray(weights / weights.sum())


def _bytes(values: Floats) -> Pixels:
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
