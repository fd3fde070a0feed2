"""Photos without labels: segments by k-means, in Python and on the command line."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import intarsia
from intarsia.bundle import Bundle
from intarsia.datasets.synthetic import draw_scene
from intarsia.errors import DataError, ModelError, UsageError


def halves(height: int = 40, width: int = 60) -> np.ndarray:
    """Blue above, a third of it, and brown below."""
    photo = np.zeros((height, width, 3), np.uint8)
    photo[: height // 3], photo[height // 3 :] = (90, 140, 220), (120, 90, 50)
    return photo


def test_one_photo_and_nothing_else() -> None:
    photo = halves()
    model = intarsia.cluster(photo, 2, options={"position": 0})
    found = model.segment(photo)
    assert found.space.names == ("segment 1", "segment 2")
    assert (found.labels[:11] == 1).all() and (found.labels[16:] == 0).all(), "the larger one is the first"
    assert found["segment 1"].mean() == pytest.approx(2 / 3, abs=0.1)
    assert found.overlay().size == (60, 40)


def test_segment_by_name() -> None:
    photo, _ = draw_scene((60, 80), np.random.default_rng(0))
    found = intarsia.segment(photo, "kmeans")
    assert len(found.space) == 5 and len(np.unique(found.labels)) == 5
    again = intarsia.segment(photo, "kmeans")
    assert np.array_equal(found.labels, again.labels)


def test_many_photos_share_their_segments(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(np.roll(halves(), 7 * number, axis=0)).save(tmp_path / f"{number}.png")
    model = intarsia.cluster(tmp_path, 2, options={"position": 0})
    colours = {(int(found.labels[15, 30]), int(found.image[15, 30, 0])) for found in model.segment(tmp_path)}
    assert colours in ({(0, 120), (1, 90)}, {(0, 90), (1, 120)}), "a segment is one colour in all of them"
    several = list(intarsia.segment((halves() for _ in range(2)), "kmeans"))
    assert len(several) == 2


def test_the_pages_of_a_stack_share_their_segments(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.roll(halves(), 7 * number, axis=0)) for number in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    model = intarsia.cluster(tmp_path / "stack.tif", 2, options={"position": 0})
    colours = {(int(found.labels[15, 30]), int(np.asarray(page)[15, 30, 0])) for found, page in
               ((model.segment(page), page) for page in pages)}  # fmt: skip
    assert colours in ({(0, 120), (1, 90)}, {(0, 90), (1, 120)})


def test_the_model_can_be_kept(tmp_path: Path) -> None:
    photo = halves()
    model = intarsia.cluster(photo, 3, long_side=30)
    model.bundle.save(tmp_path / "segments.safetensors")
    assert Bundle.load(tmp_path / "segments.safetensors").preprocessing.long_side == 30
    kept = intarsia.load(tmp_path / "segments.safetensors").segment(photo)
    assert np.array_equal(kept.labels, model.segment(photo).labels)


def test_a_flat_photo_and_one_pixel() -> None:
    flat = np.full((9, 9, 3), 7, np.uint8)
    assert len(np.unique(intarsia.cluster(flat, options={"position": 0}).segment(flat).labels)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert intarsia.cluster(flat[:1, :1], 1).segment(flat[:1, :1]).labels.max() == 0


def test_what_cannot_be_clustered(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 pixels cannot form 5 clusters"):
        intarsia.segment(np.zeros((1, 1, 3), np.uint8), "kmeans")
    for wrong in (0, 256, -1, "two"):
        with pytest.raises(ModelError, match="clusters is a number from 1 to 255"):
            intarsia.cluster(halves(), wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no picture to cluster"):
        intarsia.cluster([])
    with pytest.raises(UsageError, match=r"kmeans has no option 'colours'. Did you mean 'colour'"):
        intarsia.cluster(halves(), options={"colours": 2})
    with pytest.raises(DataError, match="float"):
        intarsia.cluster(np.full((9, 9, 3), np.nan))
    with pytest.raises(DataError, match=r"missing\.png"):
        intarsia.cluster(tmp_path / "missing.png")
    with pytest.raises(UsageError, match="kmeans has no weights: it is fitted to the pictures themselves"):
        intarsia.load("kmeans")


def test_a_file_of_that_name_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert intarsia.is_clustering("kmeans")
    (tmp_path / "kmeans").mkdir()
    assert not intarsia.is_clustering("kmeans")
    with pytest.raises(ModelError, match="kmeans is no run folder"):
        intarsia.load("kmeans")
