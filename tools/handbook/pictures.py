"""Draw the pictures of the tutorials anew, of samples that may be shown; and, of $INTARSIA_DATA, search and portraits.

PYTHONPATH=tools:tests:. python -m handbook.pictures
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from docs.made import MADE
from PIL import Image, ImageDraw, ImageOps

import intarsia
from handbook.stage import DOCS
from intarsia.apps.portrait import portrait
from intarsia.labels import LabelSpace
from intarsia.result.renders import blend

OUT = DOCS / "tutorials"
PORTRAITS = ("C001101", "P000449")  # of those that the network of edges was not trained on


def main() -> None:
    """Draw all of them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _first_mask(place)
        _map()
        _slice()
        _scan(place)
        if "INTARSIA_DATA" in os.environ:
            _search(Path(os.environ["INTARSIA_DATA"]) / "clothes_cc0", place)
            _edges(Path(os.environ["INTARSIA_DATA"]) / "portraits_public_domain" / "images")
            _try_on(Path(os.environ["INTARSIA_DATA"]) / "clothes_cc0" / "validation")


def _save(pixels: np.ndarray, name: str, side: int) -> None:
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    picture.save(OUT / name, quality=85)


def _first_mask(place: Path) -> None:
    MADE["photo.jpg"](place / "photo.jpg")
    _save(np.asarray(intarsia.segment(place / "photo.jpg", "person").overlay()), "first-mask.jpg", 400)


def _map() -> None:
    from docs.made import aerial

    picture, labels = aerial(0)
    space = LabelSpace(("ground", "building"), ((90, 130, 70), (250, 180, 20)))
    _save(_beside(picture, blend(picture, labels, space), 2), "map.jpg", 660)


def _slice() -> None:
    from docs.made import body

    values, labels = body(0)
    grey = np.clip((values[..., 3] + 160) * (255 / 360), 0, 255).astype(np.uint8)
    picture = np.repeat(grey.T[::-1, :, None], 3, axis=2)
    space = LabelSpace(("background", "liver"), ((0, 0, 0), (220, 70, 60)))
    drawn = blend(np.ascontiguousarray(picture), np.ascontiguousarray(labels[..., 3].T[::-1]), space)
    _save(_beside(picture, drawn, 6), "ct.jpg", 620)


def _scan(place: Path) -> None:
    MADE["scan.laz"](place / "scan.laz")
    found = intarsia.segment(place / "scan.laz")
    _save(np.asarray(found.render("top").convert("RGB")), "scan.jpg", 600)


def _search(clothes: Path, place: Path, side: int = 150) -> None:
    """A shirt and a pair of shoes, and the five photos that are nearest to each among some of every category."""
    from intarsia.apps import search

    for kind in sorted((clothes / "train").iterdir()):
        (place / "clothes" / kind.name).mkdir(parents=True)
        for photo in sorted(kind.iterdir())[::12]:
            (place / "clothes" / kind.name / photo.name).symlink_to(photo)
    index = search.build(place / "clothes", place / "clothes.index").index
    picture = Image.new("RGB", (6 * (side + 8) + 2, 2 * (side + 22)), "white")
    pen = ImageDraw.Draw(picture)
    for row, kind in enumerate(("shirt", "shoes")):
        asked = sorted((clothes / "validation" / kind).iterdir())[2]
        found = [(place / one.path, f"{one.rank}. {one.item.folder}") for one in index.find(asked, count=5)]
        for column, (path, title) in enumerate([(asked, "asked"), *found]):
            left, top = column * (side + 8) + (10 if column else 0), row * (side + 22)
            pen.text((left, top + 2), title, fill="black")
            photo = ImageOps.exif_transpose(Image.open(path).convert("RGB"))
            picture.paste(ImageOps.fit(photo, (side, side)), (left, top + 16))
    picture.save(DOCS / "search.jpg", quality=82)


def _edges(portraits: Path) -> None:
    """Portraits as they are, before green and before yellow."""
    parts = []
    for name in PORTRAITS:
        photo = portraits / f"{name}.jpg"
        parts += [np.asarray(Image.open(photo).convert("RGB"))]
        parts += [np.asarray(portrait(photo, background=colour)) for colour in ("#3a5a40", "#e9c46a")]
    Image.fromarray(np.hstack(parts)).save(DOCS / "portrait-edges.jpg", quality=88)


def _try_on(clothes: Path, side: int = 220) -> None:
    """Two laid-out garments, cut out as search does it, as they are, in a colour and in a tartan: nobody is shown."""
    from intarsia.apps.search.foreground import cut_out
    from intarsia.apps.tryon.wearing import Wish, wear

    model = intarsia.load("clothes")
    rows = []
    for kind, number in (("dress", 1), ("t-shirt", 1)):
        photo = ImageOps.exif_transpose(Image.open(sorted((clothes / kind).iterdir())[number]).convert("RGB"))
        pixels = np.asarray(ImageOps.fit(photo, (2 * side, 2 * side)))
        mask = Image.fromarray(cut_out(pixels)).convert("L").resize(pixels.shape[1::-1], Image.Resampling.BICUBIC)
        labels = np.where(np.asarray(mask) > 127, model.space.index("dress"), model.space.index("background"))
        wishes = (Wish("dress", colour="#1040c0"), Wish("dress", texture=_tartan(), scale=0.3))
        rows.append(np.concatenate([pixels, *(wear(pixels, labels, wish, model).image for wish in wishes)], axis=1))
    picture = Image.fromarray(np.concatenate(rows, axis=0))
    picture.resize((3 * side, 2 * side), Image.Resampling.LANCZOS).save(DOCS / "tryon.jpg", quality=85)


def _tartan(side: int = 120) -> Image.Image:
    """A red cloth with green and yellow stripes both ways."""
    across = np.full((side, 3), (150, 25, 30), np.float32)
    across[30:60] = (20, 80, 50)
    across[44:47] = across[90:93] = (225, 190, 60)
    return Image.fromarray(((across[:, None] + across[None]) / 2).astype(np.uint8))


def _beside(left: np.ndarray, right: np.ndarray, scale: int) -> np.ndarray:
    both = np.concatenate([left, np.full((len(left), 2, 3), 255, np.uint8), right], axis=1)
    return np.repeat(np.repeat(both, scale, axis=0), scale, axis=1)


if __name__ == "__main__":
    main()
