"""Masks and photos wherever they are kept, and every kind of mask file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.datasets import ReadOptions, open_dataset
from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.parts import Page, open_picture, page_count, place, read_stored, suffix
from intarsia.errors import DataError
from intarsia.labels import LabelSpace

LABELS = np.tile(np.repeat(np.array([0, 1, 2, 1], np.uint8), 3), (8, 1))
COLORS = np.array([(0, 0, 0), (128, 64, 128), (64, 0, 128)], np.uint8)


def palette(array: np.ndarray) -> Image.Image:
    image = Image.fromarray(array)
    image.putpalette(COLORS.tobytes())
    return image


FORMS: dict[str, Callable[[], Image.Image]] = {
    "L": lambda: Image.fromarray(LABELS),
    "P": lambda: palette(LABELS),
    "I;16": lambda: Image.fromarray(LABELS.astype(np.uint16) * 300),
    "1": lambda: Image.fromarray(LABELS == 1),
    "RGB": lambda: Image.fromarray(COLORS[LABELS]),
    "RGBA": lambda: Image.fromarray(COLORS[LABELS]).convert("RGBA"),
    "LA": lambda: Image.fromarray(LABELS).convert("LA"),
}


@pytest.mark.parametrize("mode", FORMS)
@pytest.mark.parametrize("form", ["png", "tif"])
def test_every_kind_of_mask(mode: str, form: str, write: Callable[..., Path], tmp_path: Path) -> None:
    write("images/a.png")
    (tmp_path / "masks").mkdir()
    image = FORMS[mode]()
    assert image.mode == mode
    image.save(tmp_path / f"masks/a.{form}")
    classes = {"1": ["other", "road"], "I;16": None}.get(mode, ["sky", "road", "car"])
    colors = [tuple(color) for color in COLORS.tolist()] if mode in ("RGB", "RGBA") else None
    data = open_dataset(tmp_path, ReadOptions(classes=classes, palette=colors), val_fraction=0)
    target = data.splits["all"].read(0)[1]
    assert np.array_equal(target, LABELS == 1 if mode == "1" else LABELS)


JPEG_CLASSES = ReadOptions(classes=["sky", "road", "car"], palette=[tuple(color) for color in COLORS.tolist()])


def test_jpeg_masks_are_refused_unless_tolerated(write: Callable[..., Path], tmp_path: Path) -> None:
    large = LABELS.repeat(8, axis=0).repeat(8, axis=1)
    write("images/a.png", size=large.shape)
    (tmp_path / "masks").mkdir()
    Image.fromarray(COLORS[large]).save(tmp_path / "masks/a.jpg", quality=90, subsampling=0)
    with pytest.raises(DataError, match="colours that classes does not name"):
        open_dataset(tmp_path, JPEG_CLASSES)
    data = open_dataset(tmp_path, JPEG_CLASSES.model_copy(update={"tolerant": True}), val_fraction=0)
    assert np.array_equal(data.splits["all"].read(0)[1], large)
    assert any("hold colours that classes does not name; the nearest one is taken" in note for note in data.notes)
    with pytest.raises(DataError, match="the masks are colour-coded; say which colour"):
        open_dataset(tmp_path, ReadOptions(tolerant=True))


def test_jpeg_masks_with_class_values_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    write("images/a.png")
    (tmp_path / "masks").mkdir()
    Image.fromarray(LABELS * 3).save(tmp_path / "masks/a.jpg")
    with pytest.raises(DataError, match="JPEG blurs class values"):
        open_dataset(tmp_path, ReadOptions(classes=["a", "b"], tolerant=True))


def test_nearest_colours() -> None:
    space = LabelSpace(("a", "b"))
    coding = MaskCoding(colors={(0, 0, 0): 0, (200, 0, 0): 1, (0, 0, 250): 255}, nearest=True)
    raw = np.array([[[90, 0, 0], [110, 5, 5], [0, 0, 130], [0, 0, 120], [200, 0, 0]]], np.uint8)
    assert coding.decode(raw, space).tolist() == [[0, 1, 255, 0, 1]]
    exact = MaskCoding(colors=coding.colors)
    with pytest.raises(DataError, match="colours that no class of this data set has"):
        exact.decode(raw, space)


def test_pages_of_a_stack(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    first, *others = [Image.fromarray(np.full((4, 6), n, np.uint8)) for n in range(3)]
    first.save(path, save_all=True, append_images=others)
    assert page_count(path) == 3
    assert [int(read_stored(Page(path, n))[0, 0]) for n in range(3)] == [0, 1, 2]
    reader = open_picture(Page(path, 2))
    assert (reader.width, reader.height, reader.name) == (6, 4, f"{path} page 3")
    assert place(Page(path, 1), tmp_path) == "stack.tif page 2" and suffix(Page(path, 1)) == ".tif"
    with pytest.raises(DataError, match=r"stack\.tif page 4: the file has only 3 pages"):
        read_stored(Page(path, 3))
    path.write_bytes(path.read_bytes()[:4])
    with pytest.raises(DataError, match=r"stack\.tif: the file is truncated or corrupt"):
        page_count(path)


class Held:
    """A part that holds its bytes."""

    path = Path("table.bin")

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __str__(self) -> str:
        return "table.bin row 7"

    def load(self) -> bytes:
        return self.content


def test_errors_name_the_place() -> None:
    with pytest.raises(DataError, match=r"cannot read table\.bin row 7: the file is empty"):
        read_stored(Held(b""))
    with pytest.raises(DataError, match=r"cannot read table\.bin row 7: it is not an image"):
        open_picture(Held(b"no picture at all"))
    file = io.BytesIO()
    Image.fromarray(LABELS).save(file, "PNG")
    assert np.array_equal(read_stored(Held(file.getvalue())), LABELS)
    with pytest.raises(DataError, match=r"table\.bin row 7"):
        read_stored(Held(file.getvalue()[:60]))
